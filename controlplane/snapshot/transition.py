"""From what a group of proxies has to what it shall have, make before break, each service for itself. Pure.

Routes are not warmed: a route to a cluster that a proxy has not got, or has not warmed, answers 503, and a cluster
that goes before its route does the same. Hence:
- every cluster that the target has is published at once, also of versions that no route names: a candidate is warm
  before its first request, and from then on its weight is a matter of one route;
- a service's new routes go out as soon as every cluster that they name is confirmed. Until then the service keeps the
  routes that it has, and delays nobody else: a rollback never waits for another service's new cluster;
- but for a host and prefix that changes hands: who gives it up, or takes it, moves together with the one who waits,
  so that no request finds two services there, or none;
- a cluster leaves when it is not in the target, no published route names it, and none that a proxy may still run.

The caller knows the fleet and the clock, and says by `Progress` what has come true. With nobody there to be hurt, or
nothing published yet (a start), the target is published whole: each stream keeps the order for its own proxy.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from controlplane.snapshot.model import ClusterInput, ServiceRoute, cluster_inputs, cluster_name, clusters_named


@dataclass(frozen=True, slots=True)
class _Part:
    """What one service's target comes to. Kept from step to step: a thousand that did not change cost nothing."""

    route: ServiceRoute
    clusters: tuple[tuple[str, ClusterInput], ...]
    named: frozenset[str]


@dataclass(frozen=True)
class Publication:
    """What a group is sent. `confirmed`: the clusters that routes may name, since every proxy has them warm.

    Always: what the routes name is confirmed, and what is confirmed is published.
    """

    routes: Mapping[str, ServiceRoute]
    clusters: Mapping[str, ClusterInput]
    confirmed: frozenset[str]
    parts: Mapping[str, _Part] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def named(self) -> frozenset[str]:
        """The clusters that the published routes send to."""
        return _named(self.routes, self.parts)

    @cached_property
    def warming(self) -> frozenset[str]:
        """The clusters that are published and not confirmed."""
        return frozenset(self.clusters) - self.confirmed

    @cached_property
    def is_whole(self) -> bool:
        """It is the target that it was planned for: nothing is left to come, and nothing to go."""
        is_routed = self.routes == {name: part.route for name, part in self.parts.items()}
        return is_routed and self.clusters.keys() == _clusters(self.parts).keys() == self.confirmed


@dataclass(frozen=True, slots=True)
class Progress:
    """What has come true of the present publication.

    `warm`: clusters that every proxy has. `unused`: clusters that no proxy's routes name any more. A proxy that had
    its time counts as one that has done it: its own stream keeps routes back that it cannot follow.
    """

    warm: Set[str] = frozenset()
    unused: Set[str] = frozenset()


def accepted(publication: Publication) -> Progress:
    """Every proxy runs all of the publication."""
    names = frozenset(publication.clusters)
    return Progress(warm=names, unused=names - publication.named)


def whole(target: Sequence[ServiceRoute]) -> Publication:
    """The target at once."""
    parts = _parts(target, {})
    clusters = _clusters(parts)
    return Publication({route.name: route for route in target}, clusters, frozenset(clusters), parts)


def step(current: Publication, target: Sequence[ServiceRoute], progress: Progress) -> Publication:
    """The publication after `current` on the way to `target`; equal to `current` while there is nothing to do."""
    parts = _parts(target, current.parts)
    confirmed = current.confirmed | (progress.warm & current.clusters.keys())
    routes = _routes(current.routes, parts, confirmed)
    clusters = _clusters(parts)
    # Only what was confirmed can have been named by a route. One that no proxy took (its operator takes it back) goes
    # at once.
    if leaving := current.confirmed - clusters.keys():
        kept = leaving - progress.unused | leaving & _named(routes, parts)
        clusters |= {name: current.clusters[name] for name in sorted(kept)}
    return Publication(routes, clusters, confirmed & clusters.keys(), parts)


def _parts(target: Iterable[ServiceRoute], known: Mapping[str, _Part]) -> dict[str, _Part]:
    return {route.name: _part(route, known.get(route.name)) for route in target}


def _part(route: ServiceRoute, known: _Part | None) -> _Part:
    if known is not None and (known.route is route or known.route == route):
        return known
    return _Part(route, tuple((item.name, item) for item in cluster_inputs(route)), clusters_named(route))


def _clusters(parts: Mapping[str, _Part]) -> dict[str, ClusterInput]:
    return {name: item for part in parts.values() for name, item in part.clusters}


def _named(routes: Mapping[str, ServiceRoute], parts: Mapping[str, _Part]) -> frozenset[str]:
    return frozenset().union(*(_part(route, parts.get(name)).named for name, route in routes.items()))


def _routes(
    present: Mapping[str, ServiceRoute], parts: Mapping[str, _Part], confirmed: Set[str]
) -> Mapping[str, ServiceRoute]:
    """The target's routes, but the present ones of each service that has to wait."""
    wanted = {name: part.route for name, part in parts.items()}
    waiting = {name for name, part in parts.items() if not part.named <= confirmed and present.get(name) != part.route}
    if not waiting:
        return wanted
    staying = _with_partners(waiting, present, wanted)
    kept = {name: _meanwhile(present[name], wanted.get(name), confirmed) for name in staying if name in present}
    return {name: route for name, route in wanted.items() if name not in staying} | kept


def _meanwhile(present: ServiceRoute, wanted: ServiceRoute | None, confirmed: Set[str]) -> ServiceRoute:
    """The present routes, with the wanted weights if these need nothing new: so nothing ever keeps a rollback back."""
    if wanted is None:
        return present
    moved = replace(wanted, spec=present.spec)
    known = {cluster_name(present.name, version.name) for version in present.spec.versions}
    return moved if clusters_named(moved) <= known & confirmed else present


def _with_partners(
    waiting: Set[str], present: Mapping[str, ServiceRoute], wanted: Mapping[str, ServiceRoute]
) -> Set[str]:
    """Those who wait, and whoever shares a handover of a host and prefix with one of them, and so on."""
    # A service that neither comes, goes nor changes has no part in a handover.
    movers = {name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name)}
    old = {name: _claims(present.get(name)) for name in movers}
    new = {name: _claims(wanted.get(name)) for name in movers}
    found = set(waiting)
    while True:
        held = frozenset().union(*(old[name] for name in found))
        expected = frozenset().union(*(new[name] for name in found))
        more = {
            name
            for name in movers - found
            if not new[name].isdisjoint(held) or not (old[name] - new[name]).isdisjoint(expected)
        }
        if not more:
            return found
        found |= more


def _claims(route: ServiceRoute | None) -> frozenset[tuple[str, str]]:
    """The (host, prefix) pairs that a service answers. Envoy compares hosts without case."""
    return frozenset((host.lower(), route.spec.prefix) for host in route.spec.hosts) if route else frozenset()
