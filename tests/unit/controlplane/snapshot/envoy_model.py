"""How Envoy takes a route, in 60 lines: enough to run what we encode. The end-to-end tests hold it to the real one."""

import re
from collections.abc import Mapping, Sequence

import re2
import xxhash
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher_v3

Headers = Mapping[str, Sequence[bytes]]
# Envoy's runtime key re2.max_program_size.error_level.
_PROGRAM_SIZE_MAX = 100


def route_of(routes: Sequence[route_v3.Route], headers: Headers) -> route_v3.Route:
    """The first route whose header matchers all hold."""
    return next(route for route in routes if route.match and all(holds(m, headers) for m in route.match.headers))


def cluster_of(routes: Sequence[route_v3.Route], headers: Headers) -> str | None:
    """The cluster of a request; None where Envoy would choose at random, because no hash policy gave a hash."""
    action = route_of(routes, headers).route
    assert action is not None
    if action.weighted_clusters is None:
        return action.cluster
    number = hash_of(action.hash_policy, headers)
    if number is None:
        return None
    place = number % sum(cluster.weight or 0 for cluster in action.weighted_clusters.clusters)
    for cluster in action.weighted_clusters.clusters:
        place -= cluster.weight or 0
        if place < 0:
            return cluster.name
    raise AssertionError("weights do not cover the total")


def holds(matcher: route_v3.HeaderMatcher, headers: Headers) -> bool:
    values = headers.get(matcher.name)
    if matcher.present_match is not None:
        return ((values is not None) == matcher.present_match) != matcher.invert_match
    if values is None and not matcher.treat_missing_header_as_empty:
        return False
    value = b",".join(values or ()).decode("utf-8", "surrogateescape")
    string = matcher.string_match
    assert string is not None
    if string.exact is not None:
        found = value == string.exact
    elif string.prefix is not None:
        found = value.startswith(string.prefix)
    elif string.suffix is not None:
        found = value.endswith(string.suffix)
    elif string.contains is not None:
        found = string.contains in value
    else:
        assert string.safe_regex is not None
        pattern = re2.compile(string.safe_regex.regex.encode())
        assert pattern.programsize <= _PROGRAM_SIZE_MAX, "Envoy refuses it"
        found = pattern.fullmatch(b",".join(values or ())) is not None
    return found != matcher.invert_match


def hash_of(policies: Sequence[route_v3.RouteActionHashPolicy], headers: Headers) -> int | None:
    for policy in policies:
        assert policy.header is not None
        values = headers.get(policy.header.header_name)
        if not values:
            continue
        assert len(values) == 1, "several values are chained; none of our requests has them here"
        value = values[0]
        if rewrite := policy.header.regex_rewrite:
            assert rewrite.pattern is not None
            value = rewritten(rewrite, value)
        return xxhash.xxh64_intdigest(value)
    return None


def rewritten(rewrite: matcher_v3.RegexMatchAndSubstitute, value: bytes) -> bytes:
    r"""RE2's rewrite of the first match: backslash 1 is the group, a backslash before anything else gives that."""
    assert rewrite.pattern is not None
    match = re2.compile(rewrite.pattern.regex.encode()).search(value)
    if match is None:
        return value
    template = rewrite.substitution.encode()
    made = re.sub(rb"\\(.)", lambda found: match[1] if found[1] == b"1" else found[1], template)
    return value[: match.start()] + made + value[match.end() :]
