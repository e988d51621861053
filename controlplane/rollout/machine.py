"""The rollout machine: `advance(state, event) -> Transition(state, effects, decision)`.

Pure: no clock, no I/O, no logging. Order of the rules is the safety argument and stands in `_observed`:
evidence of worse rolls back first (always possible, also while paused or while a proxy is away), and so do alerts of
others where the plan says so; then the deadline; then every reason to hold; only what survives all of them advances.
Missing data holds. An event that a phase does not know raises `IllegalEventError` and changes nothing.

It does not publish, persist or judge: effects say what the shell must do after it recorded the transition.
"""

from dataclasses import replace
from typing import assert_never

from controlplane.evidence.verdict import Verdict
from controlplane.manifest.schema import OnDeadline
from controlplane.manifest.units import in_time
from controlplane.rollout import commands, hooks
from controlplane.rollout.effects import BeginStep, Effect, PublishWeight, SetBaseline
from controlplane.rollout.events import (
    Abort,
    Approve,
    Event,
    Facts,
    HooksEnded,
    Observed,
    Pause,
    Promote,
    Resume,
    Retry,
)
from controlplane.rollout.gates import (
    Hold,
    advance_hold,
    bake_hold,
    clock_hold,
    data_hold,
    fleet_hold,
    health_hold,
    routing_hold,
    sidecar_hold,
)
from controlplane.rollout.increase import increase_hold, promotion_hold
from controlplane.rollout.model import (
    Baking,
    HookKind,
    Observing,
    Paused,
    Preparing,
    Promoted,
    Publishing,
    Queued,
    RollingBack,
    Rollout,
    after_run,
    next_weight_bp,
    weight_bp_of,
)
from controlplane.rollout.outside import alert_rollback, outside_hold
from controlplane.rollout.transition import (
    Action,
    Decision,
    IllegalEventError,
    Transition,
    holds,
    moved,
    roll_back,
    rolled_back,
    to_step,
)
from serinus.contract.weight import WEIGHT_TOTAL_BP, format_bp


def advance(state: Rollout, event: Event) -> Transition:
    """One event. Raises IllegalEventError where the phase does not know it."""
    match event:
        case Observed():
            return _observed(state, event)
        case Pause():
            return commands.pause(state, event)
        case Resume():
            return commands.resume(state, event)
        case Promote():
            return commands.promote(state, event)
        case Abort():
            return commands.abort(state, event)
        case Approve():
            return commands.approve(state, event)
        case Retry():
            return commands.retry(state, event)
        case HooksEnded():
            return hooks.hooks_ended(state, event)
    assert_never(event)


def _observed(state: Rollout, event: Observed) -> Transition:
    phase, facts, now_ms = state.phase, event.facts, event.now_ms
    if state.is_terminal:
        return holds(state, Hold("ended", "the rollout has ended"))
    if isinstance(phase, Queued):
        return holds(state, Hold("queued", f"waits for the service, which rollout {phase.behind} has"))
    if isinstance(phase, RollingBack):
        return _finish_rollback(state, phase, facts, now_ms)
    if facts.evidence.verdict is Verdict.WORSE and not isinstance(phase, Preparing):
        return roll_back(state, now_ms, Decision(Action.ROLLBACK, "worse", facts.evidence.sentence))
    if weight_bp_of(state) > 0 and (alarmed := alert_rollback(facts.alerts)) is not None:
        return roll_back(state, now_ms, alarmed)
    for metric, sentence in facts.evidence.dry_run_worse:
        if metric not in state.dry_run_told:
            return _told(state, metric, sentence)
    if now_ms - state.started_at_ms >= state.spec.pace.deadline_ms:
        if state.spec.pace.on_deadline is OnDeadline.ROLLBACK:
            return roll_back(state, now_ms, Decision(Action.ROLLBACK, "deadline", "the deadline has passed"))
        return holds(state, Hold("deadline", "the deadline has passed; next: promote --skip-analysis, or abort"))
    return _forward(state, event)


def _forward(state: Rollout, event: Observed) -> Transition:
    """Nothing is against the candidate and there is time left: what each phase waits for."""
    phase, facts, now_ms = state.phase, event.facts, event.now_ms
    if held := clock_hold(phase, now_ms):
        return holds(state, held)
    match phase:
        case Paused(actor=actor, reason=reason):
            return holds(state, Hold("paused", f"paused by {actor}" + (f": {reason}" if reason else "")))
        case Preparing():
            return _prepare(state, phase, facts, now_ms)
        case Publishing():
            return _publish(state, phase, facts, now_ms)
        case Observing():
            return _observe(state, phase, facts, now_ms)
        case Baking():
            return _bake(state, phase, facts, now_ms)
        case _:
            raise IllegalEventError(state, event)


