"""The limits of services -> the config of the limiting filter: a bucket a version, and a bucket a cohort.

The buckets are the filter's own, not the routes': Envoy fills a route's bucket anew whenever any route of the proxy
changes, so a limit in a route would let a burst through at every weight step of any service (3 of 3 after each push),
and each route to a version would have a bucket of its own. These are filled anew only when some limit changes.

The filter's config is a resource of its own (ECDS): a new limit touches neither listener nor routes. A version is known
by the cluster that the weighted route has just chosen, a cohort by what the sidecar or a native route noted of the
request. One over a limit is answered 429, flag RL, before it reaches a server. A service whose requests the sidecar
tags has its versions limited only while the sidecar is away.
"""

from collections.abc import Iterable

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit import v3 as local_ratelimit
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.envoy.type.metadata import v3 as metadata_v3
from envoy_data_plane.google import protobuf

from controlplane.snapshot.encoding import length_delimited
from controlplane.snapshot.model import ServiceRoute, burst_of, cluster_name, version_limit
from controlplane.snapshot.resource import EXTENSION, TYPE_PREFIX, Resource, resource
from controlplane.snapshot.wire import encoded, milliseconds, number
from serinus.contract import headers
from serinus.envoywire.rate_limit_pb2 import LocalRateLimitDescriptor, TokenBucket

LIMIT_FILTER = "serinus.limit"
LIMIT_TYPE = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"

# Field number of LocalRateLimit, by which encoded descriptors are joined to it.
_DESCRIPTORS = 8
# Envoy refills continuously; the interval is the unit of `requests_per_second`.
_SECOND = milliseconds(1_000)
# Keys of descriptors. The first is Envoy's own for that action.
_CLUSTER_KEY = "destination_cluster"
_SERVICE_KEY = "service"
_COHORT_KEY = "cohort"


def limit_descriptors(service: ServiceRoute) -> tuple[bytes, ...]:
    """The buckets of one service, encoded. Two of one key would be refused: a version has one, whatever names it."""
    limits = service.spec.limits
    if not limits:
        return ()
    buckets = []
    for version in service.spec.versions:
        limit = version_limit(service, version.name)
        if limit.requests_per_second is not None and limit.burst is not None:
            key = {_CLUSTER_KEY: cluster_name(service.name, version.name)}
            buckets.append(_descriptor(key, limit.requests_per_second, limit.burst))
    for cohort in service.spec.cohorts:
        of_cohort = limits.get(cohort.name)
        if of_cohort is not None and of_cohort.requests_per_second is not None:
            key = {_SERVICE_KEY: service.name, _COHORT_KEY: cohort.name}
            buckets.append(_descriptor(key, of_cohort.requests_per_second, burst_of(of_cohort) or 0))
    return tuple(buckets)


def _descriptor(key: dict[str, str], requests_per_second: int, burst: int) -> bytes:
    entries = [LocalRateLimitDescriptor.Entry(key=name, value=value) for name, value in key.items()]
    bucket = TokenBucket(max_tokens=burst, tokens_per_fill=number(requests_per_second), fill_interval=_SECOND)
    return encoded(LocalRateLimitDescriptor(entries=entries, token_bucket=bucket))


def build_limit_filter(descriptors: Iterable[bytes]) -> Resource:
    """The config of the limiting filter. Without a descriptor the filter is there and does nothing."""
    buckets = b"".join(length_delimited(_DESCRIPTORS, descriptor) for descriptor in descriptors)
    config = bytes(_enabled() if buckets else _idle()) + buckets
    message = core.TypedExtensionConfig(
        name=LIMIT_FILTER, typed_config=protobuf.Any(type_url=TYPE_PREFIX + LIMIT_TYPE, value=config)
    )
    return resource(LIMIT_FILTER, EXTENSION, bytes(message))


def _idle() -> local_ratelimit.LocalRateLimit:
    return local_ratelimit.LocalRateLimit(stat_prefix="limit")


def _enabled() -> local_ratelimit.LocalRateLimit:
    """No bucket for what matches no descriptor: all of that passes."""
    always = core.RuntimeFractionalPercent(default_value=type_v3.FractionalPercent(numerator=100))
    message = _idle()
    message.filter_enabled = always
    message.filter_enforced = always
    message.rate_limits = [route_v3.RateLimit(actions=actions) for actions in _keys()]
    return message


def _keys() -> tuple[list[route_v3.RateLimitAction], ...]:
    """A cohort is told by the sidecar's answer, or by a native route; never by both."""
    sources = route_v3.RateLimitActionMetaDataSource
    return _version_key(), _cohort_key(sources.DYNAMIC), _cohort_key(sources.ROUTE_ENTRY)


def _version_key() -> list[route_v3.RateLimitAction]:
    return [route_v3.RateLimitAction(destination_cluster=route_v3.RateLimitActionDestinationCluster())]


def _cohort_key(source: route_v3.RateLimitActionMetaDataSource) -> list[route_v3.RateLimitAction]:
    """A cohort is a service's own: two services may have one of the same name."""
    path = [metadata_v3.MetadataKeyPathSegment(key="service")]
    service = route_v3.RateLimitActionMetaData(
        descriptor_key=_SERVICE_KEY,
        metadata_key=metadata_v3.MetadataKey(key=headers.METADATA_NAMESPACE, path=path),
        source=route_v3.RateLimitActionMetaDataSource.ROUTE_ENTRY,
        skip_if_absent=True,
    )
    cohort = route_v3.RateLimitActionMetaData(
        descriptor_key=_COHORT_KEY,
        metadata_key=metadata_v3.MetadataKey(
            key=headers.METADATA_NAMESPACE, path=[metadata_v3.MetadataKeyPathSegment(key=_COHORT_KEY)]
        ),
        source=source,
    )
    return [route_v3.RateLimitAction(metadata=service), route_v3.RateLimitAction(metadata=cohort)]
