"""One group of proxies on its way to its target: what is published, since when, and how far its fleet has come.

The way itself is planned by `snapshot/transition.py`; here its questions are answered by the fleet and the time. A
proxy that is away or slow does not block the others for ever: after the timeout it counts as having done its part, and
gets a consistent set when it comes back (its own stream keeps the order). A cluster that a proxy *refuses* is another
matter: no route may name it until it is mended or taken back, since a route that a proxy cannot follow would keep every
later one from it too, a rollback's among them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controlplane.engine.reach import Reach
from controlplane.engine.routing import GroupTarget
from controlplane.snapshot.assemble import BuildCache, build
from controlplane.snapshot.model import Gateway, ServiceRoute, clusters_named
from controlplane.snapshot.resource import CLUSTER, ENDPOINT, SECRET
from controlplane.snapshot.snapshot import Snapshot
from controlplane.snapshot.transition import Progress, Publication, step, whole
from controlplane.xds.fleet import FleetView
from controlplane.xds.order import NAMING_TYPES
from controlplane.xds.refusal import NOTHING_REFUSED
from controlplane.xds.server import AdsServer

# What a cluster needs to get warm: a refusal of one of these is a refusal of some cluster.
_CLUSTER_TYPES = frozenset({CLUSTER, ENDPOINT, SECRET})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a group is sent next: built, and not published yet. `routes`: the target's, by service."""

    target: GroupTarget
    routes: Mapping[str, ServiceRoute]
    publication: Publication
    snapshot: Snapshot


