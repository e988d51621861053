"""Services with the weights in force -> one consistent Snapshot: what every proxy of a group is to hold.

Pure but for `BuildCache`, which remembers what was encoded for inputs that have not changed: moving one weight
encodes the routes of one service and joins bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from controlplane.manifest.schema import Protocol
from controlplane.manifest.version import Version
from controlplane.snapshot.cluster import build_cluster
from controlplane.snapshot.errors import MissingClusterError, SnapshotError
from controlplane.snapshot.filters import build_tag_filter, policy_headers
from controlplane.snapshot.listener import build_listener
from controlplane.snapshot.model import Gateway, ServiceRoute, cluster_name
from controlplane.snapshot.resource import CLUSTER, EXTENSION, LISTENER, ROUTE, Resource, ResourceSet
from controlplane.snapshot.route import build_routes
from controlplane.snapshot.snapshot import Snapshot
from controlplane.snapshot.virtual_host import build_route_configuration

# The types that a snapshot holds. Endpoints are inline in the clusters.
TYPES = (CLUSTER, EXTENSION, LISTENER, ROUTE)


@dataclass(slots=True)
class _Entry:
    """What was encoded last for one service."""

    service: ServiceRoute
    routes: tuple[bytes, ...]
    clusters: dict[Version, Resource]


@dataclass(slots=True)
class BuildCache:
    """What the last `build` encoded. It holds exactly the services of that build, so it cannot outgrow them."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    listener: tuple[Gateway, Resource] | None = None
    tag_filter: tuple[Gateway, tuple[str, ...], Resource] | None = None


def build(services: Sequence[ServiceRoute], gateway: Gateway, cache: BuildCache | None = None) -> Snapshot:
    """The snapshot of these services behind this gateway.

    Raises SnapshotError (a version that is unknown, weights that do not sum, services that clash, a route to a
    cluster that is not there). After an error the cache is as it was.
    """
    cache = cache if cache is not None else BuildCache()
    entries = {service.name: _entry(service, cache.entries.get(service.name)) for service in services}
    if len(entries) != len(services):
        raise SnapshotError("two services have one name", next_step="rename one of them")
    clusters = ResourceSet.of(cluster for entry in entries.values() for cluster in entry.clusters.values())
    routes = build_route_configuration(
        services, {name: entry.routes for name, entry in entries.items()}, _named_clusters(services)
    )
    snapshot = Snapshot(
        {
            CLUSTER: clusters,
            EXTENSION: ResourceSet.of((_tag_filter(services, gateway, cache),)),
            LISTENER: ResourceSet.of((_listener(gateway, cache),)),
            ROUTE: ResourceSet.of((routes,)),
        }
    )
    check(snapshot)
    cache.entries = entries
    return snapshot


def check(snapshot: Snapshot) -> None:
    """Raises MissingClusterError if a resource sends traffic to a cluster that the snapshot does not hold."""
    clusters = snapshot.of_type(CLUSTER)
    for resources in snapshot.types.values():
        for item in resources:
            missing = item.clusters - clusters.resources.keys()
            if missing:
                raise MissingClusterError(item.name, frozenset(missing))


def _entry(service: ServiceRoute, last: _Entry | None) -> _Entry:
    if last is not None and last.service == service:
        return last
    protocol = service.spec.protocol
    known = last.clusters if last is not None and last.service.spec.protocol is protocol else {}
    clusters = {
        version: known.get(version) or build_cluster(service.name, version, streams=protocol is Protocol.OPENAI)
        for version in service.spec.versions
    }
    return _Entry(service, build_routes(service), clusters)


def _named_clusters(services: Sequence[ServiceRoute]) -> set[str]:
    named = {cluster_name(service.name, service.baseline) for service in services}
    named |= {cluster_name(service.name, service.rollout.candidate) for service in services if service.rollout}
    return named


def _listener(gateway: Gateway, cache: BuildCache) -> Resource:
    if cache.listener is None or cache.listener[0] != gateway:
        cache.listener = (gateway, build_listener(gateway))
    return cache.listener[1]


def _tag_filter(services: Sequence[ServiceRoute], gateway: Gateway, cache: BuildCache) -> Resource:
    forwarded = policy_headers(service.spec for service in services)
    if cache.tag_filter is None or cache.tag_filter[:2] != (gateway, forwarded):
        cache.tag_filter = (gateway, forwarded, build_tag_filter(gateway, forwarded))
    return cache.tag_filter[2]
