"""One service with the weight in force -> its Envoy routes, encoded, in the order in which Envoy must try them.

What decides, in this order (`prefix` and the service's hosts apply to all):
0. *native*, where the data path is native: see `native.py`. What follows is then for the requests that these leave.
1. `x-serinus-pin` names a version: that version. The baseline always; the candidate while `rollout.pins`.
2. untagged (the sidecar was away) and Envoy itself can tell that the request is in a cohort: the baseline, since only
   the sidecar may send anybody to a pinned version.
3. the cohorts of a weight class (`weight_classes.py`): as *mix* and *tagged* below, with the weight of the class.
4. *mix*, where the sticky key is one plain header or the request id and it is not empty, and Envoy can tell every
   cohort: weighted by [x-serinus-key terminal, the key header itself with the salt]. With the sidecar dead every user
   keeps their version. *tagged*, for any other sticky key or cohort: weighted by x-serinus-key if the sidecar sent a
   bucket. Were such a service *mix*, an untagged request of a pinned or excluded user could reach the candidate.
5. the baseline: no key, or untagged.

Candidate first, total 10000: Envoy walks cumulative weights in list order by `hash % 10000`, so users join as the
weight grows and none goes back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value

from controlplane.manifest.cohort import Cohort
from controlplane.manifest.schema import Protocol, ServiceSpec
from controlplane.snapshot.answer import id_headers, version_header
from controlplane.snapshot.errors import UnknownVersionError, WeightError
from controlplane.snapshot.feedback import feedback_routes
from controlplane.snapshot.filters import (
    EXT_PROC_ROUTE,
    OBSERVE_FILTER,
    SAMPLE_FILTER,
    SAMPLE_ROUTE,
    TAG_FILTER,
    observe_requests,
    observe_sample,
)
from controlplane.snapshot.match import Alternatives, equals, hash_by, is_absent, is_not_empty, is_present, native
from controlplane.snapshot.model import ServiceRoute, cluster_name
from controlplane.snapshot.native import NativeRoute, native_routes, noted
from controlplane.snapshot.native_key import native_key
from controlplane.snapshot.resource import TYPE_PREFIX, content_hash
from controlplane.snapshot.weight_classes import WeightClass, class_of, classes_apart, everyone
from controlplane.snapshot.wire import encoded, number, packed
from serinus.contract import headers
from serinus.contract.request import StickyKind
from serinus.contract.weight import WEIGHT_TOTAL_BP
from serinus.envoywire.core_pb2 import Metadata
from serinus.envoywire.route_pb2 import (
    FilterConfig,
    HeaderMatcher,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    WeightedCluster,
)

# Turns a filter on that is disabled by default, with the config that it has.
_ENABLED = packed(FilterConfig(config=Any()), "envoy.config.route.v3.FilterConfig")
_REQUESTS_TOO = Any(type_url=TYPE_PREFIX + EXT_PROC_ROUTE, value=observe_requests())
_ENABLED_FOR_REQUESTS = packed(FilterConfig(config=_REQUESTS_TOO), "envoy.config.route.v3.FilterConfig")
_DISABLED = packed(FilterConfig(disabled=True), "envoy.config.route.v3.FilterConfig")
# Envoy's default of 15 s cuts generations; the listener's stream idle timeout bounds a stalled one. Without
# `max_stream_duration` a grpc-timeout header is the server's business and cuts nothing here.
_NO_TIMEOUT = Duration()
# A retry stays on the chosen cluster: nothing is ever retried on the other arm.
_RETRY = RetryPolicy(retry_on="reset-before-request", num_retries=number(1))
# Counts up when the way in which the same inputs are routed changes.
_ROUTING_FORMAT = "1"
_REQUEST_ID_HEADER = "x-request-id"
_HASH_BY_TAG = hash_by(headers.KEY, terminal=True)


def service_snapshot(service: ServiceRoute) -> str:
    """16 hex digits that change if and only if what decides a request's version changes.

    In it: hosts, prefix, sticky sources, cohorts, baseline, salt, rollout, weight, pins. Not in it: endpoints, health,
    drain, observation.
    """
    spec, rollout = service.spec, service.rollout
    parts = [
        _ROUTING_FORMAT,
        service.name,
        list(spec.hosts),
        spec.prefix,
        [[source.kind.value, source.name] for source in spec.sticky],
        [cohort.model_dump(mode="json") for cohort in spec.cohorts],
        service.baseline,
        service.salt,
        [rollout.name, rollout.candidate, rollout.weight_bp, rollout.pins] if rollout else None,
    ]
    return content_hash((json.dumps(parts, sort_keys=True).encode(),))


def plain_key_header(service: ServiceRoute) -> str | None:
    """The header by which Envoy can place users without the sidecar: its value alone is the sticky key, and Envoy can
    tell who is in a cohort. None if there is no such header.
    """
    if len(service.spec.sticky) != 1 or any(_ways(service, cohort) is None for cohort in service.spec.cohorts):
        return None
    source = service.spec.sticky[0]
    match source.kind:
        case StickyKind.HEADER:
            return source.name
        case StickyKind.REQUEST:
            return _REQUEST_ID_HEADER
        case StickyKind.COOKIE | StickyKind.QUERY:
            return None


@dataclass(frozen=True, slots=True)
class _Template:
    """What all routes of one service have alike. `weight_bp` is that of the weight class that its metadata says. `tail`
    is encoded: fields of one message may come in any order.
    """

    service: ServiceRoute
    weight_bp: int
    action: RouteAction
    tail: bytes


def build_routes(service: ServiceRoute) -> tuple[bytes, ...]:
    """The service's routes as encoded `envoy.config.route.v3.Route` messages.

    Raises UnknownVersionError, WeightError.
    """
    _check(service)
    template = _template(service)
    rollout = service.rollout
    routes = [*feedback_routes(service), *(_native(service, item) for item in native_routes(service))]
    if rollout is None:
        return (*routes, _to_version(template, "baseline", [], service.baseline))
    routes.append(_pinned(template, service.baseline))
    if rollout.pins and rollout.candidate != service.baseline:
        routes.append(_pinned(template, rollout.candidate))
    for cohort in service.spec.cohorts:
        routes += _untagged_cohort(template, cohort)
    for apart in classes_apart(service):
        for member in apart.members():
            matchers = [is_present(headers.BUCKET), member]
            routes.append(_weighted(_template(service, apart), f"class/{apart.name}", matchers, [_HASH_BY_TAG]))
    routes.append(_randomised(template))
    routes.append(_to_version(template, "baseline", [], service.baseline))
    return tuple(routes)


def _check(service: ServiceRoute) -> None:
    known = {version.name for version in service.spec.versions}
    if service.baseline not in known:
        raise UnknownVersionError(service.name, "baseline", service.baseline)
    if service.rollout is not None and service.rollout.candidate not in known:
        raise UnknownVersionError(service.name, "candidate", service.rollout.candidate)


def _native(service: ServiceRoute, item: NativeRoute) -> bytes:
    """The sidecar is not asked; what it would have said is noted."""
    said = {"cohort": item.cohort, **({"pin": item.pin} if item.pin else {})}
    template = _template(service, item.weight_class, {TAG_FILTER: _DISABLED, **noted(item, service)}, said)
    if item.version is not None:
        return _to_version(template, item.name, item.matchers, item.version)
    hashes = [native_key(service.spec.sticky).hash_policy(service.salt)]
    return _weighted(template, item.name, item.matchers, hashes)


def _template(
    service: ServiceRoute,
    weight_class: WeightClass | None = None,
    filters: Mapping[str, Any] = MappingProxyType({}),
    said: Mapping[str, str] = MappingProxyType({}),
) -> _Template:
    """`weight_class` None: everyone's. `filters`: their configs on these routes. `said`: more metadata."""
    spec = service.spec
    weight_class = weight_class or everyone(service)
    fields = {key: Value(string_value=value) for key, value in {**_metadata(service, weight_class), **said}.items()}
    tail = Route(
        metadata=Metadata(filter_metadata={headers.METADATA_NAMESPACE: Struct(fields=fields)}),
        # Envoy decides which filters run at a request's first route, before the tags: so on every route.
        typed_per_filter_config={**filters, **_observing(spec)},
    )
    # An upgrade, too, is allowed or refused by a request's first route.
    upgrades = [RouteAction.UpgradeConfig(upgrade_type=upgrade.value) for upgrade in spec.upgrades]
    action = RouteAction(timeout=_NO_TIMEOUT, retry_policy=_RETRY, upgrade_configs=upgrades)
    return _Template(service, weight_class.weight_bp, action, encoded(tail))


