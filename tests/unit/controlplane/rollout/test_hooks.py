"""Hooks, read as a specification: a `before` that says no holds, an `after` only tells, a rollback waits for none."""

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.events import Abort, Event, HooksEnded, Observed, Pause, Promote, Resume, Retry
from controlplane.rollout.hooks import hook_fault, hook_of
from controlplane.rollout.machine import advance
from controlplane.rollout.model import (
    Aborted,
    HookRun,
    Observing,
    Preparing,
    Promoted,
    Publishing,
    RolledBack,
    RollingBack,
    Rollout,
)
from controlplane.rollout.transition import IllegalEventError
from controlplane.store.journal import decode, encode
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import T0_MS, right, rollout

NOW_MS = T0_MS + 60_000
LATER_MS = NOW_MS + 10_000
URL = "[{url: 'http://127.0.0.1:9000/x'}]"
KINDS = ("before_start", "before_step", "after_promote", "after_rollback")
HOOKED = ROLLOUT + f"  hooks: {{{', '.join(f'{kind}: {URL}' for kind in KINDS)}}}\n"
GOOD = Observed(LATER_MS, right(step_index=0, verdict=Verdict.GOOD_ENOUGH))


def run_of(state: Rollout) -> HookRun:
    run = hook_of(state.phase)
    assert run is not None
    return run


def answered(state: Rollout, *, yes: bool, text: str = "answered") -> Rollout:
    return advance(state, HooksEnded(LATER_MS, run_of(state).key, yes, text)).state


def begun() -> Rollout:
    """Everything is there for the second step but its hooks, which are under way."""
    return advance(rollout(Observing(0, NOW_MS), text=HOOKED), GOOD).state


def test_a_run_is_in_the_state_before_anybody_is_called_and_read_back_from_the_journal() -> None:
    transition = advance(rollout(Observing(0, NOW_MS), text=HOOKED), GOOD)
    run = run_of(transition.state)
    assert (run.key, run.outcome) == (f"chat-v2/{T0_MS}/before_step/1/1", "running")
    assert (transition.decision.code, transition.effects) == ("hook_started", ())
    assert decode("chat-v2", transition.state.spec, encode(transition.state)) == transition.state


def test_the_step_begins_when_its_hooks_have_said_yes_and_everything_else_still_holds() -> None:
    state = begun()
    assert advance(state, GOOD).decision.code == "hook_running"
    passed = answered(state, yes=True)
    assert isinstance(passed.phase, Observing)
    thin = advance(passed, Observed(LATER_MS, right(step_index=0)))
    assert thin.decision.code == "thin_evidence"
    assert advance(passed, GOOD).state.phase == Publishing(1, LATER_MS)


def test_no_hook_is_called_before_everything_else_is_there() -> None:
    thin = advance(rollout(Observing(0, NOW_MS), text=HOOKED), Observed(LATER_MS, right(step_index=0)))
    assert thin.decision.code == "thin_evidence"


def test_before_the_first_step_the_start_is_asked_first_and_then_the_step() -> None:
    state, keys = rollout(Preparing(T0_MS), text=HOOKED), []
    while isinstance(state.phase, Preparing):
        state = advance(state, Observed(LATER_MS, right())).state
        if isinstance(state.phase, Preparing):
            keys.append(run_of(state).key)
            state = answered(state, yes=True)
    assert keys == [f"chat-v2/{T0_MS}/before_start/0/1", f"chat-v2/{T0_MS}/before_step/0/1"]
    assert state.phase == Publishing(0, LATER_MS)


def test_a_hook_that_says_no_holds_with_its_reason_until_somebody_says_retry() -> None:
    state = answered(begun(), yes=False, text="before_step hook http://gate/ answered 409: closed")
    held = advance(state, GOOD)
    assert held.state is state
    assert held.decision.code == "hook_failed"
    assert held.decision.text.startswith("before_step hook http://gate/ answered 409: closed; next: serinus retry")
    again = advance(state, Retry(LATER_MS, "ada", "gate is open"))
    assert again.decision.text == "before_step hooks called again by ada: gate is open"
    assert run_of(again.state) == HookRun(run_of(state).kind, f"chat-v2/{T0_MS}/before_step/1/2", LATER_MS)
    assert isinstance(advance(answered(again.state, yes=True), GOOD).state.phase, Publishing)


def test_a_paused_rollout_hears_its_hooks_and_goes_on_where_it_was() -> None:
    paused = advance(begun(), Pause(LATER_MS, "ada", "")).state
    failed = answered(paused, yes=False)
    assert run_of(failed).outcome == "failed"
    again = advance(failed, Retry(LATER_MS, "ada", "")).state
    resumed = advance(answered(again, yes=True), Resume(LATER_MS, "ada", "")).state
    assert isinstance(advance(resumed, GOOD).state.phase, Publishing)


def test_a_rollback_and_an_operator_wait_for_no_hook() -> None:
    worse = Observed(LATER_MS, right(step_index=0, verdict=Verdict.WORSE))
    assert isinstance(advance(begun(), worse).state.phase, RollingBack)
    assert isinstance(advance(begun(), Abort(LATER_MS, "ada", "")).state.phase, RollingBack)
    skipped = advance(begun(), Promote(LATER_MS, "ada", "hotfix", skip_analysis=True)).state
    assert skipped.phase == Publishing(2, LATER_MS, waived=True)


def test_an_answer_that_nothing_waits_for_changes_nothing() -> None:
    state = begun()
    late = HooksEnded(LATER_MS, run_of(state).key, True, "")
    aborted = advance(state, Abort(LATER_MS, "ada", "")).state
    other = HooksEnded(LATER_MS, "chat-v2/1/before_step/1/1", True, "")
    answers: list[tuple[Rollout, Event]] = [(aborted, late), (state, other), (answered(state, yes=False), late)]
    for before, event in answers:
        transition = advance(before, event)
        assert transition.state is before
        assert transition.decision.code == "hook_stale"


@pytest.mark.parametrize(
    ("ended", "kind", "end"),
    [
        (advance(rollout(Observing(2, NOW_MS), text=HOOKED), Observed(LATER_MS, right(step_index=2))), 2, Promoted),
        (advance(rollout(RollingBack("worse", False, NOW_MS), text=HOOKED), GOOD), 3, RolledBack),
        (advance(rollout(RollingBack("no", True, NOW_MS), text=HOOKED), GOOD), 3, Aborted),
        (advance(rollout(Preparing(NOW_MS), text=HOOKED), Abort(LATER_MS, "ada", "")), 3, Aborted),
    ],
)
def test_what_runs_after_the_end_only_tells(ended: object, kind: int, end: type) -> None:
    state = ended.state  # type: ignore[attr-defined]
    assert isinstance(state.phase, end)
    assert run_of(state).kind == KINDS[kind]
    assert hook_fault(state) == ""
    failed = answered(state, yes=False, text="nobody answered")
    assert isinstance(failed.phase, end)
    assert hook_fault(failed) == "nobody answered"
    if end is Promoted:
        with pytest.raises(IllegalEventError):
            advance(failed, Retry(LATER_MS, "ada", ""))
    else:
        assert advance(failed, Retry(LATER_MS, "ada", "")).state.phase == Preparing(LATER_MS)


def test_without_hooks_nothing_runs_and_there_is_nothing_to_retry() -> None:
    moved = advance(rollout(Observing(0, NOW_MS)), GOOD).state
    assert moved.phase == Publishing(1, LATER_MS)
    with pytest.raises(IllegalEventError, match="cannot retry it"):
        advance(rollout(Observing(0, NOW_MS)), Retry(LATER_MS, "ada", ""))
