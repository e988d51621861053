"""Conditions as alternatives."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.cohort.terms import TERMS_MAX, Term, terms_of
from serinus.contract.condition import AllOf, AnyOf, Condition, Not, Op, Source, TextTest

A, B, C = (TextTest(Source.HEADER, name, Op.EXACT, ("1",)) for name in "abc")
_conditions: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from([A, B, C]),
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(lambda several: AllOf(tuple(several))),
        st.lists(parts, max_size=3).map(lambda several: AnyOf(tuple(several))),
        parts.map(Not),
    ),
    max_leaves=8,
)


def _holds(condition: Condition, true: set[Condition]) -> bool:
    match condition:
        case AllOf(parts):
            return all(_holds(part, true) for part in parts)
        case AnyOf(parts):
            return any(_holds(part, true) for part in parts)
        case Not(part):
            return not _holds(part, true)
    return condition in true


@settings(max_examples=300)
@given(condition=_conditions)
def test_the_alternatives_hold_when_the_condition_does(condition: Condition) -> None:
    terms = terms_of(condition)
    assert terms is not None
    for chosen in product([True, False], repeat=3):
        true: set[Condition] = {test for test, is_chosen in zip((A, B, C), chosen, strict=True) if is_chosen}
        met = any(term.holds <= true and term.fails.isdisjoint(true) for term in terms)
        assert met == _holds(condition, true)


def test_a_contradiction_has_no_alternative_and_all_of_nothing_is_always_met() -> None:
    assert terms_of(AllOf((A, Not(A)))) == ()
    assert terms_of(AnyOf(())) == ()
    assert terms_of(AllOf(())) == (Term(),)


def test_an_empty_affix_is_met_by_every_text_that_is_there() -> None:
    present = Term(holds=frozenset({TextTest(Source.PATH, "", Op.PRESENT)}))
    assert terms_of(TextTest(Source.PATH, "", Op.PREFIX, ("",))) == (present,)
    assert terms_of(TextTest(Source.PATH, "", Op.SUFFIX, ("",))) == (present,)


def test_too_many_alternatives_are_none() -> None:
    def either(count: int) -> Condition:
        return AnyOf(tuple(TextTest(Source.HEADER, f"h{n}", Op.PRESENT) for n in range(count)))

    assert len(terms_of(either(TERMS_MAX)) or ()) == TERMS_MAX
    assert terms_of(either(TERMS_MAX + 1)) is None
    assert terms_of(AllOf((either(8), Not(AllOf((A, B))), AnyOf((C, B)), either(4)))) is None
