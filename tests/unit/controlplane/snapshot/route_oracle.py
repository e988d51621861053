"""The routes of a service, written a second time with envoy-data-plane's classes: field numbers come from elsewhere.

What the product encodes with its own wire subset must read back as exactly this. The subset could otherwise write a
field under a wrong number, which Envoy ignores in silence.
"""

import re
from collections.abc import Sequence
from datetime import timedelta

import re2
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher_v3
from envoy_data_plane.google import protobuf

from controlplane.manifest.cohort import Cohort, CohortMatch
from controlplane.manifest.text_match import TextMatch
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.route import plain_key_header, service_snapshot


def expected_routes(service: ServiceRoute) -> list[route_v3.Route]:
    rollout = service.rollout
    baseline = _route(service, "baseline", [], service.baseline)
    if rollout is None:
        return [baseline]
    pinned = [service.baseline]
    if rollout.pins and rollout.candidate != service.baseline:
        pinned.append(rollout.candidate)
    return [
        *(_route(service, f"pin/{name}", [_matcher("x-serinus-pin", _exact(name))], name) for name in pinned),
        *(_untagged(service, cohort, way) for cohort in service.spec.cohorts for way in _ways(cohort.match) or ()),
        *_classes(service),
        _randomised(service),
        baseline,
    ]


def _route(service: ServiceRoute, name: str, matchers: list[route_v3.HeaderMatcher], version: str) -> route_v3.Route:
    route = _any_route(service, name, matchers)
    assert route.route is not None
    route.route.cluster = f"{service.name}/{version}"
    route.response_headers_to_add = [_version_header(version)]
    return route


def _untagged(service: ServiceRoute, cohort: Cohort, way: list[route_v3.HeaderMatcher]) -> route_v3.Route:
    key, name = plain_key_header(service), f"untagged/{cohort.name}"
    absent = [_matcher("x-serinus-bucket", None, absent=True), _matcher("x-serinus-cohort", None, absent=True)]
    if cohort.weight_factor is None or key is None:
        return _route(service, name, [*absent, *way], service.baseline)
    matchers = [*absent, _matcher(key, None), _matcher(key, _exact(""), absent=True), *way]
    return _weighted(service, name, matchers, [_hash(key, salt=service.salt)], cohort.weight_factor)


def _classes(service: ServiceRoute) -> list[route_v3.Route]:
    members: dict[str, list[str]] = {}
    for cohort in service.spec.cohorts:
        if cohort.weight_factor not in (None, "1"):
            members.setdefault(cohort.weight_factor, []).append(cohort.name)
    return [
        _weighted(
            service,
            f"class/{factor}",
            [_matcher("x-serinus-bucket", None), _matcher("x-serinus-cohort", member)],
            [_hash("x-serinus-key", terminal=True)],
            factor,
        )
        for factor, names in members.items()
        for member in _one_of(names)
    ]


def _one_of(names: Sequence[str]) -> list[matcher_v3.StringMatcher]:
    """Any of these. Envoy takes no pattern that compiles to more than 100 instructions."""
    if len(names) == 1:
        return [_exact(names[0])]
    pattern = "(?:" + "|".join(map(re.escape, names)) + ")"
    if re2.compile(pattern.encode()).programsize <= 90:
        return [_regex(pattern)]
    half = len(names) // 2
    return _one_of(names[:half]) + _one_of(names[half:])


def _regex(pattern: str) -> matcher_v3.StringMatcher:
    return matcher_v3.StringMatcher(safe_regex=matcher_v3.RegexMatcher(regex=pattern))


def _randomised(service: ServiceRoute) -> route_v3.Route:
    key = plain_key_header(service)
    if any(_ways(cohort.match) is None for cohort in service.spec.cohorts):
        assert key is None, "an untagged request of such a cohort could reach the candidate"
    hashes = [_hash("x-serinus-key", terminal=True)]
    matchers = [_matcher("x-serinus-bucket", None)]
    if key is not None:
        hashes.append(_hash(key, salt=service.salt))
        matchers = [_matcher(key, None), _matcher(key, _exact(""), absent=True)]
    return _weighted(service, "tagged" if key is None else "mix", matchers, hashes, "1")