def _observing(spec: ServiceSpec) -> Mapping[str, Any]:
    observe = spec.observe
    if not observe.is_on or spec.protocol is Protocol.HTTP:
        return {}
    if observe.sample_bp == WEIGHT_TOTAL_BP:
        return {OBSERVE_FILTER: _ENABLED_FOR_REQUESTS if observe.requests else _ENABLED}
    sample = observe_sample(observe.sample_bp, requests=observe.requests)
    config = FilterConfig(config=Any(type_url=TYPE_PREFIX + SAMPLE_ROUTE, value=sample))
    return {SAMPLE_FILTER: packed(config, "envoy.config.route.v3.FilterConfig")}


def _metadata(service: ServiceRoute, weight_class: WeightClass) -> dict[str, str]:
    """What the sidecar and the access log learn of a request's service, from Envoy's own route match."""
    rollout = service.rollout
    return {
        "service": service.name,
        "rollout": rollout.name if rollout else "",
        "snapshot": service_snapshot(service),
        "weight_bp": str(weight_class.weight_bp),
        "weight_class": weight_class.name,
        "candidate": rollout.candidate if rollout else "",
        "baseline": service.baseline,
    }


def _pinned(template: _Template, version: str) -> bytes:
    return _to_version(template, f"pin/{version}", [equals(headers.PIN, version)], version)


