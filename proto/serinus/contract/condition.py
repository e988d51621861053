"""The conditions of cohort rules as data, and what they mean: `holds`, the reference that everything else must equal.

Conditions test texts of a request (header, cookie, query field, path, method, sticky key), the client's address, the
time, or the sticky key's place in a salted hash; `AllOf`, `AnyOf` and `Not` combine them. Texts are compared as bytes,
upper and lower case told apart. An absent text meets no test: `Not` of a test holds for it. Pure: time, the regex
engine (which must run in linear time) and the lists read from files are handed in.
"""

import enum
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serinus.contract import request
from serinus.contract.bucket import bucket_of
from serinus.contract.geo import GeoTest, Place, is_there
from serinus.contract.request import Address, HeaderLookup
from serinus.contract.token import Claims

# A rule of more is a program, and no operator reads it; a deep one costs Python a call a level on every request.
CONDITION_DEPTH_MAX = 5
CONDITION_COUNT_MAX = 64
# Longer digits are no user ids (a UUID has 39 as a number), and Python's conversion is quadratic.
MODULO_DIGITS_MAX = 40
REGEX_CHARS_MAX = 1_000
VALUES_MAX = 1_000
MINUTES_OF_DAY = 1_440
_SECONDS_OF_DAY = 86_400
# 1970-01-01 was a Thursday; Monday is 0.
_WEEKDAY_OF_DAY_0 = 3


class Source(enum.Enum):
    """Where a text is read."""

    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"
    PATH = "path"
    METHOD = "method"
    KEY = "key"


class Op(enum.Enum):
    """How a text is tested. IN_FILE: one of the ids of a list that the sidecar holds. REGEX: all of the text."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    IN = "in"
    IN_FILE = "in_file"
    REGEX = "regex"
    PRESENT = "present"


# These sources have a name; the others are one text a request.
NAMED_SOURCES = frozenset({Source.HEADER, Source.COOKIE, Source.QUERY})


@dataclass(frozen=True, slots=True)
class TextTest:
    """`name` is lower case for a header. `operands`: many for IN, none for PRESENT, else one."""

    source: Source
    name: str
    op: Op
    operands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModuloTest:
    """The text is a decimal number, and its remainder by `divisor` is one of these."""

    source: Source
    name: str
    divisor: int
    remainders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AddressTest:
    """The client's address, as Envoy sees it, lies in one of these networks (CIDR)."""

    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimeTest:
    """All that is given holds, in UTC: `after_s <= now < before_s`; the weekday (Monday 0) is one of `days`; the minute
    of the day lies in `[from_minute, until_minute)`, over midnight if `until_minute <= from_minute`.
    """

    after_s: int | None = None
    before_s: int | None = None
    days: tuple[int, ...] = ()
    from_minute: int = 0
    until_minute: int = MINUTES_OF_DAY


@dataclass(frozen=True, slots=True)
class ShareTest:
    """The sticky key is in the first `share_bp` of the 10000 buckets dealt by `salt`. Growing keeps who is in it."""

    share_bp: int
    salt: str


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Condition"


Condition = TextTest | ModuloTest | AddressTest | GeoTest | TimeTest | ShareTest | AllOf | AnyOf | Not


class MissingFileError(Exception):
    """What decides is in a file that is not here: a list of ids, places, keys of tokens."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _no_regex(pattern: str, _text: bytes) -> bool:
    raise LookupError(f"no regex engine was handed in for {pattern!r}")


def _no_list(name: str, _text: bytes) -> bool:
    raise MissingFileError(name)


def _no_places(name: str, _address: Address) -> Place | None:
    raise MissingFileError(name)


def _no_keys(name: str, _token: bytes) -> Claims | None:
    raise MissingFileError(name)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a policy needs beside the request. `regex(pattern, text)`: a full match, in linear time. `in_list`,
    `place_of`, `claims_of` ask the file of the name that they are given; they raise MissingFileError.
    """

    now_s: int = 0
    regex: Callable[[str, bytes], bool] = _no_regex
    in_list: Callable[[str, bytes], bool] = _no_list
    place_of: Callable[[str, Address], Place | None] = _no_places
    claims_of: Callable[[str, bytes], Claims | None] = _no_keys


