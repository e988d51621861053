"""What a snapshot is built from: services with the weights in force. No Envoy types here."""

from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.manifest.limit import BASELINE, CANDIDATE, Limit
from controlplane.manifest.schema import Protocol, ServiceSpec
from controlplane.manifest.version import Version


@dataclass(frozen=True, slots=True)
class RolloutRoute:
    """The active rollout of a service, as the route sees it. `weight_bp` is the candidate's, 0..10000.

    `pins` False takes the candidate's pinned route away too: after a rollback nobody new may reach it.
    """

    name: str
    candidate: str
    weight_bp: int
    pins: bool = True


@dataclass(frozen=True, slots=True)
class ServiceRoute:
    """One service as the proxies must serve it. `baseline` is the version in force; it follows promotions.

    `salt` goes into the buckets: it is the rollout's while one is in force, so users are dealt anew for each release.
    """

    name: str
    spec: ServiceSpec
    baseline: str
    salt: str
    rollout: RolloutRoute | None = None


@dataclass(frozen=True, slots=True)
class ClusterInput:
    """All that one version's cluster is built from: equal inputs give equal bytes, so this is the key of the cache.

    `streams`: its servers stream their answers. `concurrent_max`: a limit of the service for this version, if any.
    """

    service: str
    version: Version
    streams: bool
    concurrent_max: int | None = None

    @property
    def name(self) -> str:
        return cluster_name(self.service, self.version.name)


def cluster_inputs(service: ServiceRoute) -> tuple[ClusterInput, ...]:
    """A cluster for every version, whether a route names it or not: a candidate is warm before its first request."""
    streams, versions = service.spec.protocol is Protocol.OPENAI, service.spec.versions
    if not service.spec.limits:  # the engine asks for every service at every step
        return tuple([ClusterInput(service.name, version, streams) for version in versions])
    return tuple(
        ClusterInput(service.name, version, streams, version_limit(service, version.name).concurrent)
        for version in versions
    )


def clusters_named(service: ServiceRoute) -> frozenset[str]:
    """The clusters that the service's routes send to."""
    versions = {service.baseline} | ({service.rollout.candidate} if service.rollout else set())
    return frozenset(cluster_name(service.name, version) for version in versions)


@dataclass(frozen=True, slots=True)
class VersionLimit:
    """What each proxy lets through to one version; None: as much as comes. `burst`: after a quiet while, at once."""

    requests_per_second: int | None = None
    burst: int | None = None
    concurrent: int | None = None


_NO_LIMIT = VersionLimit()


def version_limit(service: ServiceRoute, version: str) -> VersionLimit:
    """By the version's own name, and by that of the arm it plays now. Of two the tighter holds, number by number."""
    limits, rollout = service.spec.limits, service.rollout
    if not limits:
        return _NO_LIMIT
    names = [version]
    if version == service.baseline:
        names.append(BASELINE)
    if rollout is not None and version == rollout.candidate:
        names.append(CANDIDATE)
    found = [limits[name] for name in names if name in limits]
    return VersionLimit(
        requests_per_second=_least(limit.requests_per_second for limit in found),
        burst=_least(burst_of(limit) for limit in found),
        concurrent=_least(limit.concurrent for limit in found),
    )


def burst_of(limit: Limit) -> int | None:
    """A second's worth, if the manifest says nothing else."""
    return limit.burst if limit.burst is not None else limit.requests_per_second


def _least(numbers: Iterable[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the proxies of a group listen and what stands beside them. Addresses as `host`, `port`."""

    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    ext_proc_message_timeout_ms: int = 50
    stream_idle_timeout_ms: int = 300_000


# The one RouteConfiguration, which the listener asks for by this name.
ROUTE_CONFIGURATION = "services"


def cluster_name(service: str, version: str) -> str:
    """The Envoy cluster of one version: one cluster each, so that stats and health are per version."""
    return f"{service}/{version}"
