"""Header matchers and hash policies: the small pieces of a route. Values in, Envoy values out."""

import re

from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher_v3

from controlplane.manifest.schema import HeaderMatchSpec


def is_present(name: str) -> route_v3.HeaderMatcher:
    return route_v3.HeaderMatcher(name=name, present_match=True)


def is_absent(name: str) -> route_v3.HeaderMatcher:
    return route_v3.HeaderMatcher(name=name, present_match=True, invert_match=True)


def equals(name: str, value: str) -> route_v3.HeaderMatcher:
    return route_v3.HeaderMatcher(name=name, string_match=matcher_v3.StringMatcher(exact=value))


def is_not_empty(name: str) -> route_v3.HeaderMatcher:
    """An exact test, inverted: the same as the regex `.+` without a regex on every request."""
    return route_v3.HeaderMatcher(name=name, string_match=matcher_v3.StringMatcher(exact=""), invert_match=True)


def meets(spec: HeaderMatchSpec) -> route_v3.HeaderMatcher:
    """The native form of a cohort's header test. Envoy joins repeated headers by a comma, as the policy does."""
    if spec.exact is not None:
        return equals(spec.name, spec.exact)
    if spec.prefix is not None:
        # Envoy wants at least one byte of prefix; the empty prefix is met by every value.
        string_match = matcher_v3.StringMatcher(prefix=spec.prefix)
        return (
            route_v3.HeaderMatcher(name=spec.name, string_match=string_match) if spec.prefix else is_present(spec.name)
        )
    alternatives = "|".join(re.escape(value) for value in spec.one_of or ())
    regex = matcher_v3.RegexMatcher(regex=f"(?:{alternatives})")
    return route_v3.HeaderMatcher(name=spec.name, string_match=matcher_v3.StringMatcher(safe_regex=regex))


def hash_by(name: str, *, terminal: bool = False, salt: str | None = None) -> route_v3.RouteActionHashPolicy:
    """Hash a header's value, with `salt:` put before it, or as it stands. `terminal`: if present, look no further."""
    header = route_v3.RouteActionHashPolicyHeader(header_name=name)
    if salt is not None:
        header.regex_rewrite = matcher_v3.RegexMatchAndSubstitute(
            pattern=matcher_v3.RegexMatcher(regex=_WHOLE_VALUE), substitution=f"{_escape(salt)}:\\1"
        )
    return route_v3.RouteActionHashPolicy(header=header, terminal=terminal)


_WHOLE_VALUE = "^(.*)$"


def _escape(text: str) -> str:
    r"""A substitution gives `\1` a meaning, so a backslash of the salt is doubled."""
    return text.replace("\\", "\\\\")