def _told(state: Rollout, metric: str, sentence: str) -> Transition:
    """What a guardrail in a dry run would have done goes into the journal once; nothing else follows from it."""
    told = replace(moved(state, state.phase), dry_run_told=(*state.dry_run_told, metric))
    text = f"dry run: it would have been rolled back now: {sentence}"
    return Transition(told, (), Decision(Action.HOLD, "dry_run_worse", text))


def _prepare(state: Rollout, phase: Preparing, facts: Facts, now_ms: int) -> Transition:
    held = fleet_hold(facts) or sidecar_hold(facts) or health_hold(facts, state.spec.candidate) or data_hold(facts)
    if held := held or outside_hold(facts):
        return holds(state, held)
    left_ms = phase.since_ms + state.spec.warm_up_ms - now_ms
    if left_ms > 0:
        return holds(state, Hold("warm_up", f"warming up {state.spec.candidate}: {-(-left_ms // 1000)} s left"))
    if held := increase_hold(state, phase, now_ms):
        return holds(state, held)
    if called := hooks.before_hooks(state, phase, now_ms):
        return called
    first = format_bp(state.spec.weights_bp[0])
    text = f"{state.spec.candidate} is healthy and every proxy has it: start at {first}"
    return to_step(state, 0, now_ms, Decision(Action.ADVANCE, "prepared", text))


def _publish(state: Rollout, phase: Publishing, facts: Facts, now_ms: int) -> Transition:
    weight_bp = state.spec.weights_bp[phase.step_index]
    held = fleet_hold(facts)
    if not phase.waived:
        held = held or sidecar_hold(facts) or routing_hold(facts, weight_bp)
    if held:
        return holds(state, held)
    to = Observing(step_index=phase.step_index, entered_at_ms=now_ms, waived=phase.waived)
    begin = BeginStep(
        step_index=phase.step_index,
        slot=now_ms // 1000,
        weight_bp=weight_bp,
        next_weight_bp=next_weight_bp(state.spec, phase.step_index),
    )
    text = f"{format_bp(weight_bp)} is in force on all {facts.fleet.connected} proxies and the split is right"
    return Transition(moved(state, to), (begin,), Decision(Action.HOLD, "step_started", text))


def _observe(state: Rollout, phase: Observing, facts: Facts, now_ms: int) -> Transition:
    if not phase.waived:
        held = outside_hold(facts) or advance_hold(phase, state.spec, facts, now_ms)
        if held := held or increase_hold(state, phase, now_ms):
            return holds(state, held)
    following_bp = next_weight_bp(state.spec, phase.step_index)
    if following_bp is None:
        if state.spec.bake is not None and not phase.waived:
            return _to_bake(state, phase, now_ms)
        held = promotion_hold(state, now_ms)
        return holds(state, held) if held else _promoted(state, now_ms)
    if called := hooks.before_hooks(state, phase, now_ms):
        return called
    text = f"{facts.evidence.sentence}: go to {format_bp(following_bp)}"
    return to_step(state, phase.step_index + 1, now_ms, Decision(Action.ADVANCE, "good_enough", text))


def _to_bake(state: Rollout, phase: Observing, now_ms: int) -> Transition:
    bake = state.spec.bake
    assert bake is not None, "asked by the one caller"
    kept = f" against {format_bp(bake.holdback_bp)} held back" if bake.holdback_bp else ""
    text = f"bakes for {in_time(bake.for_ms / 1000)}{kept}: still judged, can still be rolled back"
    to = Baking(step_index=phase.step_index, entered_at_ms=now_ms)
    return Transition(moved(state, to), (), Decision(Action.HOLD, "bake_started", text))


def _bake(state: Rollout, phase: Baking, facts: Facts, now_ms: int) -> Transition:
    held = outside_hold(facts) or bake_hold(phase, state.spec, facts, now_ms) or promotion_hold(state, now_ms)
    return holds(state, held) if held else _promoted(state, now_ms)


def _promoted(state: Rollout, now_ms: int) -> Transition:
    text = f"{state.spec.candidate} serves all traffic: promoted"
    effects: tuple[Effect, ...] = (
        SetBaseline(state.spec.service, state.spec.candidate),
        PublishWeight(WEIGHT_TOTAL_BP),
    )
    end = Promoted(now_ms, after_run(state, HookKind.AFTER_PROMOTE, now_ms))
    return Transition(moved(state, end), effects, Decision(Action.ADVANCE, "promoted", text))


def _finish_rollback(state: Rollout, phase: RollingBack, facts: Facts, now_ms: int) -> Transition:
    if facts.fleet.connected == 0 or facts.fleet.waiting:
        return holds(state, fleet_hold(facts) or Hold("rolling_back", "weight 0% is on its way"))
    end = rolled_back(state, phase.reason, now_ms, aborted=phase.aborted)
    text = f"weight 0% is in force on all {facts.fleet.connected} proxies"
    return Transition(moved(state, end), (), Decision(Action.ROLLBACK, end.kind, text))
