"""One service with the weight in force -> its Envoy routes, encoded, in the order in which Envoy must try them.

What decides, in this order (`prefix` and the service's hosts apply to all):
1. `x-serinus-pin` names a version: that version. The baseline always; the candidate while `rollout.pins`.
2. untagged (the sidecar was away) and a cohort's header test holds natively: the baseline, since only the sidecar
   may send anybody to a pinned version.
3. *mix*, where the sticky key is one plain header or the request id, and it is not empty: weighted by
   [x-serinus-key terminal, the key header itself with the salt]. With the sidecar dead every user keeps their version.
   *tagged*, for any other sticky key: weighted by x-serinus-key if the sidecar sent a bucket.
4. the baseline: no key, or untagged.

Candidate first, total 10000: Envoy walks cumulative weights in list order by `hash % 10000`, so users join as the
weight grows and none goes back.
"""

import json

from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.google import protobuf

from controlplane.manifest.schema import Cohort, Protocol
from controlplane.snapshot.encoding import milliseconds, packed, response_header, serinus_metadata
from controlplane.snapshot.errors import UnknownVersionError, WeightError
from controlplane.snapshot.filters import OBSERVE_FILTER
from controlplane.snapshot.match import equals, hash_by, is_absent, is_not_empty, is_present, meets
from controlplane.snapshot.model import RolloutRoute, ServiceRoute, cluster_name
from controlplane.snapshot.resource import content_hash
from serinus.contract import headers
from serinus.contract.policy import StickyKind
from serinus.contract.weight import WEIGHT_TOTAL_BP

# Turns a filter on that is disabled by default, with the config that it has.
_ENABLED = packed(route_v3.FilterConfig(config=protobuf.Any()), "envoy.config.route.v3.FilterConfig")
# Counts up when the way in which the same inputs are routed changes.
_ROUTING_FORMAT = "1"
_REQUEST_ID_HEADER = "x-request-id"


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
    """The header whose value alone is the sticky key, if there is one: Envoy can then hash it without the sidecar."""
    if len(service.spec.sticky) != 1:
        return None
    source = service.spec.sticky[0]
    match source.kind:
        case StickyKind.HEADER:
            return source.name
        case StickyKind.REQUEST:
            return _REQUEST_ID_HEADER
        case StickyKind.COOKIE | StickyKind.QUERY:
            return None


def build_routes(service: ServiceRoute) -> tuple[bytes, ...]:
    """The service's routes as encoded `envoy.config.route.v3.Route` messages.

    Raises UnknownVersionError, WeightError.
    """
    _check(service)
    rollout = service.rollout
    if rollout is None:
        return (bytes(_to_version(service, "baseline", [], service.baseline)),)
    routes = [_pinned(service, service.baseline)]
    if rollout.pins and rollout.candidate != service.baseline:
        routes.append(_pinned(service, rollout.candidate))
    routes += [_untagged_cohort(service, cohort) for cohort in service.spec.cohorts]
    routes.append(_randomised(service, rollout))
    routes.append(_to_version(service, "baseline", [], service.baseline))
    return tuple(bytes(route) for route in routes)


def _check(service: ServiceRoute) -> None:
    known = {version.name for version in service.spec.versions}
    if service.baseline not in known:
        raise UnknownVersionError(service.name, "baseline", service.baseline)
    if service.rollout is not None and service.rollout.candidate not in known:
        raise UnknownVersionError(service.name, "candidate", service.rollout.candidate)


def _pinned(service: ServiceRoute, version: str) -> route_v3.Route:
    return _to_version(service, f"pin/{version}", [equals(headers.PIN, version)], version)


def _untagged_cohort(service: ServiceRoute, cohort: Cohort) -> route_v3.Route:
    matchers = [is_absent(headers.BUCKET), is_absent(headers.COHORT), meets(cohort.match.header)]
    return _to_version(service, f"untagged/{cohort.name}", matchers, service.baseline)


def _randomised(service: ServiceRoute, rollout: RolloutRoute) -> route_v3.Route:
    policies = [hash_by(headers.KEY, terminal=True)]
    key_header = plain_key_header(service)
    if key_header is None:
        name, matchers = "tagged", [is_present(headers.BUCKET)]
    else:
        name, matchers = "mix", [is_present(key_header), is_not_empty(key_header)]
        policies.append(hash_by(key_header, salt=service.salt))
    action = _action()
    action.hash_policy = policies
    action.weighted_clusters = route_v3.WeightedCluster(
        use_hash_policy=True, clusters=_weights(service, rollout.candidate, rollout.weight_bp)
    )
    return _route(service, name, matchers, action)


def _weights(service: ServiceRoute, candidate: str, weight_bp: int) -> list[route_v3.WeightedClusterClusterWeight]:
    weights_bp = (weight_bp, WEIGHT_TOTAL_BP - weight_bp)
    if not all(0 <= weight <= WEIGHT_TOTAL_BP for weight in weights_bp):
        raise WeightError(service.name, weights_bp)
    return [
        route_v3.WeightedClusterClusterWeight(
            name=cluster_name(service.name, version),
            weight=weight,
            response_headers_to_add=[response_header(headers.VERSION, version)],
        )
        for version, weight in zip((candidate, service.baseline), weights_bp, strict=True)
    ]


def _to_version(
    service: ServiceRoute, name: str, matchers: list[route_v3.HeaderMatcher], version: str
) -> route_v3.Route:
    action = _action()
    action.cluster = cluster_name(service.name, version)
    route = _route(service, name, matchers, action)
    route.response_headers_to_add = [response_header(headers.VERSION, version)]
    return route


def _action() -> route_v3.RouteAction:
    return route_v3.RouteAction(
        # Envoy's default of 15 s cuts generations; the listener's stream idle timeout bounds a stalled one.
        timeout=milliseconds(0),
        # A retry stays on the chosen cluster: nothing is ever retried on the other arm.
        retry_policy=route_v3.RetryPolicy(retry_on="reset-before-request", num_retries=1),
    )


def _route(
    service: ServiceRoute, name: str, matchers: list[route_v3.HeaderMatcher], action: route_v3.RouteAction
) -> route_v3.Route:
    observed = service.spec.observe.body and service.spec.protocol is Protocol.OPENAI
    return route_v3.Route(
        name=f"{service.name}/{name}",
        match=route_v3.RouteMatch(prefix=service.spec.prefix, headers=matchers),
        route=action,
        metadata=serinus_metadata(_metadata(service)),
        # Envoy decides which filters run at a request's first route, before the tags: so on every route.
        typed_per_filter_config={OBSERVE_FILTER: _ENABLED} if observed else {},
    )


def _metadata(service: ServiceRoute) -> dict[str, str]:
    """What the sidecar and the access log learn of a request's service, from Envoy's own route match."""
    rollout = service.rollout
    return {
        "service": service.name,
        "rollout": rollout.name if rollout else "",
        "snapshot": service_snapshot(service),
        "weight_bp": str(rollout.weight_bp) if rollout else "0",
        "candidate": rollout.candidate if rollout else "",
        "baseline": service.baseline,
    }
