"""Alerts of others and answers of a Prometheus hold everything that goes forward; alerts may roll back."""

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.events import AlertsFact, Observed, ProbesFact, QueriesFact
from controlplane.rollout.machine import advance
from controlplane.rollout.model import Baking, Observing, Paused, Phase, Preparing, Publishing, RollingBack
from controlplane.rollout.transition import Action, Transition
from tests.unit.controlplane.rollout.facts import PLAN, T0_MS, right, rollout, without

HOLDS = AlertsFact(firing="alert HighErrors, firing for 60 s")
ROLLS_BACK = AlertsFact(firing=HOLDS.firing, rolling_back=HOLDS.firing)
LATER_MS = T0_MS + 3_600_000


def seen(phase: Phase, alerts: AlertsFact, text: str = PLAN) -> Transition:
    facts = without(right(step_index=0, verdict=Verdict.GOOD_ENOUGH), alerts=alerts)
    return advance(rollout(phase, text=text), Observed(LATER_MS, facts))


@pytest.mark.parametrize("phase", [Preparing(T0_MS), Observing(0, T0_MS, approved_by="ada"), Baking(2, T0_MS)])
def test_while_an_alert_fires_nothing_goes_forward(phase: Phase) -> None:
    free = seen(phase, AlertsFact())
    assert free.state.phase != phase, "it would"
    held = seen(phase, HOLDS)
    assert held.state.phase == phase
    assert (held.decision.action, held.decision.code) == (Action.HOLD, "external_alert")
    assert held.decision.text == "held by alert HighErrors, firing for 60 s"


def test_what_fires_is_unknown_for_a_moment_after_a_start_and_that_holds() -> None:
    held = seen(Preparing(T0_MS), AlertsFact(is_unknown=True))
    assert (held.state.phase, held.decision.code) == (Preparing(T0_MS), "alerts_unknown")


@pytest.mark.parametrize(
    ("queries", "code"),
    [
        (QueriesFact(beyond="query failed is 9, above 5"), "promql"),
        (QueriesFact(missing="query failed has no answer yet"), "promql_missing"),
        (QueriesFact("query failed is 9, above 5", "query served has no answer yet"), "promql"),
    ],
)
def test_a_prometheus_holds_by_what_it_says_and_by_silence_and_never_rolls_back(
    queries: QueriesFact, code: str
) -> None:
    for phase in (Preparing(T0_MS), Observing(0, T0_MS, approved_by="ada"), Baking(2, T0_MS)):
        facts = without(right(step_index=0, verdict=Verdict.GOOD_ENOUGH), queries=queries)
        held = advance(rollout(phase, text=PLAN), Observed(LATER_MS, facts))
        assert held.state.phase == phase
        assert (held.decision.action, held.decision.code) == (Action.HOLD, code)


@pytest.mark.parametrize(
    ("probes", "code", "text"),
    [
        (ProbesFact(down="store is away"), "dependency", "dependency store is away"),
        (ProbesFact(unknown="store was not asked yet"), "dependency_unknown", "dependency store was not asked yet"),
    ],
)
def test_a_dependency_that_holds_does_so_and_never_rolls_back(probes: ProbesFact, code: str, text: str) -> None:
    for phase in (Preparing(T0_MS), Observing(0, T0_MS, approved_by="ada"), Baking(2, T0_MS)):
        facts = without(right(step_index=0, verdict=Verdict.GOOD_ENOUGH), probes=probes)
        held = advance(rollout(phase, text=PLAN), Observed(LATER_MS, facts))
        assert held.state.phase == phase
        assert (held.decision.action, held.decision.code, held.decision.text) == (Action.HOLD, code, text)


def test_a_weight_that_is_on_its_way_arrives() -> None:
    assert isinstance(seen(Publishing(0, T0_MS), HOLDS).state.phase, Observing)


def test_an_operator_who_skips_the_analysis_skips_alerts_too() -> None:
    phase = Observing(0, T0_MS, waived=True)
    assert seen(phase, HOLDS).state.phase != phase


@pytest.mark.parametrize(
    "phase",
    [Publishing(0, T0_MS), Observing(0, T0_MS), Baking(2, T0_MS), Paused(Observing(0, T0_MS), T0_MS, "ada", "")],
)
def test_an_alert_may_roll_back_a_candidate_that_has_users(phase: Phase) -> None:
    back = seen(phase, ROLLS_BACK)
    assert isinstance(back.state.phase, RollingBack)
    assert (back.decision.action, back.decision.code) == (Action.ROLLBACK, "external_alert")
    assert back.decision.text.startswith("rolled back by alert HighErrors, firing for 60 s (at step ")


@pytest.mark.parametrize("phase", [Preparing(T0_MS), Paused(Preparing(T0_MS), T0_MS, "ada", "")])
def test_before_anybody_was_moved_there_is_nothing_to_take_back(phase: Phase) -> None:
    held = seen(phase, ROLLS_BACK)
    assert held.state.phase == phase
    assert held.decision.action is Action.HOLD


def test_the_judge_comes_first() -> None:
    facts = without(right(step_index=0, verdict=Verdict.WORSE), alerts=ROLLS_BACK)
    assert advance(rollout(Observing(0, T0_MS)), Observed(LATER_MS, facts)).decision.code == "worse"
