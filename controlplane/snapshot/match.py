"""Header matchers and hash policies: the small pieces of a route. Values in, wire messages out."""

import re

from controlplane.manifest.schema import HeaderMatchSpec
from serinus.envoywire.route_pb2 import HeaderMatcher, RegexMatchAndSubstitute, RegexMatcher, RouteAction, StringMatcher


def is_present(name: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, present_match=True)


def is_absent(name: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, present_match=True, invert_match=True)


def equals(name: str, value: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, string_match=StringMatcher(exact=value))


def is_not_empty(name: str) -> HeaderMatcher:
    """An exact test, inverted: the same as the regex `.+` without a regex on every request."""
    return HeaderMatcher(name=name, string_match=StringMatcher(exact=""), invert_match=True)


def meets(spec: HeaderMatchSpec) -> HeaderMatcher:
    """The native form of a cohort's header test. Envoy joins repeated headers by a comma, as the policy does."""
    if spec.exact is not None:
        return equals(spec.name, spec.exact)
    if spec.prefix is not None:
        # Envoy wants at least one byte of prefix; the empty prefix is met by every value.
        string_match = StringMatcher(prefix=spec.prefix)
        return HeaderMatcher(name=spec.name, string_match=string_match) if spec.prefix else is_present(spec.name)
    alternatives = "|".join(re.escape(value) for value in spec.one_of or ())
    regex = RegexMatcher(regex=f"(?:{alternatives})")
    return HeaderMatcher(name=spec.name, string_match=StringMatcher(safe_regex=regex))


def hash_by(name: str, *, terminal: bool = False, salt: str | None = None) -> RouteAction.HashPolicy:
    """Hash a header's value, with `salt:` put before it, or as it stands. `terminal`: if present, look no further."""
    header = RouteAction.HashPolicy.Header(header_name=name)
    if salt is not None:
        rewrite = RegexMatchAndSubstitute(pattern=_WHOLE_VALUE, substitution=f"{_escape(salt)}:\\1")
        header.regex_rewrite.CopyFrom(rewrite)
    return RouteAction.HashPolicy(header=header, terminal=terminal)


_WHOLE_VALUE = RegexMatcher(regex="^(.*)$")


def _escape(text: str) -> str:
    r"""A substitution gives `\1` a meaning, so a backslash of the salt is doubled."""
    return text.replace("\\", "\\\\")
