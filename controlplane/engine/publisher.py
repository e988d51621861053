"""What the proxies are to hold, group by group, and what their fleets say of it.

`plan` builds what an intention comes to for every group and may refuse it; `take` puts it into force. Between them the
caller records the intention: nothing is seen outside that a restart would not know.
"""

from collections.abc import Iterable, Mapping

from controlplane.engine.group import Group, Plan
from controlplane.engine.planes import Seen, ServiceSeen, joined
from controlplane.engine.routing import GroupTarget
from controlplane.engine.secrets import NO_FILES
from controlplane.rollout.events import FleetFact
from controlplane.rollout.model import Rollout
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.resource import ROUTE, VIRTUAL_HOST
from controlplane.snapshot.route import service_snapshot
from controlplane.telemetry.catalogue import XDS_PROPAGATION
from controlplane.telemetry.exporter import Exporter
from controlplane.xds.fleet import Nack, NodeView
from controlplane.xds.groups import GroupBook
from controlplane.xds.server import AdsServer


class Publisher:
    def __init__(self, ads: AdsServer, exporter: Exporter, *, proxy_timeout_ms: int) -> None:
        self._ads = ads
        self._exporter = exporter
        self._proxy_timeout_ms = proxy_timeout_ms
        # Those in force, and those that were planned for, with what was built for them.
        self._groups: dict[str, Group] = {}
        self._made: dict[str, Group] = {}
        self._book = GroupBook()
        self._files = NO_FILES
        self._snapshots: dict[str, tuple[ServiceRoute, str]] = {}
        # What other control planes see of their proxies. The publication does not wait for these: each plane has an
        # order of its own.
        self.others: tuple[Seen, ...] = ()

    @property
    def groups(self) -> Mapping[str, Group]:
        """By name."""
        return self._groups

    def plan(self, targets: Mapping[str, GroupTarget], files: Mapping[str, bytes], now_ms: int) -> Mapping[str, Plan]:
        """What each group would be sent next. Raises SnapshotError; nothing has changed then."""
        plans: dict[str, Plan] = {}
        before: Group | None = None
        for name, target in targets.items():
            group = self._group(name)
            if before is not None:
                group.learn(before, target)
            plans[name] = group.plan(target, files, now_ms)
            before = group
        return plans

    def _group(self, name: str) -> Group:
        if name not in self._made:
            self._made[name] = Group(name, self._ads, proxy_timeout_ms=self._proxy_timeout_ms)
        return self._made[name]

    def take(self, plans: Mapping[str, Plan], files: Mapping[str, bytes], now_ms: int) -> None:
        """Publish what was planned. Groups without a plan are gone: their proxies are told so."""
        self._files = files
        self._groups = self._made = {name: self._group(name) for name in plans}
        book = GroupBook({name: plan.target.nodes for name, plan in plans.items()})
        if book != self._book:
            # Every stream is looked at again: not with each weight.
            self._book = book
            self._ads.set_groups(book)
        for name, plan in plans.items():
            self._groups[name].take(plan, now_ms)

    def tick(self, now_ms: int) -> None:
        """Let every group go on as far as its fleet has come, or had its time."""
        for group in self._groups.values():
            took_ms = group.tick(self._files, now_ms)
            if took_ms is not None:
                self._exporter.observe(XDS_PROPAGATION, took_ms / 1000)

    @property
    def files_in_use(self) -> frozenset[str]:
        """The secret files of every cluster that is published, of those also that are about to go."""
        return frozenset().union(*(group.files_in_use for group in self._groups.values()))

    def fleet_fact(self, service: str) -> FleetFact:
        """Of the groups that serve it, at all control planes: who is connected, who has not got it yet, and who
        rejected what is in force."""
        return self._everywhere(service).fleet

    def _everywhere(self, service: str) -> ServiceSeen:
        others = [seen[service] for seen in self.others if service in seen]
        own = self._here(service)
        return joined(own, others) if others else own

    def seen(self, services: Iterable[str]) -> Seen:
        """What this control plane alone sees of the proxies of these services."""
        return {service: self._here(service) for service in services}

    def _here(self, service: str) -> ServiceSeen:
        nodes = tuple(view.node.node_id for group in self._serving(service) for view in group.fleet.connected)
        return ServiceSeen(self.route_snapshot(service), nodes, self._fleet_here(service))

    def _fleet_here(self, service: str) -> FleetFact:
        connected, waiting, warming = 0, list[str](), set[str]()
        rejections, duplicates = list[str](), set[str]()
        for group in self._serving(service):
            fleet = group.fleet
            connected += len(fleet.connected)
            clusters, nodes = group.waiting_for(service)
            warming |= clusters
            waiting += nodes
            rejections += [f"{node_id}: {nack.message}" for node_id, nack in fleet.nacks()]
            duplicates |= set(fleet.duplicates)
        return FleetFact(
            connected=connected,
            waiting=tuple(sorted(waiting)),
            warming=tuple(sorted(warming)),
            rejections=tuple(rejections),
            duplicates=tuple(sorted(duplicates)),
        )

    def rejections(self, service: str) -> list[tuple[str, str, Nack]]:
        """(group, node id, what the node refused and why) of the proxies that serve it."""
        return [
            (group.name, node_id, nack) for group in self._serving(service) for node_id, nack in group.fleet.nacks()
        ]

    def _serving(self, service: str) -> list[Group]:
        return [group for group in self._groups.values() if group.route(service) is not None]

    def connected_nodes(self, service: str | None = None) -> tuple[str, ...]:
        """The ids of the proxies that are connected now: all that are connected here, or, at all control planes, those
        that serve a service."""
        if service is not None:
            return self._everywhere(service).nodes
        return tuple(view.node.node_id for group in self._groups.values() for view in group.fleet.connected)

    def snapshot_of(self, rollout: Rollout) -> str:
        """The snapshot that routes a rollout's requests now; "" once it has ended."""
        return "" if rollout.is_terminal else self.route_snapshot(rollout.spec.service)

    def route_snapshot(self, service: str) -> str:
        """The routing revision of a service, as it stands in its routes' metadata and comes back with each outcome."""
        serving = self._serving(service)
        route = serving[0].route(service) if serving else None
        if route is None:
            return ""
        known = self._snapshots.get(service)
        if known is None or known[0] != route:
            known = self._snapshots[service] = (route, service_snapshot(route))
        return known[1]

    def route_versions(self, group: str, node: NodeView) -> tuple[str, str]:
        """(accepted by the node, published) versions of the routes, as the node gets them."""
        snapshot = self._groups[group].snapshot if group in self._groups else None
        wanted = node.wanted(snapshot) if snapshot is not None else {}
        kind = VIRTUAL_HOST if VIRTUAL_HOST in wanted else ROUTE
        return node.accepted.get(kind, ""), wanted.get(kind, "")
