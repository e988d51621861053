"""The bake, read as a specification: watched on after the last step, against users who are held back."""

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.effects import BeginStep, PublishWeight, SetBaseline
from controlplane.rollout.events import Abort, DataFact, Facts, FleetFact, HealthFact, Observed, Promote, SidecarFact
from controlplane.rollout.explain import plan_sentence, state_sentence
from controlplane.rollout.machine import advance
from controlplane.rollout.model import Baking, Observing, Promoted, Publishing, RollingBack, Rollout, weight_bp_of
from controlplane.store.journal import decode, encode
from tests.unit.controlplane.rollout.facts import PLAN, T0_MS, right, rollout, without

NOW_MS = T0_MS + 60_000
END_MS = NOW_MS + 600_000
ALL_RIGHT = right(step_index=2)


def baking() -> Rollout:
    return rollout(Baking(2, NOW_MS), text=PLAN)


def test_the_last_step_leaves_the_holdback_on_the_baseline_and_ends_in_the_bake() -> None:
    started = advance(rollout(Publishing(2, NOW_MS), text=PLAN), Observed(NOW_MS, ALL_RIGHT))
    assert started.effects == (BeginStep(2, NOW_MS // 1000, 9900, None),)
    held = advance(started.state, Observed(NOW_MS + 4_999, ALL_RIGHT))
    assert held.decision.code == "min_step"
    moved = advance(started.state, Observed(NOW_MS + 5_000, ALL_RIGHT))
    assert (moved.state.phase, moved.effects) == (Baking(2, NOW_MS + 5_000), ())
    assert moved.decision.text == "bakes for 10 min against 1% held back: still judged, can still be rolled back"
    assert weight_bp_of(moved.state) == 9900


def test_it_is_promoted_when_the_time_is_over_and_not_before() -> None:
    held = advance(baking(), Observed(END_MS - 1, ALL_RIGHT))
    assert (held.decision.code, held.decision.text) == ("bake", "bakes: 1 s left, no evidence that v2 is worse")
    ended = advance(baking(), Observed(END_MS, ALL_RIGHT))
    assert ended.state.phase == Promoted(END_MS)
    assert ended.effects == (SetBaseline("chat", "v2"), PublishWeight(10_000))


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (without(ALL_RIGHT, fleet=FleetFact(0)), "no_proxy"),
        (without(ALL_RIGHT, sidecars=SidecarFact(0)), "no_sidecar"),
        (without(ALL_RIGHT, data=DataFact(30, 900, 100, 900, 0)), "untagged_requests"),
        (without(ALL_RIGHT, health=HealthFact((("edge-1", 0, 1),))), "candidate_unhealthy"),
    ],
)
def test_what_nobody_saw_did_not_bake(facts: Facts, code: str) -> None:
    held = advance(baking(), Observed(END_MS, facts))
    assert (held.decision.code, held.effects) == (code, ())


def test_evidence_of_worse_and_an_operator_still_roll_it_back() -> None:
    worse = advance(baking(), Observed(END_MS, right(step_index=2, verdict=Verdict.WORSE)))
    assert isinstance(worse.state.phase, RollingBack)
    assert worse.effects == (PublishWeight(0),)
    assert isinstance(advance(baking(), Abort(END_MS, "ada", "")).state.phase, RollingBack)


def test_promote_waives_the_rest_of_the_time_but_no_fault() -> None:
    waived = advance(baking(), Promote(NOW_MS, "ada", "seen enough", skip_analysis=False))
    assert waived.decision.text == "rest of the bake waived by ada: seen enough"
    assert advance(waived.state, Observed(NOW_MS, without(ALL_RIGHT, fleet=FleetFact(0)))).decision.code == "no_proxy"
    assert isinstance(advance(waived.state, Observed(NOW_MS, ALL_RIGHT)).state.phase, Promoted)


def test_who_skips_the_analysis_skips_the_bake() -> None:
    state = advance(baking(), Promote(NOW_MS, "ada", "hotfix", skip_analysis=True)).state
    observing = advance(state, Observed(NOW_MS, ALL_RIGHT)).state
    assert isinstance(observing.phase, Observing)
    assert isinstance(advance(observing, Observed(NOW_MS, ALL_RIGHT)).state.phase, Promoted)


def test_a_bake_is_read_back_from_the_journal_and_said_to_people() -> None:
    state = baking()
    assert decode("chat-v2", state.spec, encode(state)) == state
    assert "bakes at 99%" in state_sentence(state)
    assert "10% -> 50% -> 99%" in plan_sentence(state)
    assert "watched for 10 min more" in plan_sentence(state)
