"""What people have put before an increase: approvals and freeze windows."""

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.events import Abort, Approve, Observed, Pause, Promote, Resume
from controlplane.rollout.machine import advance
from controlplane.rollout.model import (
    Aborted,
    Baking,
    Observing,
    Preparing,
    Promoted,
    Publishing,
    RolledBack,
    RollingBack,
    unapproved_bp,
)
from controlplane.rollout.transition import ApprovalError, FrozenError, IllegalEventError
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


# T0 is Tue 2023-11-14 22:13:20 UTC; this window is on for hours around it.
FROZEN = ROLLOUT.replace("  harm_budget", "  freeze: [{cron: '0 18 * * TUE', for: 12h, timezone: UTC}]\n  harm_budget")
OVER_MS = 1_700_028_000_000  # Wed 06:00:00


def test_a_freeze_holds_every_increase_until_its_end() -> None:
    for phase, event in ((Preparing(T0_MS), Observed(NOW_MS, right())), (Observing(0, T0_MS), good(0))):
        held = advance(rollout(phase, text=FROZEN), event)
        assert held.decision.code == "frozen"
        assert held.decision.text == "no increase before Wed 2023-11-15 06:00 UTC: freeze '0 18 * * TUE'"
        assert held.effects == ()
        after = advance(rollout(phase, text=FROZEN), Observed(OVER_MS, event.facts))
        assert isinstance(after.state.phase, Publishing)


def test_a_freeze_holds_no_rollback_and_no_step_that_is_under_way() -> None:
    worse = Observed(LATER_MS, right(step_index=1, verdict=Verdict.WORSE))
    assert isinstance(advance(rollout(Observing(1, NOW_MS), text=FROZEN), worse).state.phase, RollingBack)
    aborted = advance(rollout(Observing(1, NOW_MS), text=FROZEN), Abort(LATER_MS, "ada", ""))
    assert isinstance(aborted.state.phase, RollingBack)
    under_way = advance(rollout(Publishing(1, NOW_MS), text=FROZEN), Observed(LATER_MS, right()))
    assert isinstance(under_way.state.phase, Observing)


def test_a_promotion_that_moves_nobody_is_no_increase_and_one_that_takes_the_holdback_in_is() -> None:
    assert isinstance(advance(rollout(Observing(2, NOW_MS), text=FROZEN), good(2)).state.phase, Promoted)
    baked = FROZEN.replace("  harm_budget", "  bake: {for: 1s}\n  harm_budget")
    assert advance(rollout(Baking(2, NOW_MS), text=baked), good(2)).decision.code == "frozen"
    after = advance(rollout(Baking(2, NOW_MS), text=baked), Observed(OVER_MS, right(step_index=2)))
    assert isinstance(after.state.phase, Promoted)


def test_no_operator_raises_the_weight_in_a_freeze() -> None:
    state = rollout(Observing(0, NOW_MS), text=FROZEN)
    with pytest.raises(FrozenError, match=r"no increase before Wed 2023-11-15 06:00 UTC.*nothing was changed"):
        advance(state, Promote(LATER_MS, "ada", "hotfix", skip_analysis=True))
    moved = advance(state, Promote(OVER_MS, "ada", "hotfix", skip_analysis=True))
    assert isinstance(moved.state.phase, Publishing)


def test_a_clock_that_goes_back_holds_whatever_would_advance_and_no_rollback() -> None:
    for phase in (Preparing(NOW_MS), Publishing(0, NOW_MS), Observing(0, NOW_MS), Baking(2, NOW_MS)):
        state = rollout(phase, text=ROLLOUT.replace("  harm_budget", "  bake: {for: 1s}\n  harm_budget"))
        held = advance(state, Observed(NOW_MS - 5_000, right(step_index=0, verdict=Verdict.GOOD_ENOUGH)))
        assert (held.decision.code, held.state) == ("clock_back", state)
        assert "it is 5 s before this phase began" in held.decision.text
        slewed = advance(state, Observed(NOW_MS - 500, right(step_index=0, verdict=Verdict.GOOD_ENOUGH)))
        assert slewed.decision.code != "clock_back"
        assert isinstance(advance(state, Abort(NOW_MS - 5_000, "ada", "")).state.phase, RollingBack | Aborted)