def _weighted(
    service: ServiceRoute,
    name: str,
    matchers: list[route_v3.HeaderMatcher],
    hashes: list[route_v3.RouteActionHashPolicy],
    factor: str,
) -> route_v3.Route:
    rollout = service.rollout
    assert rollout is not None
    weight_bp = min(10_000, rollout.weight_bp * round(1_000 * float(factor)) // 1_000)
    route = _any_route(service, name, matchers, weight_bp, factor)
    assert route.route is not None
    route.route.hash_policy = hashes
    arms = [(rollout.candidate, weight_bp), (service.baseline, 10_000 - weight_bp)]
    route.route.weighted_clusters = route_v3.WeightedCluster(
        use_hash_policy=True,
        clusters=[
            route_v3.WeightedClusterClusterWeight(
                name=f"{service.name}/{version}", weight=weight, response_headers_to_add=[_version_header(version)]
            )
            for version, weight in arms
        ],
    )
    return route


def _any_route(
    service: ServiceRoute,
    name: str,
    matchers: list[route_v3.HeaderMatcher],
    weight_bp: int | None = None,
    factor: str = "1",
) -> route_v3.Route:
    rollout = service.rollout
    if weight_bp is None:
        weight_bp = rollout.weight_bp if rollout else 0
    fields = {
        "service": service.name,
        "rollout": rollout.name if rollout else "",
        "snapshot": service_snapshot(service),
        "weight_bp": str(weight_bp),
        "weight_class": factor,
        "candidate": rollout.candidate if rollout else "",
        "baseline": service.baseline,
    }
    struct = protobuf.Struct(fields={key: protobuf.Value(string_value=value) for key, value in fields.items()})
    enabled = protobuf.Any(
        type_url="type.googleapis.com/envoy.config.route.v3.FilterConfig",
        value=bytes(route_v3.FilterConfig(config=protobuf.Any())),
    )
    observed = service.spec.observe.body and service.spec.protocol.value in {"openai", "kserve-v2"}
    return route_v3.Route(
        name=f"{service.name}/{name}",
        match=route_v3.RouteMatch(prefix=service.spec.prefix, headers=matchers),
        route=route_v3.RouteAction(
            timeout=timedelta(),
            retry_policy=route_v3.RetryPolicy(retry_on="reset-before-request", num_retries=1),
            upgrade_configs=[route_v3.RouteActionUpgradeConfig(upgrade_type=kind) for kind in service.spec.upgrades],
        ),
        metadata=core.Metadata(filter_metadata={"serinus": struct}),
        typed_per_filter_config={"serinus.observe": enabled} if observed else {},
    )


def _version_header(version: str) -> core.HeaderValueOption:
    return core.HeaderValueOption(
        header=core.HeaderValue(key="x-serinus-version", value=version),
        append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _exact(value: str) -> matcher_v3.StringMatcher:
    return matcher_v3.StringMatcher(exact=value)


def _matcher(name: str, value: matcher_v3.StringMatcher | None, *, absent: bool = False) -> route_v3.HeaderMatcher:
    if value is None:
        return route_v3.HeaderMatcher(name=name, present_match=True, invert_match=absent)
    return route_v3.HeaderMatcher(name=name, string_match=value, invert_match=absent)


def _ways(match: CohortMatch) -> list[list[route_v3.HeaderMatcher]] | None:
    """Each a set of matchers that must hold together; None where Envoy cannot tell."""
    if match.header is not None:
        return _text(match.header.name, match.header)
    if match.method is not None:
        return _text(":method", match.method)
    if match.path is not None and match.path.prefix is not None:
        return [[_matcher(":path", matcher_v3.StringMatcher(prefix=match.path.prefix))]]
    if match.not_ is not None:
        return _denied(match.not_)
    if match.any_of is not None:
        either = [_ways(part) for part in match.any_of]
        joined = [way for ways in either for way in ways or []]
        return None if None in either or len(joined) > 16 else joined
    if match.all_of is not None:
        together: list[list[route_v3.HeaderMatcher]] = [[]]
        for part in match.all_of:
            ways = _ways(part)
            if ways is None:
                return None
            together = [before + way for before in together for way in ways]
        return together if len(together) <= 16 else None
    return None


def _denied(match: CohortMatch) -> list[list[route_v3.HeaderMatcher]] | None:
    """What is drawn here: `not` of one test, of `not`, of `all`, of `any`."""
    if match.not_ is not None:
        return _ways(match.not_)
    if match.any_of is not None:
        return _ways(CohortMatch.model_construct(all_of=tuple(_not(part) for part in match.any_of)))
    if match.all_of is not None:
        return _ways(CohortMatch.model_construct(any_of=tuple(_not(part) for part in match.all_of)))
    spec = match.header or match.method or match.path
    ways = _ways(match)
    if ways is None or spec is None:
        return None
    for way in ways:
        for matcher in way:
            matcher.invert_match = not matcher.invert_match
            matcher.treat_missing_header_as_empty = matcher.present_match is None
    met_by_empty = spec.exact == "" or "" in (spec.one_of or ())
    met_by_empty |= spec.regex is not None and re2.compile(spec.regex.encode()).fullmatch(b"") is not None
    return None if met_by_empty else [[matcher for way in ways for matcher in way]]


def _not(match: CohortMatch) -> CohortMatch:
    return CohortMatch.model_construct(not_=match)


def _text(name: str, spec: TextMatch) -> list[list[route_v3.HeaderMatcher]] | None:
    if spec.exact is not None:
        return [[_matcher(name, _exact(spec.exact))]]
    if spec.prefix is not None:
        return [[_matcher(name, matcher_v3.StringMatcher(prefix=spec.prefix) if spec.prefix else None)]]
    if spec.suffix is not None:
        return [[_matcher(name, matcher_v3.StringMatcher(suffix=spec.suffix) if spec.suffix else None)]]
    if spec.present is not None:
        return [[_matcher(name, None)]]
    if spec.regex is not None:
        return [[_matcher(name, _regex(spec.regex))]]
    if spec.one_of is None:
        return None
    return [[_matcher(name, one)] for one in _one_of(spec.one_of)]


def _hash(name: str, *, terminal: bool = False, salt: str | None = None) -> route_v3.RouteActionHashPolicy:
    header = route_v3.RouteActionHashPolicyHeader(header_name=name)
    if salt is not None:
        substitution = salt.replace("\\", "\\\\") + ":"
        header.regex_rewrite = matcher_v3.RegexMatchAndSubstitute(
            pattern=matcher_v3.RegexMatcher(regex="^"), substitution=substitution
        )
    return route_v3.RouteActionHashPolicy(header=header, terminal=terminal)
