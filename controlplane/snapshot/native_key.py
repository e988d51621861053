"""The sticky key as Envoy itself can read it: where it stands, and in which requests Envoy and the sidecar agree on it.

The sidecar's reading (`serinus.contract.request`) is the rule. Envoy joins a header that stands twice, unescapes
nothing and knows no quotes; so a request counts as *readable* only if nothing of that kind is in it: then both read the
very same bytes. One that surely has no key for either is *keyless*. About all others the sidecar is asked.

Not seen here: a key of more than 4096 bytes, which the sidecar takes for none (a pattern cannot count so far), and a
query of more than a thousand fields.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.manifest import regex
from controlplane.snapshot.match import PROGRAM_SIZE_MAX, denied, equals, is_all, is_present, salting
from serinus.contract.request import PATH, StickyKind, StickySource
from serinus.envoywire.route_pb2 import HeaderMatcher, RegexMatchAndSubstitute, RouteAction, StringMatcher

_COOKIE = "cookie"
_REQUEST_ID = "x-request-id"
# The key goes into the access log, so what must not be logged is no key for Envoy.
_SECRETS = frozenset({"authorization", "proxy-authorization", _COOKIE})
# Names of cookies that cookie parsers take for attributes.
_ATTRIBUTES = frozenset(
    {"expires", "path", "comment", "domain", "max-age", "secure", "httponly", "version", "samesite", "partitioned"}
)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
# Visible ASCII but the comma, by which Envoy joins. No blank: the access log's line is parted by them.
_PLAIN = r"[!-+\--~]+"
_COOKIE_VALUE = r"[\w.:%+/@~|*!=-]"
_QUERY_VALUE = r"[\w.:/@~|*!-]"
# Name and value, or a name alone, of another field. An escape in a name could spell ours.
_FIELD = r"[^#%&=]*(?:=[^#&]*)?"


class UnreadableKeyError(Exception):
    """Why Envoy cannot read the key, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class NativeKey:
    """`pattern` finds the key in `header` as its group; "": all of it. `readable`, `keyless`: all of these hold.
    `keyless` None: there is always a key.
    """

    header: str
    pattern: str
    readable: tuple[HeaderMatcher, ...]
    keyless: tuple[HeaderMatcher, ...] | None

    def salted(self, salt: str) -> RegexMatchAndSubstitute:
        """What is hashed, and what is logged."""
        return salting(salt, self.pattern)

    def hash_policy(self, salt: str) -> RouteAction.HashPolicy:
        header = RouteAction.HashPolicy.Header(header_name=self.header, regex_rewrite=self.salted(salt))
        return RouteAction.HashPolicy(header=header)


def native_key(sources: Sequence[StickySource]) -> NativeKey:
    """Raises UnreadableKeyError."""
    if len(sources) > 1:
        raise UnreadableKeyError("the sticky key has several sources, which only the sidecar tries in order")
    source = sources[0]
    match source.kind:
        case StickyKind.REQUEST:
            return NativeKey(_REQUEST_ID, "", (is_present(_REQUEST_ID),), None)
        case StickyKind.HEADER:
            return _header(source.name)
        case StickyKind.COOKIE:
            return _within(source, _cookie)
        case StickyKind.QUERY:
            return _within(source, _query)


def _header(name: str) -> NativeKey:
    if name in _SECRETS or name.startswith(":"):
        raise UnreadableKeyError(f"the sticky key is header {name}, which must not be logged")
    empty = equals(name, "")
    empty.treat_missing_as_empty = True
    return NativeKey(name, "", (is_all(name, _PLAIN),), (empty,))


def _within(source: StickySource, read: Callable[[str, str], NativeKey]) -> NativeKey:
    what = f"the sticky key is {source.kind.value} {source.name}"
    if not _NAME.fullmatch(source.name) or (source.kind is StickyKind.COOKIE and source.name.lower() in _ATTRIBUTES):
        raise UnreadableKeyError(f"{what}, a name that Envoy cannot look for safely")
    key = read(source.name, re.escape(source.name))
    patterns = [matcher.string_match.safe_regex.regex for matcher in key.readable]
    if any(regex.program_size(pattern) > PROGRAM_SIZE_MAX for pattern in patterns):
        raise UnreadableKeyError(f"{what}, a name too long for Envoy's patterns")
    return key


def _cookie(name: str, escaped: str) -> NativeKey:
    """All cookies plain, ours once, none before it that parsers take for an attribute and then refuse the whole."""
    other = rf"[\w.-]+={_COOKIE_VALUE}*"
    readable = (
        is_all(_COOKIE, rf"(?:{other}; ?)*{escaped}={_COOKIE_VALUE}+(?:; ?{other})*"),
        denied(is_all(_COOKIE, rf"(?:.*; ?)?{escaped}=.*; ?{escaped}=.*")),
        denied(is_all(_COOKIE, r"(?i)(?:expires|path|comment|domain|max-age)=.*")),
        denied(is_all(_COOKIE, r"(?i)(?:secure|httponly|version|samesite|partitioned)=.*")),
    )
    return NativeKey(_COOKIE, rf"^(?:.*; ?)?{escaped}=([^;]*).*$", readable, (denied(_contains(_COOKIE, name)),))


def _query(name: str, escaped: str) -> NativeKey:
    """Ours once, unescaped, and no escape in a name. A path that begins with two slashes reads as a host to some."""
    path = r"/(?:[^/?#][^?#]*)?\?"
    readable = (
        is_all(PATH, rf"{path}(?:{_FIELD}&)*{escaped}={_QUERY_VALUE}+(?:&{_FIELD})*"),
        denied(is_all(PATH, rf".*[?&]{escaped}=.*&{escaped}=.*")),
    )
    keyless = (denied(_contains(PATH, f"{name}=")), denied(_contains(PATH, "%")))
    return NativeKey(PATH, rf"^[^?]*\?(?:.*&)?{escaped}=([^&]*).*$", readable, keyless)


def _contains(name: str, text: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, string_match=StringMatcher(contains=text))
