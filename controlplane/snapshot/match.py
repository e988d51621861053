"""Header matchers and hash policies: the small pieces of a route. Values in, wire messages out."""

import re
from itertools import chain, product
from math import prod

from serinus.contract.condition import AllOf, AnyOf, Condition, Op, Source, TextTest
from serinus.contract.request import METHOD
from serinus.envoywire.route_pb2 import HeaderMatcher, RegexMatchAndSubstitute, RegexMatcher, RouteAction, StringMatcher

# Any of these, all matchers of one together: a route each.
Alternatives = tuple[tuple[HeaderMatcher, ...], ...]
# Routes of one cohort; what needs more is told by the sidecar alone.
ALTERNATIVES_MAX = 16
_NATIVE_OPS = frozenset({Op.EXACT, Op.PREFIX, Op.SUFFIX, Op.IN, Op.PRESENT})


def is_present(name: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, present_match=True)


def is_absent(name: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, present_match=True, invert_match=True)


def equals(name: str, value: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, string_match=StringMatcher(exact=value))


def is_not_empty(name: str) -> HeaderMatcher:
    """An exact test, inverted: the same as the regex `.+` without a regex on every request."""
    return HeaderMatcher(name=name, string_match=StringMatcher(exact=""), invert_match=True)


def native(condition: Condition) -> Alternatives | None:
    """A condition as Envoy itself can tell it, without the sidecar; None where it cannot, or not cheaply.

    Header and method tests and what `all` and `any` make of them. Not in it: what Envoy cannot read alone (cookie,
    query field, sticky key, list, share, time), `not` (an inverted matcher does not hold where the header is absent),
    regular expressions and paths (Envoy's own path has the query in it).
    """
    match condition:
        case TextTest(Source.HEADER | Source.METHOD) if condition.op in _NATIVE_OPS:
            return ((meets(condition),),)
        case AllOf(parts):
            every = [native(part) for part in parts]
            if any(part is None for part in every):
                return None
            known = [part for part in every if part is not None]
            if prod(map(len, known)) > ALTERNATIVES_MAX:
                return None
            return tuple(tuple(chain.from_iterable(choice)) for choice in product(*known))
        case AnyOf(parts):
            either = [native(part) for part in parts]
            joined = tuple(chain.from_iterable(part for part in either if part is not None))
            return joined if None not in either and len(joined) <= ALTERNATIVES_MAX else None
    return None


def meets(test: TextTest) -> HeaderMatcher:
    """The native form of one test of a header or the method. Envoy, too, joins repeated headers by a comma."""
    name = test.name if test.source is Source.HEADER else METHOD
    operand = test.operands[0] if test.operands else ""
    match test.op:
        case Op.EXACT:
            return equals(name, operand)
        case Op.PREFIX if operand:
            return HeaderMatcher(name=name, string_match=StringMatcher(prefix=operand))
        case Op.SUFFIX if operand:
            return HeaderMatcher(name=name, string_match=StringMatcher(suffix=operand))
        case Op.IN:
            regex = RegexMatcher(regex=f"(?:{'|'.join(map(re.escape, test.operands))})")
            return HeaderMatcher(name=name, string_match=StringMatcher(safe_regex=regex))
    # Envoy wants at least one byte of prefix or suffix; the empty one is met by every value.
    return is_present(name)


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