def _ways(service: ServiceRoute, cohort: Cohort) -> Alternatives | None:
    return native(cohort.condition(service.name))


def _untagged_cohort(template: _Template, cohort: Cohort) -> list[bytes]:
    """A route for each way in which Envoy can tell the cohort; none where it cannot. To the baseline, or, if the cohort
    has a weight class and Envoy can read its key, by the weight of the class: everyone keeps their version.
    """
    service, ways = template.service, _ways(template.service, cohort) or ()
    untagged = [is_absent(headers.BUCKET), is_absent(headers.COHORT)]
    name, weight_class, key_header = f"untagged/{cohort.name}", class_of(service, cohort), plain_key_header(service)
    if weight_class is None or key_header is None:
        return [_to_version(template, name, [*untagged, *way], service.baseline) for way in ways]
    untagged += [is_present(key_header), is_not_empty(key_header)]
    hashes = [hash_by(key_header, salt=service.salt)]
    of_class = _template(service, weight_class)
    return [_weighted(of_class, name, [*untagged, *way], hashes) for way in ways]


def _to_version(template: _Template, name: str, matchers: Sequence[HeaderMatcher], version: str) -> bytes:
    route = _route(template, name, matchers)
    route.route.cluster = cluster_name(template.service.name, version)
    route.response_headers_to_add.append(version_header(version))
    return _bytes(template, route)


def _randomised(template: _Template) -> bytes:
    service, key_header = template.service, plain_key_header(template.service)
    if key_header is None:
        return _weighted(template, "tagged", [is_present(headers.BUCKET)], [_HASH_BY_TAG])
    matchers = [is_present(key_header), is_not_empty(key_header)]
    return _weighted(template, "mix", matchers, [_HASH_BY_TAG, hash_by(key_header, salt=service.salt)])


def _weighted(
    template: _Template, name: str, matchers: Sequence[HeaderMatcher], hashes: Sequence[RouteAction.HashPolicy]
) -> bytes:
    """Dealt by the weight of the template's class."""
    service = template.service
    assert service.rollout is not None, "without a rollout there is one route"
    route = _route(template, name, matchers)
    route.route.hash_policy.extend(hashes)
    route.route.weighted_clusters.use_hash_policy.value = True
    route.route.weighted_clusters.clusters.extend(_weights(service, service.rollout.candidate, template.weight_bp))
    return _bytes(template, route)


def _weights(service: ServiceRoute, candidate: str, weight_bp: int) -> list[WeightedCluster.ClusterWeight]:
    weights_bp = (weight_bp, WEIGHT_TOTAL_BP - weight_bp)
    if not all(0 <= weight <= WEIGHT_TOTAL_BP for weight in weights_bp):
        raise WeightError(service.name, weights_bp)
    return [
        WeightedCluster.ClusterWeight(
            name=cluster_name(service.name, version),
            weight=number(weight),
            response_headers_to_add=[version_header(version)],
        )
        for version, weight in zip((candidate, service.baseline), weights_bp, strict=True)
    ]


def _route(template: _Template, name: str, matchers: Sequence[HeaderMatcher]) -> Route:
    spec = template.service.spec
    return Route(
        name=f"{template.service.name}/{name}",
        match=RouteMatch(prefix=spec.prefix, headers=matchers),
        route=template.action,
        response_headers_to_add=id_headers(spec),
    )


def _bytes(template: _Template, route: Route) -> bytes:
    return encoded(route) + template.tail
