"""The rollout machine: `advance(state, event) -> Transition(state, effects, decision)`.

Pure: no clock, no I/O, no logging. Order of the rules is the safety argument and stands in `_observed`:
evidence of worse rolls back first (always possible, also while paused or while a proxy is away); then the deadline;
then every reason to hold; only what survives all of them advances. Missing data holds. An event that a phase does
not know raises `IllegalEventError` and changes nothing.

It does not publish, persist or judge: effects say what the shell must do after it recorded the transition.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from controlplane.errors import SerinusError
from controlplane.evidence.verdict import Verdict
from controlplane.manifest.schema import OnDeadline
from controlplane.rollout.effects import BeginStep, Effect, PublishWeight, SetBaseline
from controlplane.rollout.events import Abort, Event, Facts, Observed, Pause, Promote, Resume
from controlplane.rollout.gates import (
    Hold,
    advance_hold,
    data_hold,
    fleet_hold,
    health_hold,
    routing_hold,
    sidecar_hold,
)
from controlplane.rollout.model import (
    Aborted,
    Observing,
    Paused,
    Preparing,
    Promoted,
    Publishing,
    RolledBack,
    RollingBack,
    Rollout,
    next_weight_bp,
    step_index_of,
    weight_bp_of,
)
from serinus.contract.weight import WEIGHT_TOTAL_BP, format_bp


class Action(StrEnum):
    ADVANCE = "advance"
    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and why; the same sentence goes to the API, the log and the report."""

    action: Action
    code: str
    text: str
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """`state` is the state before, unchanged, when nothing moved."""

    state: Rollout
    effects: tuple[Effect, ...]
    decision: Decision


class IllegalEventError(SerinusError):
    """The rollout's phase does not know this event."""

    code = "illegal_event"

    def __init__(self, rollout: Rollout, event: Event) -> None:
        verb = type(event).__name__.lower()
        super().__init__(
            f"rollout {rollout.name} is {rollout.phase.kind}: cannot {verb} it",
            next_step=f"serinus get rollout {rollout.name}",
        )
        self.phase = rollout.phase
        self.event = event


def advance(state: Rollout, event: Event) -> Transition:
    """One event. Raises IllegalEventError where the phase does not know it."""
    match event:
        case Observed():
            return _observed(state, event)
        case Pause():
            return _pause(state, event)
        case Resume():
            return _resume(state, event)
        case Promote():
            return _promote(state, event)
        case Abort():
            return _abort(state, event)
    assert_never(event)


def _observed(state: Rollout, event: Observed) -> Transition:
    phase, facts, now_ms = state.phase, event.facts, event.now_ms
    if state.is_terminal:
        return _hold(state, Hold("ended", "the rollout has ended"))
    if isinstance(phase, RollingBack):
        return _finish_rollback(state, phase, facts, now_ms)
    if facts.evidence.verdict is Verdict.WORSE and not isinstance(phase, Preparing):
        return _roll_back(state, now_ms, Decision(Action.ROLLBACK, "worse", facts.evidence.sentence))
    if now_ms - state.started_at_ms >= state.spec.pace.deadline_ms:
        if state.spec.pace.on_deadline is OnDeadline.ROLLBACK:
            return _roll_back(state, now_ms, Decision(Action.ROLLBACK, "deadline", "the deadline has passed"))
        return _hold(state, Hold("deadline", "the deadline has passed; next: promote --skip-analysis, or abort"))
    match phase:
        case Paused(actor=actor, reason=reason):
            return _hold(state, Hold("paused", f"paused by {actor}" + (f": {reason}" if reason else "")))
        case Preparing():
            return _prepare(state, phase, facts, now_ms)
        case Publishing():
            return _publish(state, phase, facts, now_ms)
        case Observing():
            return _observe(state, phase, facts, now_ms)
        case _:
            raise IllegalEventError(state, event)


def _prepare(state: Rollout, phase: Preparing, facts: Facts, now_ms: int) -> Transition:
    held = fleet_hold(facts) or sidecar_hold(facts) or health_hold(facts, state.spec.candidate) or data_hold(facts)
    if held:
        return _hold(state, held)
    left_ms = phase.since_ms + state.spec.warm_up_ms - now_ms
    if left_ms > 0:
        return _hold(state, Hold("warm_up", f"warming up {state.spec.candidate}: {-(-left_ms // 1000)} s left"))
    first = format_bp(state.spec.steps_bp[0])
    text = f"{state.spec.candidate} is healthy and every proxy has it: start at {first}"
    return _to_step(state, 0, now_ms, Decision(Action.ADVANCE, "prepared", text))


def _publish(state: Rollout, phase: Publishing, facts: Facts, now_ms: int) -> Transition:
    weight_bp = state.spec.steps_bp[phase.step_index]
    held = fleet_hold(facts)
    if not phase.waived:
        held = held or sidecar_hold(facts) or routing_hold(facts, weight_bp)
    if held:
        return _hold(state, held)
    to = Observing(step_index=phase.step_index, entered_at_ms=now_ms, waived=phase.waived)
    begin = BeginStep(
        step_index=phase.step_index,
        slot=now_ms // 1000,
        weight_bp=weight_bp,
        next_weight_bp=next_weight_bp(state.spec, phase.step_index),
    )
    text = f"{format_bp(weight_bp)} is in force on all {facts.fleet.connected} proxies and the split is right"
    return Transition(_moved(state, to), (begin,), Decision(Action.HOLD, "step_started", text))


