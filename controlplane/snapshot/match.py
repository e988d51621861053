"""Header matchers and hash policies: the small pieces of a route. Values in, wire messages out."""

import re
from functools import lru_cache
from itertools import chain, product
from math import prod

from controlplane.manifest import regex
from serinus.contract.condition import AllOf, AnyOf, Condition, Not, Op, Source, TextTest
from serinus.contract.request import METHOD, PATH
from serinus.envoywire.route_pb2 import HeaderMatcher, RegexMatchAndSubstitute, RegexMatcher, RouteAction, StringMatcher

# Any of these, all matchers of one together: a route each.
Alternatives = tuple[tuple[HeaderMatcher, ...], ...]
# Routes of one cohort; what needs more is told by the sidecar alone.
ALTERNATIVES_MAX = 16
# Envoy refuses a pattern that compiles to more than 100 instructions (runtime re2.max_program_size.error_level), and
# with it all routes of the host. Its RE2 may be of another release than ours: a margin.
PROGRAM_SIZE_MAX = 90
# 16 patterns hold some 200 short values; to find out that a thousand do not fit takes 0.1 s.
VALUES_MAX = 200


def is_present(name: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, present_match=True)


def is_absent(name: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, present_match=True, invert_match=True)


def equals(name: str, value: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, string_match=StringMatcher(exact=value))


def is_not_empty(name: str) -> HeaderMatcher:
    """An exact test, inverted: the same as the regex `.+` without a regex on every request."""
    return HeaderMatcher(name=name, string_match=StringMatcher(exact=""), invert_match=True)


def is_all(name: str, pattern: str) -> HeaderMatcher:
    """The pattern matches the whole value."""
    return HeaderMatcher(name=name, string_match=StringMatcher(safe_regex=RegexMatcher(regex=pattern)))


def denied(matcher: HeaderMatcher) -> HeaderMatcher:
    """Holds where the matcher does not; an absent header counts as an empty one, which must not meet the matcher."""
    opposite = HeaderMatcher()
    opposite.CopyFrom(matcher)
    opposite.invert_match = not matcher.invert_match
    opposite.treat_missing_as_empty = not matcher.HasField("present_match")
    return opposite


def native(condition: Condition, *, negated: bool = False) -> Alternatives | None:
    """A condition as Envoy itself can tell it, without the sidecar; None where it cannot, or not cheaply.

    Tests of headers, the method and the path, and what `all`, `any` and `not` make of them. Not in it: what Envoy
    cannot read alone (cookie, query field, sticky key, list, share, time, address), suffixes and patterns of paths
    (Envoy's own path has the query in it), patterns and lists that are too large.
    """
    match condition:
        case TextTest():
            return _denied(condition) if negated else _met(condition)
        case Not(part):
            return native(part, negated=not negated)
        case AllOf(parts) if not negated:
            return _together([native(part) for part in parts])
        case AnyOf(parts) if negated:
            return _together([native(part, negated=True) for part in parts])
        case AllOf(parts) | AnyOf(parts):
            return _either([native(part, negated=negated) for part in parts])
    return None


def _together(every: list[Alternatives | None]) -> Alternatives | None:
    known = [part for part in every if part is not None]
    if len(known) < len(every) or prod(map(len, known)) > ALTERNATIVES_MAX:
        return None
    return tuple(tuple(chain.from_iterable(choice)) for choice in product(*known))


def _either(any_of: list[Alternatives | None]) -> Alternatives | None:
    joined = tuple(chain.from_iterable(part for part in any_of if part is not None))
    return joined if None not in any_of and len(joined) <= ALTERNATIVES_MAX else None


def _met(test: TextTest) -> Alternatives | None:
    matchers = meets(test)
    return tuple((matcher,) for matcher in matchers) if matchers is not None else None


def _denied(test: TextTest) -> Alternatives | None:
    """None of the matchers holds. An inverted one does not hold where the header is absent, unless told that this is an
    empty value; so a test that an empty value meets cannot be denied.
    """
    matchers = meets(test)
    if matchers is None or (not _takes_any(test) and _is_met_by_empty(test)):
        return None
    return (tuple(map(denied, matchers)),)