def holds(condition: Condition, headers: HeaderLookup, key: bytes | None, around: Surroundings) -> bool:
    """Whether a request meets a condition. `key` is its sticky key."""
    match condition:
        case TextTest(source, name):
            text = text_of(source, name, headers, key)
            return text is not None and _meets(condition, text, around)
        case ModuloTest(source, name, divisor, remainders):
            number = number_of(text_of(source, name, headers, key))
            return number is not None and number % divisor in remainders
        case AddressTest(networks):
            address = request.source_address(headers)
            return address is not None and any(address in ipaddress.ip_network(network) for network in networks)
        case GeoTest(file):
            address = request.source_address(headers)
            return address is not None and is_there(condition, around.place_of(file, address))
        case TimeTest():
            return is_within(condition, around.now_s)
        case ShareTest(share_bp, salt):
            return key is not None and bucket_of(salt, key) < share_bp
        case AllOf(parts):
            return all(holds(part, headers, key, around) for part in parts)
        case AnyOf(parts):
            return any(holds(part, headers, key, around) for part in parts)
        case Not(part):
            return not holds(part, headers, key, around)


def text_of(source: Source, name: str, headers: HeaderLookup, key: bytes | None) -> bytes | None:
    """The text that a source gives; None when it is absent."""
    match source:
        case Source.HEADER:
            return request.header(name, headers)
        case Source.COOKIE:
            return request.cookie(name, headers)
        case Source.QUERY:
            return request.query_field(name, headers)
        case Source.PATH:
            return request.path(headers)
        case Source.METHOD:
            return request.method(headers)
        case Source.KEY:
            return key


def _meets(test: TextTest, text: bytes, around: Surroundings) -> bool:
    match test.op:
        case Op.PRESENT:
            return True
        case Op.IN:
            return text in (operand.encode() for operand in test.operands)
        case Op.REGEX:
            return around.regex(test.operands[0], text)
        case Op.IN_FILE:
            return around.in_list(test.operands[0], text)
        case Op.EXACT:
            return text == test.operands[0].encode()
        case Op.PREFIX:
            return text.startswith(test.operands[0].encode())
        case Op.SUFFIX:
            return text.endswith(test.operands[0].encode())


def number_of(text: bytes | None) -> int | None:
    """A text of decimal digits as a number."""
    if text is None or not text.isdigit() or len(text) > MODULO_DIGITS_MAX:
        return None
    return int(text)


def is_within(test: TimeTest, now_s: int) -> bool:
    """Whether a moment lies in a window of time."""
    if test.after_s is not None and now_s < test.after_s:
        return False
    if test.before_s is not None and now_s >= test.before_s:
        return False
    if test.days and (now_s // _SECONDS_OF_DAY + _WEEKDAY_OF_DAY_0) % 7 not in test.days:
        return False
    minute = now_s % _SECONDS_OF_DAY // 60
    if test.from_minute < test.until_minute:
        return test.from_minute <= minute < test.until_minute
    return minute >= test.from_minute or minute < test.until_minute


def every(condition: Condition) -> Iterator[Condition]:
    """The condition and all within it."""
    yield condition
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from every(part)
        case Not(part):
            yield from every(part)


def depth_of(condition: Condition) -> int:
    """1 for a plain test."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return 1 + max(map(depth_of, parts), default=0)
        case Not(part):
            return 1 + depth_of(part)
    return 1


def headers_read(condition: Condition) -> frozenset[str]:
    """The names that must be in the lookup: headers, `:path`, `:method`, `:source`. The sticky key's are not named."""
    names: set[str] = set()
    for each in every(condition):
        match each:
            case AddressTest() | GeoTest():
                names.add(request.SOURCE)
            case TextTest(source, name) | ModuloTest(source, name):
                where = {
                    Source.HEADER: name,
                    Source.COOKIE: "cookie",
                    Source.QUERY: request.PATH,
                    Source.PATH: request.PATH,
                    Source.METHOD: request.METHOD,
                    Source.KEY: "",
                }
                names.add(where[source])
    return frozenset(names - {""})


def headers_denied(condition: Condition) -> frozenset[str]:
    """Of `headers_read`: those that stand under a `Not`, which holds where the name is absent."""
    return frozenset().union(*(headers_read(each.part) for each in every(condition) if isinstance(each, Not)))


def lists_read(condition: Condition) -> frozenset[str]:
    """The names of the list files that a condition needs."""
    tests = (each for each in every(condition) if isinstance(each, TextTest))
    return frozenset(test.operands[0] for test in tests if test.op is Op.IN_FILE)


def places_read(condition: Condition) -> frozenset[str]:
    """The names of the files of places that a condition needs."""
    return frozenset(test.file for test in every(condition) if isinstance(test, GeoTest))
