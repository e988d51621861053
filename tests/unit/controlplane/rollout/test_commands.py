"""An operator's hand: skip the analysis, abort, begin again. Which phase takes which command is in test_machine.py."""

from dataclasses import replace

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.effects import BeginAttempt, PublishWeight
from controlplane.rollout.events import Abort, Observed, Promote, Retry, RoutingFact
from controlplane.rollout.machine import advance
from controlplane.rollout.model import Aborted, Observing, Phase, Preparing, Promoted, RolledBack, RollingBack
from tests.unit.controlplane.rollout.facts import T0_MS, right, rollout, without

NOW_MS = T0_MS + 60_000
LATER_MS = NOW_MS + 10_000


def test_skip_analysis_goes_to_the_last_step_and_can_still_be_rolled_back() -> None:
    state = rollout(Observing(0, NOW_MS))
    transition = advance(state, Promote(NOW_MS, "ada", "hotfix", skip_analysis=True))
    assert transition.effects == (PublishWeight(10_000),)
    assert transition.decision.text == "promoted without analysis from 10% by ada: hotfix"
    worse = advance(transition.state, Observed(LATER_MS, right(step_index=0, verdict=Verdict.WORSE)))
    assert isinstance(worse.state.phase, RollingBack)
    observing = advance(transition.state, Observed(LATER_MS, without(right(), routing=RoutingFact(0)))).state
    assert isinstance(advance(observing, Observed(LATER_MS, right())).state.phase, Promoted)


def test_an_abort_before_anyone_was_moved_waits_for_nobody() -> None:
    transition = advance(rollout(Preparing(T0_MS)), Abort(LATER_MS, "ada", "wrong build"))
    assert transition.state.phase == Aborted("aborted by ada: wrong build (at step 1 of 3, weight 0%)", LATER_MS)


@pytest.mark.parametrize("end", [RolledBack("worse", NOW_MS), Aborted("aborted by ada", NOW_MS)])
def test_a_rollout_that_was_taken_back_begins_again_from_nothing(end: Phase) -> None:
    state = replace(rollout(end), dry_run_told=("ttft",))
    again = advance(state, Retry(LATER_MS, "ada", "the database is back", "v3"))
    assert again.state == replace(
        state, phase=Preparing(LATER_MS), baseline="v3", started_at_ms=LATER_MS, revision=8, dry_run_told=()
    )
    assert again.effects == (BeginAttempt(), PublishWeight(0))
    assert again.decision.text == "begun again, v2 over v3, by ada: the database is back"
