"""Conditions as alternatives (disjunctive normal form): any of these terms, each a set of tests that hold or do not.

It is how rules are decided together, whatever their shape: see `decision.py`. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from serinus.contract.condition import AllOf, AnyOf, Condition, Not, Op, TextTest

# `all` of several `any` multiplies. Beyond this a rule is tried by itself, as it stands.
TERMS_MAX = 64


@dataclass(frozen=True, slots=True)
class Term:
    """Met when all of `holds` hold and none of `fails` does. Both hold plain tests only."""

    holds: frozenset[Condition] = frozenset()
    fails: frozenset[Condition] = frozenset()


_ALWAYS = Term()


def terms_of(condition: Condition) -> tuple[Term, ...] | None:
    """The alternatives of a condition; none at all: it is never met. None: there are too many."""
    return _terms(condition, is_wanted=True)


def _terms(condition: Condition, *, is_wanted: bool) -> tuple[Term, ...] | None:
    match condition:
        case Not(part):
            return _terms(part, is_wanted=not is_wanted)
        case AllOf(parts) | AnyOf(parts):
            # Of `not any` none is met, of `not all` one is not.
            each = [_terms(part, is_wanted=is_wanted) for part in parts]
            return _every(each) if isinstance(condition, AllOf) is is_wanted else _either(each)
    test = frozenset({_plain(condition)})
    return (Term(holds=test) if is_wanted else Term(fails=test),)


def _plain(test: Condition) -> Condition:
    """Every text that is there begins and ends with nothing."""
    if isinstance(test, TextTest) and test.op in (Op.PREFIX, Op.SUFFIX) and not test.operands[0]:
        return TextTest(test.source, test.name, Op.PRESENT)
    return test


def _either(each: Iterable[tuple[Term, ...] | None]) -> tuple[Term, ...] | None:
    together: dict[Term, None] = {}
    for terms in each:
        if terms is None:
            return None
        together |= dict.fromkeys(terms)
    return tuple(together) if len(together) <= TERMS_MAX else None


def _every(each: Iterable[tuple[Term, ...] | None]) -> tuple[Term, ...] | None:
    together: dict[Term, None] = {_ALWAYS: None}
    for terms in each:
        if terms is None or len(together) * len(terms) > TERMS_MAX:
            return None
        both = (Term(one.holds | other.holds, one.fails | other.fails) for one in together for other in terms)
        together = {term: None for term in both if term.holds.isdisjoint(term.fails)}
    return tuple(together)
