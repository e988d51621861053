"""An operator's hand on a rollout. Each command is legal in the phases that its function names; elsewhere it raises
`IllegalEventError` and changes nothing. Pure."""

from dataclasses import replace

from controlplane.rollout.effects import BeginAttempt, PublishWeight
from controlplane.rollout.events import Abort, Approve, Pause, Promote, Resume, Retry
from controlplane.rollout.hooks import retry_hooks
from controlplane.rollout.increase import freeze_hold
from controlplane.rollout.model import (
    Aborted,
    Baking,
    Observing,
    Paused,
    Preparing,
    Publishing,
    Queued,
    RolledBack,
    RollingBack,
    Rollout,
    Running,
    in_place_of,
    step_index_of,
    unpaused,
    weight_bp_of,
)
from controlplane.rollout.transition import (
    Action,
    ApprovalError,
    Decision,
    FrozenError,
    IllegalEventError,
    Transition,
    moved,
    roll_back,
    said,
)
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
    phase = unpaused(state.phase)
    if not isinstance(phase, Running):
        raise IllegalEventError(state, event)
    if event.skip_analysis:
        frozen = freeze_hold(state.spec, event.now_ms)
        if frozen is not None and weight_bp_of(state) < state.spec.weights_bp[-1]:
            raise FrozenError(f"rollout {state.name}: {frozen.text}; nothing was changed")
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


def retry(state: Rollout, event: Retry) -> Transition:
    """Of hooks that failed before a step; after RolledBack and Aborted the whole plan begins again, from 0 %. One that
    is queued begins: the caller knows that the service is free."""
    if not isinstance(state.phase, Queued | RolledBack | Aborted):
        return retry_hooks(state, event)
    begun = replace(
        moved(state, Preparing(event.now_ms)),
        baseline=event.baseline or state.baseline,
        started_at_ms=event.now_ms,
        dry_run_told=(),
    )
    begins = "begun" if isinstance(state.phase, Queued) else "begun again"
    text = said(f"{begins}, {begun.spec.candidate} over {begun.baseline},", event.actor, event.reason)
    return Transition(begun, (BeginAttempt(), PublishWeight(0)), Decision(Action.HOLD, "retried", text, event.actor))


def approve(state: Rollout, event: Approve) -> Transition:
    """In Preparing and Observing, also while paused: of the step that comes next, once."""
    phase = unpaused(state.phase)
    if not isinstance(phase, Running):
        raise IllegalEventError(state, event)
    step = format_bp(event.step_bp)
    _check_approval(state, phase, event.step_bp)
    assert isinstance(phase, Preparing | Observing), "no other phase has a step that can be approved"
    to = in_place_of(state.phase, replace(phase, approved_by=event.actor))
    text = said(f"{step} approved", event.actor, event.reason)
    return Transition(moved(state, to), (), Decision(Action.HOLD, "approved", text, event.actor))


def _check_approval(state: Rollout, phase: Running, step_bp: int) -> None:
    """Raises ApprovalError unless that step comes next and waits for it."""
    spec, step = state.spec, format_bp(step_bp)
    if step_bp not in spec.steps_bp or not spec.needs_approval(spec.steps_bp.index(step_bp)):
        steps = ", ".join(format_bp(each) for each in spec.approvals.before) if spec.approvals else "none does"
        raise ApprovalError(f"step {step} of rollout {state.name} needs no approval; those that do: {steps}")
    index = spec.steps_bp.index(step_bp)
    begun = -1 if isinstance(phase, Preparing) else step_index_of(phase)
    by = phase.approved_by if isinstance(phase, Preparing | Observing) and index == begun + 1 else ""
    if by or index <= begun:
        who = f" by {by}" if by else " and has begun"
        raise ApprovalError(f"step {step} of rollout {state.name} is approved{who}: nothing was changed")
    if index > begun + 1 or not isinstance(phase, Preparing | Observing):
        raise ApprovalError(
            f"step {step} of rollout {state.name} does not come next: nothing was changed",
            next_step=f"serinus get rollout {state.name}",
        )


def abort(state: Rollout, event: Abort) -> Transition:
    if state.is_terminal or isinstance(state.phase, RollingBack):
        raise IllegalEventError(state, event)
    reason = said("aborted", event.actor, event.reason)
    if isinstance(state.phase, Queued):
        end = Aborted(f"{reason} (it was queued)", event.now_ms)
        return Transition(moved(state, end), (), Decision(Action.ROLLBACK, "aborted", end.reason, event.actor))
    return roll_back(state, event.now_ms, Decision(Action.ROLLBACK, "aborted", reason, event.actor), aborted=True)
