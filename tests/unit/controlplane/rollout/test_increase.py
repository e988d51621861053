"""What people have put before an increase: approvals."""

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.events import Approve, Observed, Pause, Promote, Resume
from controlplane.rollout.machine import advance
from controlplane.rollout.model import (
    Observing,
    Preparing,
    Publishing,
    RolledBack,
    RollingBack,
    unapproved_bp,
)
from controlplane.rollout.transition import ApprovalError, IllegalEventError
from controlplane.store.journal import decode, encode
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import T0_MS, right, rollout

NOW_MS = T0_MS + 60_000
LATER_MS = NOW_MS + 10_000
MANUAL = ROLLOUT.replace("  harm_budget", "  approvals: {before: [10%, 100%]}\n  harm_budget")


def good(step_index: int) -> Observed:
    return Observed(LATER_MS, right(step_index=step_index, verdict=Verdict.GOOD_ENOUGH))


def yes(step_bp: int) -> Approve:
    return Approve(LATER_MS, "ada", "looks fine", step_bp)


def test_a_step_waits_for_a_person_when_everything_else_is_there() -> None:
    state = rollout(Observing(1, NOW_MS), text=MANUAL)
    held = advance(state, good(1))
    assert held.state is state
    assert held.decision.code == "approval"
    assert held.decision.text == "100% waits for a person; next: serinus approve chat-v2 --step 100%"
    assert advance(state, Observed(LATER_MS, right(step_index=1))).decision.code == "thin_evidence"
    approved = advance(state, yes(10_000))
    assert (approved.decision.text, approved.decision.actor) == ("100% approved by ada: looks fine", "ada")
    assert decode("chat-v2", state.spec, encode(approved.state)) == approved.state
    assert advance(approved.state, good(1)).state.phase == Publishing(2, LATER_MS)


def test_an_approval_in_advance_waives_no_evidence() -> None:
    approved = advance(rollout(Observing(1, NOW_MS), text=MANUAL), yes(10_000)).state
    assert advance(approved, Observed(LATER_MS, right(step_index=1))).decision.code == "thin_evidence"


def test_the_first_step_and_a_paused_rollout_can_be_approved() -> None:
    state = rollout(Preparing(T0_MS), text=MANUAL)
    assert advance(state, Observed(LATER_MS, right())).decision.code == "approval"
    paused = advance(state, Pause(LATER_MS, "bob", "")).state
    approved = advance(advance(paused, yes(1_000)).state, Resume(LATER_MS, "bob", "")).state
    assert approved.phase == Preparing(T0_MS, approved_by="ada")
    assert advance(approved, Observed(LATER_MS, right())).state.phase == Publishing(0, LATER_MS)


def test_a_second_approval_of_a_step_is_refused_and_changes_nothing() -> None:
    """Two people who approve at once approve one step; the second must not meet the step after it."""
    state = advance(rollout(Preparing(T0_MS), text=MANUAL), yes(1_000)).state
    with pytest.raises(ApprovalError, match="step 10% of rollout chat-v2 is approved by ada: nothing was changed"):
        advance(state, yes(1_000))
    for phase in (Publishing(0, NOW_MS), Observing(0, NOW_MS), Observing(1, NOW_MS)):
        with pytest.raises(ApprovalError, match="is approved and has begun"):
            advance(rollout(phase, text=MANUAL), yes(1_000))


def test_only_the_step_that_comes_next_can_be_approved() -> None:
    for phase in (Preparing(T0_MS), Publishing(1, NOW_MS), Observing(0, NOW_MS)):
        with pytest.raises(ApprovalError, match="100% of rollout chat-v2 does not come next: nothing was changed"):
            advance(rollout(phase, text=MANUAL), yes(10_000))
    with pytest.raises(ApprovalError, match="50% of rollout chat-v2 needs no approval; those that do: 10%, 100%"):
        advance(rollout(Observing(0, NOW_MS), text=MANUAL), yes(5_000))
    with pytest.raises(IllegalEventError):
        advance(rollout(RolledBack("worse", NOW_MS), text=MANUAL), yes(10_000))


def test_no_rollback_asks_for_anything() -> None:
    worse = Observed(LATER_MS, right(step_index=1, verdict=Verdict.WORSE))
    assert isinstance(advance(rollout(Observing(1, NOW_MS), text=MANUAL), worse).state.phase, RollingBack)


def test_who_skips_the_analysis_has_approved() -> None:
    state = rollout(Observing(0, NOW_MS), text=MANUAL)
    skipped = advance(state, Promote(LATER_MS, "ada", "hotfix", skip_analysis=True)).state
    assert skipped.phase == Publishing(2, LATER_MS, waived=True)


def test_the_step_that_waits_is_known_to_who_asks() -> None:
    assert unapproved_bp(rollout(Preparing(T0_MS), text=MANUAL)) == 1_000
    assert unapproved_bp(rollout(Observing(0, NOW_MS), text=MANUAL)) == 0
    assert unapproved_bp(rollout(Observing(1, NOW_MS), text=MANUAL)) == 10_000
    assert unapproved_bp(rollout(Observing(1, NOW_MS, approved_by="ada"), text=MANUAL)) == 0
    assert unapproved_bp(rollout(Observing(2, NOW_MS), text=MANUAL)) == 0