class Group:
    """`plan` builds and may raise; `take` publishes what was planned and does not."""

    def __init__(self, name: str, ads: AdsServer, *, proxy_timeout_ms: int) -> None:
        self.name = name
        self._ads = ads
        self._proxy_timeout_ms = proxy_timeout_ms
        self._cache = BuildCache()
        self._reach = Reach()
        self._plan: Plan | None = None
        # By cluster: since when it is published and not confirmed, and since when no published route names it.
        self._warming_ms: dict[str, int] = {}
        self._unnamed_ms: dict[str, int] = {}
        self._target_ms = 0
        self._is_under_way = False

    @property
    def fleet(self) -> FleetView:
        return self._ads.fleet(self.name)

    @property
    def target(self) -> GroupTarget | None:
        """What it is on its way to."""
        return self._plan.target if self._plan is not None else None

    @property
    def snapshot(self) -> Snapshot | None:
        """What is published."""
        return self._plan.snapshot if self._plan is not None else None

    @property
    def files_in_use(self) -> frozenset[str]:
        """The secret files of every cluster that is published."""
        clusters = self._plan.publication.clusters.values() if self._plan is not None else ()
        return frozenset().union(*(item.version.files for item in clusters))

    def route(self, service: str) -> ServiceRoute | None:
        """A service as the group's target has it; None if the group does not serve it."""
        return self._plan.routes.get(service) if self._plan is not None else None

    def plan(self, target: GroupTarget, files: Mapping[str, bytes], now_ms: int) -> Plan:
        """The next publication on the way to the target. Raises SnapshotError; nothing has changed then.

        The target is built too where it cannot go out whole: what is wrong with it must be told now, not in a minute.
        """
        wanted = {route.name: route for route in target.routes}
        if self._plan is None or not self.fleet.connected:
            # Nobody is there to be hurt; and a proxy that starts must not be served a half-made set.
            publication = whole(target.routes)
        else:
            publication = step(self._plan.publication, target.routes, self._progress(self._plan, now_ms))
        if publication.routes != wanted and (self._plan is None or self._plan.target != target):
            self._build(target.gateway, whole(target.routes), files)
        return Plan(target, wanted, publication, self._build(target.gateway, publication, files))

    def learn(self, other: "Group", target: GroupTarget) -> None:
        """Take over what another group has just built: a service is the same everywhere, only listeners are not.

        What is taken over is looked at before it is used, as anything in the cache.
        """
        own, theirs = self._cache, other._cache
        if theirs.services.keys() == {route.name for route in target.routes}:
            own.services, own.upstreams, own.table = theirs.services, theirs.upstreams, theirs.table
        else:
            own.services = {**own.services, **theirs.services}

    def _build(self, gateway: Gateway, publication: Publication, files: Mapping[str, bytes]) -> Snapshot:
        routes = [route for _, route in sorted(publication.routes.items())]
        return build(routes, gateway, self._cache, clusters=tuple(publication.clusters.values()), files=files)

    def take(self, plan: Plan, now_ms: int) -> None:
        """Publish it, as far as it is new."""
        before, self._plan = self._plan, plan
        if before is None or before.target != plan.target:
            self._target_ms, self._is_under_way = now_ms, True
        if before is None or before.snapshot.version != plan.snapshot.version:
            self._reach.publish(plan.snapshot, plan.publication.routes)
            self._ads.publish(self.name, plan.snapshot)
        publication = plan.publication
        self._warming_ms = _since(self._warming_ms, publication.warming, now_ms)
        self._unnamed_ms = _since(self._unnamed_ms, publication.confirmed - publication.named, now_ms)

    def tick(self, files: Mapping[str, bytes], now_ms: int) -> int | None:
        """Go on as far as the fleet lets it. When every proxy has come to the target: the milliseconds that it took."""
        if self._plan is None or not self._is_under_way:
            return None
        publication = self._plan.publication
        if not publication.is_whole:
            progress = self._progress(self._plan, now_ms)
            if step(publication, self._plan.target.routes, progress) != publication:
                self.take(self.plan(self._plan.target, files, now_ms), now_ms)
            return None
        if not self.fleet.connected:
            # A proxy that comes later was not waited for.
            self._is_under_way = False
        if not self.fleet.has_accepted(self._plan.snapshot):
            return None
        self._is_under_way = False
        return now_ms - self._target_ms

    def waiting_for(self, service: str) -> tuple[frozenset[str], tuple[str, ...]]:
        """Of a service that the group serves: the clusters that its routes still wait for, and the ids of the proxies
        that have not got them, or not the routes."""
        if self._plan is None:
            return frozenset(), ()
        wanted, publication = self._plan.routes[service], self._plan.publication
        if publication.routes.get(service) == wanted:
            return frozenset(), self._reach.waiting_for(service, self.fleet)
        connected = self.fleet.connected
        behind = [view for view in connected if not view.has_accepted_type(CLUSTER, self._plan.snapshot)] or connected
        return clusters_named(wanted) - publication.confirmed, tuple(sorted(view.node.node_id for view in behind))

    def _progress(self, plan: Plan, now_ms: int) -> Progress:
        """What the connected proxies have done of what is published, or had their time for."""
        connected, published = self.fleet.connected, plan.publication
        warm = frozenset(published.clusters)
        if not all(view.has_accepted_type(CLUSTER, plan.snapshot) for view in connected):
            warm = self._overdue(self._warming_ms, now_ms) - self._refused(plan.snapshot)
        unused = published.confirmed - published.named
        if not all(view.has_accepted_type(kind, plan.snapshot) for view in connected for kind in NAMING_TYPES):
            unused &= self._overdue(self._unnamed_ms, now_ms)
        return Progress(warm, unused)

    def _refused(self, snapshot: Snapshot) -> frozenset[str]:
        """The clusters that some connected proxy will not have, itself or what belongs to it."""
        names = set[str]()
        for _, nack in self.fleet.nacks():
            if nack.type_url in _CLUSTER_TYPES:
                names |= NOTHING_REFUSED.after(snapshot.of_type(nack.type_url), nack.message).names
        # A secret is named `<cluster>/<what it is>`, endpoints as their cluster.
        return frozenset(names | {name.rpartition("/")[0] for name in names})

    def _overdue(self, since_ms: Mapping[str, int], now_ms: int) -> frozenset[str]:
        return frozenset(name for name, since in since_ms.items() if now_ms - since >= self._proxy_timeout_ms)


def _since(before: Mapping[str, int], names: Iterable[str], now_ms: int) -> dict[str, int]:
    """Since when each of these has been among them."""
    return {name: before.get(name, now_ms) for name in names}
