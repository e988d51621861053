"""What cohort policies read of a request: the sticky key, and the texts that conditions test. Pure; nothing is cached.

Texts are bytes, as they stood on the wire and without outer blanks. A header that stands several times is joined by
commas, as Envoy's matcher does; a query field that stands twice is absent.
"""

import enum
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

# All values of one header, in order, as bytes without outer blanks; empty when it is absent.
HeaderLookup = Callable[[str], Sequence[bytes]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where a lookup keeps the client's address as Envoy told it. No client can send a header of this name: HTTP/2 refuses
# pseudo-headers that it does not define, HTTP/1.1 any name with a colon.
SOURCE = ":source"
PATH = ":path"
METHOD = ":method"

# A key longer than this is refused as a key (no_key): Envoy limits all headers together to 60 KiB by default, and
# no user, session or conversation id is near 4 KiB.
KEY_BYTES_MAX = 4096
# What no header value may hold. A cookie or query value may, escaped; as `x-serinus-key` Envoy 1.40 refuses it and
# answers the request with 500 although failures are allowed, so it is no key.
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# A text of up to 4 KiB that is made of nothing else, and not empty, is a key just as it stands.
PLAIN_KEY_BYTES = bytes([*range(0x21, 0x7F), *range(0x80, 0x100)])
# In a quoted cookie value: an octal escape, or a byte that stands for itself.
_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")
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


def sticky_key(sources: Sequence[StickySource], headers: HeaderLookup) -> bytes | None:
    """The first source that gives a usable key, without outer blanks (Envoy trims them off the header it hashes).

    A header that stands twice, and a value that is empty, over-long or cannot stand in a header, give none.
    """
    for source in sources:
        key = usable_key(_read_source(source, headers) or b"")
        if key is not None:
            return key
    return None


def usable_key(text: bytes) -> bytes | None:
    """A text as a sticky key, if it can be one."""
    key = text.strip(b" \t")
    return key if key and len(key) <= KEY_BYTES_MAX and not _UNSENDABLE.search(key) else None


def _read_source(source: StickySource, headers: HeaderLookup) -> bytes | None:
    match source.kind:
        case StickyKind.HEADER:
            values = headers(source.name)
            return values[0] if len(values) == 1 else None
        case StickyKind.REQUEST:
            values = headers("x-request-id")
            return values[0] if len(values) == 1 else None
        case StickyKind.COOKIE:
            return cookie(source.name, headers)
        case StickyKind.QUERY:
            return query_field(source.name, headers)


def header(name: str, headers: HeaderLookup) -> bytes | None:
    """All values of a header as one text."""
    values = headers(name)
    return b",".join(values) if values else None


def cookie(name: str, headers: HeaderLookup) -> bytes | None:
    return cookies(headers).get(name)


def cookies(headers: HeaderLookup) -> Mapping[str, bytes]:
    """All cookies by name; of one that stands twice the last counts. What cannot be read as cookies gives none."""
    values = headers("cookie")
    if not values:
        return {}
    jar = _Cookies()
    try:
        jar.load("; ".join(value.decode("latin-1") for value in values))
    except CookieError:
        return {}
    return {name: morsel.value.encode("latin-1", "ignore") for name, morsel in jar.items()}


class _Cookies(SimpleCookie):
    """Unquotes in linear time. Python's own way, up to 3.11.9, takes seconds for a value of 60 KB of escapes
    (CVE-2024-7592), and a client may send one."""

    def value_decode(self, val: str) -> tuple[str, str]:
        is_quoted = len(val) >= 2 and val[0] == val[-1] == '"'
        return _ESCAPE.sub(_unescaped, val[1:-1]) if is_quoted else val, val


def _unescaped(escape: re.Match[str]) -> str:
    octal, byte = escape.groups()
    return chr(int(octal, 8)) if octal else str(byte)


def query_field(name: str, headers: HeaderLookup) -> bytes | None:
    return query_fields(headers).get(name)


def query_fields(headers: HeaderLookup) -> Mapping[str, bytes]:
    """The fields of the query by name, unescaped. One without a value, or that stands twice, is absent."""
    values = headers(PATH)
    if len(values) != 1:
        return {}
    try:
        fields = parse_qsl(urlsplit(values[0].decode("latin-1")).query, max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        return {}
    count = Counter(name for name, _ in fields)
    return {name: value.encode("utf-8", "surrogateescape") for name, value in fields if count[name] == 1}


def path(headers: HeaderLookup) -> bytes | None:
    """The path as it was sent (escapes stay), without the query."""
    values = headers(PATH)
    return values[0].partition(b"?")[0] if len(values) == 1 else None


def method(headers: HeaderLookup) -> bytes | None:
    values = headers(METHOD)
    return values[0] if len(values) == 1 else None


def source_address(headers: HeaderLookup) -> Address | None:
    """The client's address, with a port or without. An IPv4 address that came through an IPv6 socket is IPv4."""
    values = headers(SOURCE)
    if len(values) != 1:
        return None
    text = values[0].decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