def _observe(state: Rollout, phase: Observing, facts: Facts, now_ms: int) -> Transition:
    if not phase.waived:
        held = advance_hold(phase, state.spec, facts, now_ms)
        if held:
            return _hold(state, held)
    following_bp = next_weight_bp(state.spec, phase.step_index)
    if following_bp is None:
        text = f"{state.spec.candidate} serves all traffic: promoted"
        effects: tuple[Effect, ...] = (
            SetBaseline(state.spec.service, state.spec.candidate),
            PublishWeight(WEIGHT_TOTAL_BP),
        )
        return Transition(_moved(state, Promoted(now_ms)), effects, Decision(Action.ADVANCE, "promoted", text))
    text = f"{facts.evidence.sentence}: go to {format_bp(following_bp)}"
    return _to_step(state, phase.step_index + 1, now_ms, Decision(Action.ADVANCE, "good_enough", text))


def _finish_rollback(state: Rollout, phase: RollingBack, facts: Facts, now_ms: int) -> Transition:
    if facts.fleet.connected == 0 or facts.fleet.waiting:
        return _hold(state, fleet_hold(facts) or Hold("rolling_back", "weight 0% is on its way"))
    end = Aborted(phase.reason, now_ms) if phase.aborted else RolledBack(phase.reason, now_ms)
    text = f"weight 0% is in force on all {facts.fleet.connected} proxies"
    return Transition(_moved(state, end), (), Decision(Action.ROLLBACK, end.kind, text))


def _pause(state: Rollout, event: Pause) -> Transition:
    phase = state.phase
    if not isinstance(phase, Preparing | Publishing | Observing):
        raise IllegalEventError(state, event)
    to = Paused(inner=phase, since_ms=event.now_ms, actor=event.actor, reason=event.reason)
    decision = Decision(Action.HOLD, "paused", _said("paused", event.actor, event.reason), event.actor)
    return Transition(_moved(state, to), (), decision)


def _resume(state: Rollout, event: Resume) -> Transition:
    if not isinstance(state.phase, Paused):
        raise IllegalEventError(state, event)
    decision = Decision(Action.HOLD, "resumed", _said("resumed", event.actor, event.reason), event.actor)
    return Transition(_moved(state, state.phase.inner), (), decision)


def _promote(state: Rollout, event: Promote) -> Transition:
    phase = state.phase.inner if isinstance(state.phase, Paused) else state.phase
    if not isinstance(phase, Preparing | Publishing | Observing):
        raise IllegalEventError(state, event)
    if event.skip_analysis:
        last = len(state.spec.steps_bp) - 1
        to = Publishing(step_index=last, since_ms=event.now_ms, waived=True)
        text = _said(f"promoted without analysis from {format_bp(weight_bp_of(state))}", event.actor, event.reason)
        effects = (PublishWeight(state.spec.steps_bp[last]),)
        return Transition(_moved(state, to), effects, Decision(Action.ADVANCE, "skip_analysis", text, event.actor))
    if not isinstance(phase, Observing):
        raise IllegalEventError(state, event)
    decision = Decision(
        Action.HOLD, "dwell_waived", _said("minimum time waived", event.actor, event.reason), event.actor
    )
    return Transition(_moved(state, replace(phase, dwell_waived=True)), (), decision)


def _abort(state: Rollout, event: Abort) -> Transition:
    if state.is_terminal or isinstance(state.phase, RollingBack):
        raise IllegalEventError(state, event)
    reason = _said("aborted", event.actor, event.reason)
    return _roll_back(state, event.now_ms, Decision(Action.ROLLBACK, "aborted", reason, event.actor), aborted=True)


def _roll_back(state: Rollout, now_ms: int, decision: Decision, *, aborted: bool = False) -> Transition:
    step = f"step {step_index_of(state.phase) + 1} of {len(state.spec.steps_bp)}"
    at = f"at {step}, weight {format_bp(weight_bp_of(state))}"
    told = replace(decision, text=f"{decision.text} ({at})")
    if weight_bp_of(state) == 0:
        # Nobody was moved yet: there is nothing to take back and no proxy to wait for.
        end = Aborted(told.text, now_ms) if aborted else RolledBack(told.text, now_ms)
        return Transition(_moved(state, end), (PublishWeight(0),), told)
    to = RollingBack(reason=told.text, aborted=aborted, since_ms=now_ms)
    return Transition(_moved(state, to), (PublishWeight(0),), told)


def _to_step(state: Rollout, step_index: int, now_ms: int, decision: Decision) -> Transition:
    to = Publishing(step_index=step_index, since_ms=now_ms)
    return Transition(_moved(state, to), (PublishWeight(state.spec.steps_bp[step_index]),), decision)


def _moved(state: Rollout, phase: object) -> Rollout:
    return replace(state, phase=phase, revision=state.revision + 1)  # type: ignore[arg-type]


def _hold(state: Rollout, hold: Hold) -> Transition:
    return Transition(state, (), Decision(Action.HOLD, hold.code, hold.text))


def _said(what: str, actor: str, reason: str) -> str:
    return f"{what} by {actor}" + (f": {reason}" if reason else "")
