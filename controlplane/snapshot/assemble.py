"""Services with the weights in force -> one consistent Snapshot: what every proxy of a group is to hold.

Nothing is built again that did not change: a weight step compiles one service and joins one virtual host, and every
set in which nothing changed is the very object that it was. `BuildCache` is what makes that so; without it the result
is the same, byte for byte.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.snapshot.compiled import CompiledService, compiled
from controlplane.snapshot.errors import MissingClusterError, SnapshotError
from controlplane.snapshot.filters import build_tag_filter
from controlplane.snapshot.limits import build_limit_filter
from controlplane.snapshot.listener import build_listener
from controlplane.snapshot.model import ClusterInput, Gateway, ServiceRoute
from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    NOTHING,
    ROUTE,
    SECRET,
    VIRTUAL_HOST,
    Resource,
    ResourceSet,
)
from controlplane.snapshot.snapshot import Snapshot
from controlplane.snapshot.upstreams import Upstreams, renew
from controlplane.snapshot.virtual_host import (
    Claim,
    build_virtual_host,
    discovered,
    discovering_configuration,
    inline_configuration,
    services_by_host,
)


@dataclass(frozen=True, slots=True)
class _Edge:
    """What clients meet before any route: made of the gateway, and of what all services need of the filters."""

    gateway: Gateway | None = None
    forwarded: tuple[str, ...] = ()
    limits: tuple[bytes, ...] = ()
    listeners: ResourceSet = NOTHING
    extensions: ResourceSet = NOTHING


@dataclass(frozen=True, slots=True)
class _Table:
    """All routes. `hosts`: of each virtual host the services in it, as they were compiled, and what they came to."""

    claims: Sequence[Claim] = ()
    by_host: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: Mapping[str, tuple[tuple[CompiledService, ...], Resource]] = field(default_factory=dict)
    virtual_hosts: ResourceSet = NOTHING
    routes: ResourceSet = NOTHING
    overlay: Mapping[str, ResourceSet] = field(default_factory=dict)


@dataclass(slots=True)
class BuildCache:
    """What the last `build` made. It holds exactly the services of that build, so it cannot outgrow them."""

    services: Mapping[str, CompiledService] = field(default_factory=dict)
    upstreams: Upstreams = field(default_factory=Upstreams)
    edge: _Edge = field(default_factory=_Edge)
    table: _Table = field(default_factory=_Table)


def build(
    routes: Sequence[ServiceRoute],
    gateway: Gateway,
    cache: BuildCache | None = None,
    *,
    clusters: Sequence[ClusterInput] | None = None,
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> Snapshot:
    """The snapshot of these services behind this gateway.

    `clusters`: the versions to hold; None: every version of these services. `files`: the contents of the secret files
    that they name. Raises SnapshotError (a version that is unknown, weights that do not sum, services that clash, a
    route to a cluster that is not there, a secret file that cannot serve). After an error the cache is as it was.
    """
    cache = cache if cache is not None else BuildCache()
    services = {route.name: compiled(route, cache.services.get(route.name)) for route in routes}
    if len(services) != len(routes):
        raise SnapshotError("two services have one name", next_step="rename one of them")
    if clusters is None:
        clusters = [item for service in services.values() for item in service.inputs]
    upstreams = renew(cache.upstreams, clusters, files)
    edge = _edge(cache.edge, gateway, services.values())
    table = _table(cache.table, services)
    types = {
        CLUSTER: upstreams.clusters,
        ENDPOINT: upstreams.endpoints,
        SECRET: upstreams.secrets,
        EXTENSION: edge.extensions,
        LISTENER: edge.listeners,
        ROUTE: table.routes,
    }
    snapshot = Snapshot(types, table.overlay)
    check(snapshot)
    cache.services, cache.upstreams, cache.edge, cache.table = services, upstreams, edge, table
    return snapshot


def check(snapshot: Snapshot) -> None:
    """Raises MissingClusterError if a resource sends traffic to a cluster that the snapshot does not hold, in what any
    kind of stream gets.
    """
    held = snapshot.of_type(CLUSTER).names
    for resources in (*snapshot.types.values(), *snapshot.overlay.values()):
        if not resources.clusters <= held:
            item = next(item for item in resources if not item.clusters <= held)
            raise MissingClusterError(item.name, item.clusters - held)


def _edge(last: _Edge, gateway: Gateway, services: Iterable[CompiledService]) -> _Edge:
    by_name = sorted(services, key=lambda item: item.service.name)
    forwarded = tuple(sorted(frozenset().union(*(item.forwarded for item in by_name))))
    limits = tuple(limit for item in by_name for limit in item.limits)
    is_same_gateway = gateway == last.gateway
    if is_same_gateway and (forwarded, limits) == (last.forwarded, last.limits):
        return last
    extensions = (build_tag_filter(gateway, forwarded), build_limit_filter(limits))
    return _Edge(
        gateway=gateway,
        forwarded=forwarded,
        limits=limits,
        listeners=last.listeners if is_same_gateway else ResourceSet.of((build_listener(gateway),)),
        extensions=ResourceSet.of(extensions),
    )


def _table(last: _Table, services: Mapping[str, CompiledService]) -> _Table:
    claims = [item.claim for item in services.values()]
    by_host = last.by_host if claims == last.claims else services_by_host(claims)
    hosts = {host: _host(last, host, [services[name] for name in names]) for host, names in by_host.items()}
    virtual_hosts = last.virtual_hosts.renewed({item.name: item for _, item in hosts.values()})
    if virtual_hosts is last.virtual_hosts and last.overlay:
        return _Table(claims, by_host, hosts, virtual_hosts, last.routes, last.overlay)
    return _Table(
        claims=claims,
        by_host=by_host,
        hosts=hosts,
        virtual_hosts=virtual_hosts,
        routes=ResourceSet.of((inline_configuration(virtual_hosts),)),
        overlay={
            ROUTE: last.overlay.get(ROUTE) or ResourceSet.of((discovering_configuration(),)),
            VIRTUAL_HOST: discovered(virtual_hosts),
        },
    )


def _host(last: _Table, host: str, members: Sequence[CompiledService]) -> tuple[tuple[CompiledService, ...], Resource]:
    known = last.hosts.get(host)
    made_of = tuple(members)
    if known is not None and known[0] == made_of:
        return known
    routes = [route for member in made_of for route in member.routes]
    named = frozenset().union(*(member.named for member in made_of))
    return made_of, build_virtual_host(host, routes, named)
