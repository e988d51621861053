from extproc.cohort.ruling import Ruling, rulings_of, rulings_of_token
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.policy import CohortRule, ServicePolicy, TokenPolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.contract.token import Claims

STICKY = (StickySource(StickyKind.HEADER, "x-user-id"),)
POLICY = ServicePolicy("chat", "r1", "v1", STICKY, tokens=TokenPolicy("testers.key", ("v1", "v2")))
ML = TextTest(Source.HEADER, "x-team", Op.EXACT, ("ml",))


def test_who_meets_no_rule_is_dealt_by_the_weight_and_without_a_key_goes_to_the_baseline() -> None:
    rulings = rulings_of(POLICY, None)
    assert rulings.with_key == Ruling("everyone", None)
    assert rulings.without_key == Ruling("no_key", "v1")


def test_a_rule_that_pins_does_so_with_and_without_a_key() -> None:
    rulings = rulings_of(POLICY, CohortRule("staff", ML, "v2"))
    assert rulings.with_key == rulings.without_key == Ruling("staff", "v2")


def test_a_rule_that_pins_nobody_keeps_those_without_a_key_at_the_baseline() -> None:
    rulings = rulings_of(POLICY, CohortRule("gold", ML))
    assert rulings.with_key == Ruling("gold", None)
    assert rulings.without_key == Ruling("gold", "v1")


def test_a_token_pins_to_its_version() -> None:
    rulings = rulings_of_token(POLICY, Claims("chat", "v2", "ada", 0, 60))
    assert rulings.with_key == rulings.without_key == Ruling("token", "v2")


def test_what_is_made_of_a_ruling_is_no_part_of_it() -> None:
    assert Ruling("everyone", None, plan="a plan") == Ruling("everyone", None)
