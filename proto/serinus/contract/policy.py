"""Cohort policy as data, and the one function that evaluates it.

The sidecar (data path), `serinus cohort` and the native compilation must give the same answer, so the model and
`evaluate` live here. Pure; headers come in as a lookup, nothing is cached.
"""

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from serinus.contract.bucket import BUCKET_COUNT, key_hash
from serinus.contract.headers import COHORT_EVERYONE, COHORT_NO_KEY

# All values of one header, in order, as bytes without outer blanks; [] when it is absent.
HeaderLookup = Callable[[str], Sequence[bytes]]

# A key longer than this is refused as a key (no_key): Envoy limits all headers together to 60 KiB by default, and
# no user, session or conversation id is near 4 KiB.
KEY_BYTES_MAX = 4096
# What no header value may hold. A cookie or query value may, escaped; as `x-serinus-key` Envoy 1.40 refuses it and
# answers the request with 500 although failures are allowed, so it is no key.
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# More query fields than any API of a model server takes; bounds the parser's work on a hostile path.
QUERY_FIELDS_MAX = 1000


class StickyKind(enum.Enum):
    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class StickySource:
    """Where the sticky key is read. `name` is lower case for a header, and empty for REQUEST (the request id)."""

    kind: StickyKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class CohortRule:
    """A named cohort: one header test and the version it is pinned to ("" while no pin is in force)."""

    name: str
    header: str
    exact: str | None = None
    prefix: str | None = None
    one_of: tuple[str, ...] | None = None
    pin: str = ""


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    service: str
    salt: str
    baseline: str
    sticky: tuple[StickySource, ...]
    cohorts: tuple[CohortRule, ...] = field(default=())
    observe_body: bool = False
    follow_up_ms: int = 0  # how long after its start a request is waited for; 0: the sidecar's own default


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a request belongs. `key_hash` and `bucket` are None without a usable key; `pin` is a version name."""

    cohort: str
    key: bytes | None
    key_hash: int | None
    bucket: int | None
    pin: str | None


def matches(rule: CohortRule, values: Sequence[bytes]) -> bool:
    """Whether a header's values meet a rule. Several values are joined by a comma, as Envoy's matcher does."""
    if not values:
        return False
    value = b",".join(values).decode("utf-8", "surrogateescape")
    if rule.exact is not None:
        return value == rule.exact
    if rule.prefix is not None:
        return value.startswith(rule.prefix)
    return value in (rule.one_of or ())


def sticky_key(sources: Sequence[StickySource], headers: HeaderLookup) -> bytes | None:
    """The first source that gives a usable key, without outer blanks (Envoy trims them off the header it hashes).

    A header that stands twice, and a value that is empty, over-long or cannot stand in a header, give none.
    """
    for source in sources:
        key = (_read_source(source, headers) or b"").strip(b" \t")
        if key and len(key) <= KEY_BYTES_MAX and not _UNSENDABLE.search(key):
            return key
    return None


def _read_source(source: StickySource, headers: HeaderLookup) -> bytes | None:
    match source.kind:
        case StickyKind.HEADER:
            values = headers(source.name)
            return values[0] if len(values) == 1 else None
        case StickyKind.REQUEST:
            values = headers("x-request-id")
            return values[0] if len(values) == 1 else None
        case StickyKind.COOKIE:
            return _cookie(source.name, headers("cookie"))
        case StickyKind.QUERY:
            return _query(source.name, headers(":path"))


def _cookie(name: str, values: Sequence[bytes]) -> bytes | None:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load("; ".join(value.decode("latin-1") for value in values))
    except CookieError:
        return None
    morsel = jar.get(name)
    return morsel.value.encode("latin-1", "ignore") if morsel else None


def _query(name: str, values: Sequence[bytes]) -> bytes | None:
    if len(values) != 1:
        return None
    try:
        fields = parse_qsl(urlsplit(values[0].decode("latin-1")).query, max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        return None
    found = [value for key, value in fields if key == name]
    return found[0].encode("utf-8", "surrogateescape") if len(found) == 1 else None


def evaluate(policy: ServicePolicy, headers: HeaderLookup) -> Assignment:
    """Cohort, key, bucket and pin of one request. First matching cohort wins; the rest are randomised by bucket.

    Without a usable key the request is pinned to the baseline (`no_key`): Envoy's native hash would place it at random.
    """
    key = sticky_key(policy.sticky, headers)
    hashed = key_hash(policy.salt, key) if key is not None else None
    bucket = hashed % BUCKET_COUNT if hashed is not None else None
    for rule in policy.cohorts:
        if matches(rule, headers(rule.header)):
            return Assignment(rule.name, key, hashed, bucket, rule.pin or None)
    if key is None:
        return Assignment(COHORT_NO_KEY, None, None, None, policy.baseline)
    return Assignment(COHORT_EVERYONE, key, hashed, bucket, None)
