"""An operator's hand on a rollout. Each command is legal in the phases that its function names; elsewhere it raises
`IllegalEventError` and changes nothing. Pure."""

from dataclasses import replace

from controlplane.rollout.effects import PublishWeight
from controlplane.rollout.events import Abort, Pause, Promote, Resume
from controlplane.rollout.model import (
    Baking,
    Observing,
    Paused,
    Publishing,
    RollingBack,
    Rollout,
    Running,
    weight_bp_of,
)
from controlplane.rollout.transition import Action, Decision, IllegalEventError, Transition, moved, roll_back, said
from serinus.contract.weight import format_bp


def pause(state: Rollout, event: Pause) -> Transition:
    phase = state.phase
    if not isinstance(phase, Running):
        raise IllegalEventError(state, event)
    to = Paused(inner=phase, since_ms=event.now_ms, actor=event.actor, reason=event.reason)
    decision = Decision(Action.HOLD, "paused", said("paused", event.actor, event.reason), event.actor)
    return Transition(moved(state, to), (), decision)


def resume(state: Rollout, event: Resume) -> Transition:
    if not isinstance(state.phase, Paused):
        raise IllegalEventError(state, event)
    decision = Decision(Action.HOLD, "resumed", said("resumed", event.actor, event.reason), event.actor)
    return Transition(moved(state, state.phase.inner), (), decision)


def promote(state: Rollout, event: Promote) -> Transition:
    phase = state.phase.inner if isinstance(state.phase, Paused) else state.phase
    if not isinstance(phase, Running):
        raise IllegalEventError(state, event)
    if event.skip_analysis:
        last = len(state.spec.weights_bp) - 1
        to = Publishing(step_index=last, since_ms=event.now_ms, waived=True)
        text = said(f"promoted without analysis from {format_bp(weight_bp_of(state))}", event.actor, event.reason)
        effects = (PublishWeight(state.spec.weights_bp[last]),)
        return Transition(moved(state, to), effects, Decision(Action.ADVANCE, "skip_analysis", text, event.actor))
    if not isinstance(phase, Observing | Baking):
        raise IllegalEventError(state, event)
    what = "rest of the bake waived" if isinstance(phase, Baking) else "minimum time waived"
    decision = Decision(Action.HOLD, "dwell_waived", said(what, event.actor, event.reason), event.actor)
    return Transition(moved(state, replace(phase, dwell_waived=True)), (), decision)


def abort(state: Rollout, event: Abort) -> Transition:
    if state.is_terminal or isinstance(state.phase, RollingBack):
        raise IllegalEventError(state, event)
    reason = said("aborted", event.actor, event.reason)
    return roll_back(state, event.now_ms, Decision(Action.ROLLBACK, "aborted", reason, event.actor), aborted=True)
