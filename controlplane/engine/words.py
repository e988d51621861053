"""A cohort's condition in words, for people who ask why a request went where it went. Pure."""

from serinus.contract.condition import (
    MINUTES_OF_DAY,
    NAMED_SOURCES,
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
)
from serinus.contract.geo import GeoTest
from serinus.contract.weight import format_bp

# A sentence is read on one line; longer lists are counted.
OPERANDS_SHOWN_MAX = 3
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_VERBS = {
    Op.EXACT: "is",
    Op.PREFIX: "starts with",
    Op.SUFFIX: "ends with",
    Op.IN: "is one of",
    Op.IN_FILE: "is in the list",
    Op.REGEX: "matches",
}


def in_words(condition: Condition) -> str:
    """For example `header x-team is 'ml'`."""
    match condition:
        case TextTest(source, name, Op.PRESENT):
            return f"{_text(source, name)} is there"
        case TextTest(source, name, op, operands):
            return f"{_text(source, name)} {_VERBS[op]} {_some([repr(each) for each in operands])}"
        case ModuloTest(source, name, divisor, remainders):
            return f"{_text(source, name)} modulo {divisor} is {_some([str(each) for each in remainders])}"
        case AddressTest(networks):
            return f"the client's address is in {_some(networks)}"
        case GeoTest(file, countries, continents, regions):
            return f"the client's address is in {_some((*countries, *continents, *regions))} by {file}"
        case TimeTest():
            return _time(condition)
        case ShareTest(share_bp, salt):
            return f"the sticky key is in the first {format_bp(share_bp)} by salt {salt}"
        case AllOf(parts):
            return f"({' and '.join(map(in_words, parts))})"
        case AnyOf(parts):
            return f"({' or '.join(map(in_words, parts))})"
        case Not(part):
            return f"not {in_words(part)}"


def _text(source: Source, name: str) -> str:
    if source in NAMED_SOURCES:
        return f"{source.value} {name}"
    return "sticky key" if source is Source.KEY else source.value


def _some(items: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(items[:OPERANDS_SHOWN_MAX])
    more = len(items) - OPERANDS_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _time(test: TimeTest) -> str:
    parts = []
    if test.after_s is not None:
        parts.append(f"from {test.after_s} s since 1970")
    if test.before_s is not None:
        parts.append(f"before {test.before_s} s since 1970")
    if test.days:
        parts.append(f"on {', '.join(_WEEKDAYS[day] for day in test.days)}")
    if (test.from_minute, test.until_minute) != (0, MINUTES_OF_DAY):
        parts.append(f"from {_clock(test.from_minute)} to {_clock(test.until_minute)} UTC")
    return f"the time is {' '.join(parts)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
