"""The compiled policy gives the answer of the contract's `evaluate`, whatever the policy and the request."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.cohort import regex
from extproc.cohort.decision import CompiledPolicy
from extproc.cohort.errors import BadFileError
from serinus.contract.condition import AllOf, Not, Op, ShareTest, Source, Surroundings, TextTest
from serinus.contract.policy import CohortRule, ServicePolicy, evaluate
from tests.unit.extproc.cohort.drawn_policies import FILES, IDS, PLACES, POLICIES, REQUESTS, STICKY


@settings(deadline=None, max_examples=500)
@given(policy=POLICIES, values=REQUESTS, now_s=st.integers(0, 2_000_000))
def test_compiled_and_reference_agree(policy: ServicePolicy, values: Mapping[str, Sequence[bytes]], now_s: int) -> None:
    around = Surroundings(
        now_s,
        regex.matches,
        lambda _, text: text.decode("utf-8", "replace") in IDS,
        lambda _, address: PLACES.of(address),
    )
    expected = evaluate(policy, lambda name: values.get(name, ()), around)
    assert CompiledPolicy(policy, FILES).evaluate(values, now_s) == expected


def test_the_first_rule_that_is_met_wins_however_it_is_found() -> None:
    """Rule 0 is tried, rule 1 looked up with something that remains, rule 2 looked up."""
    present = TextTest(Source.HEADER, "h1", Op.PRESENT)
    rules = (
        CohortRule("tried", Not(present)),
        CohortRule("remains", AllOf((TextTest(Source.HEADER, "h1", Op.EXACT, ("a",)), ShareTest(10_000, "s")))),
        CohortRule("sure", TextTest(Source.HEADER, "h1", Op.PREFIX, ("a",))),
    )
    policy = CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, rules))
    assert policy.evaluate({"x-user": [b"u"]}, 0).cohort == "tried"
    assert policy.evaluate({"x-user": [b"u"], "h1": [b"a"]}, 0).cohort == "remains"
    assert policy.evaluate({"h1": [b"a"]}, 0).cohort == "sure", "without a key there is no share"
    assert policy.evaluate({"x-user": [b"u"], "h1": [b"b"]}, 0).cohort == "everyone"


def test_a_policy_whose_list_is_not_loaded_is_not_compiled() -> None:
    rule = CohortRule("gold", TextTest(Source.KEY, "", Op.IN_FILE, ("ids",)))
    with pytest.raises(BadFileError, match="'ids' is not loaded"):
        CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, (rule,)))