def _takes_any(test: TextTest) -> bool:
    return test.op is Op.PRESENT or (test.op in (Op.PREFIX, Op.SUFFIX) and not test.operands[0])


def _is_met_by_empty(test: TextTest) -> bool:
    match test.op:
        case Op.EXACT | Op.IN:
            return "" in test.operands
        case Op.REGEX:
            return regex.matches(test.operands[0], b"")
    return False


def meets(test: TextTest) -> tuple[HeaderMatcher, ...] | None:
    """The native form of one test: any of these. Envoy, too, joins repeated headers by a comma."""
    match test.source:
        case Source.HEADER:
            return _of_value(test, test.name)
        case Source.METHOD:
            return _of_value(test, METHOD)
        case Source.PATH:
            return _of_path(test)
    return None


def _of_value(test: TextTest, name: str) -> tuple[HeaderMatcher, ...] | None:
    # Envoy wants at least one byte of prefix or suffix; the empty one is met by every value.
    if _takes_any(test):
        return (is_present(name),)
    match test.op:
        case Op.EXACT:
            return (equals(name, test.operands[0]),)
        case Op.PREFIX:
            return (HeaderMatcher(name=name, string_match=StringMatcher(prefix=test.operands[0])),)
        case Op.SUFFIX:
            return (HeaderMatcher(name=name, string_match=StringMatcher(suffix=test.operands[0])),)
        case Op.REGEX if regex.program_size(test.operands[0]) <= PROGRAM_SIZE_MAX:
            return (is_all(name, test.operands[0]),)
        case Op.IN if len(test.operands) <= VALUES_MAX:
            return _few(one_of(name, test.operands))
    return None


def _few(matchers: tuple[HeaderMatcher, ...]) -> tuple[HeaderMatcher, ...] | None:
    return matchers if len(matchers) <= ALTERNATIVES_MAX else None


@lru_cache(maxsize=1024)
def one_of(name: str, values: tuple[str, ...]) -> tuple[HeaderMatcher, ...]:
    """The header has one of these values: any of as few matchers as Envoy's bound on patterns allows. Kept: a weight
    step builds the same routes again.
    """
    if len(values) == 1:
        return (equals(name, values[0]),)
    pattern = f"(?:{'|'.join(map(re.escape, values))})"
    if regex.program_size(pattern) <= PROGRAM_SIZE_MAX:
        return (is_all(name, pattern),)
    half = len(values) // 2
    return one_of(name, values[:half]) + one_of(name, values[half:])


def _of_path(test: TextTest) -> tuple[HeaderMatcher, ...] | None:
    """Envoy's `:path` goes on with the query. What a path cannot hold is met by none."""
    operand = test.operands[0] if test.operands else ""
    if _takes_any(test):
        return (is_present(PATH),)
    if test.op not in (Op.EXACT, Op.PREFIX) or "?" in operand or not operand:
        return None
    if test.op is Op.PREFIX:
        return (HeaderMatcher(name=PATH, string_match=StringMatcher(prefix=operand)),)
    with_query = HeaderMatcher(name=PATH, string_match=StringMatcher(prefix=f"{operand}?"))
    return (equals(PATH, operand), with_query)


def hash_by(name: str, *, terminal: bool = False, salt: str | None = None) -> RouteAction.HashPolicy:
    """Hash a header's value, with `salt:` put before it, or as it stands. `terminal`: if present, look no further."""
    header = RouteAction.HashPolicy.Header(header_name=name)
    if salt is not None:
        header.regex_rewrite.CopyFrom(salting(salt))
    return RouteAction.HashPolicy(header=header, terminal=terminal)


def salting(salt: str, pattern: str = "") -> RegexMatchAndSubstitute:
    r"""What the pattern's group finds, with `salt:` before it; without a pattern the whole value.

    The whole is never matched: RE2 reads UTF-8, so `^(.*)$` leaves a value of other bytes as it is, unsalted. A
    substitution gives `\1` a meaning, so a backslash of the salt is doubled.
    """
    escaped = salt.replace("\\", "\\\\")
    found = "\\1" if pattern else ""
    return RegexMatchAndSubstitute(pattern=RegexMatcher(regex=pattern or "^"), substitution=f"{escaped}:{found}")
