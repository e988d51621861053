"""When a rollout's hooks run, and what follows from how they ended. Pure: `controlplane.engine.hooks` makes the calls.

The journal has a run before its first call goes out, with a key that stays the same however often the calls are made:
after a crash they are made again (at least once). A `before_*` run that failed holds with its reason until somebody
says retry; an `after_*` run that failed changes nothing but what is said. A rollback waits for no hook.
"""

from dataclasses import replace

from controlplane.rollout.events import HooksEnded, Retry
from controlplane.rollout.gates import Hold
from controlplane.rollout.model import (
    Aborted,
    HookKind,
    HookRun,
    Observing,
    Phase,
    Preparing,
    Promoted,
    RolledBack,
    Rollout,
    hook_run,
    in_place_of,
    next_step_index,
    unpaused,
)
from controlplane.rollout.transition import Action, Decision, IllegalEventError, Transition, holds, moved, said
from serinus.contract.weight import format_bp

WITH_HOOKS = (Preparing, Observing, Promoted, RolledBack, Aborted)


def hook_of(phase: Phase) -> HookRun | None:
    """The run that a phase has begun; of a paused one, of what it has paused."""
    inner = unpaused(phase)
    return inner.hooks if isinstance(inner, WITH_HOOKS) else None


def hook_fault(rollout: Rollout) -> str:
    """What failed after the end, where no hold says it; "" if nothing did."""
    run = hook_of(rollout.phase)
    return run.text if run is not None and run.outcome == "failed" and rollout.is_terminal else ""


def before_hooks(state: Rollout, phase: Preparing | Observing, now_ms: int) -> Transition | None:
    """Everything else is there for the next step. None: so are its hooks."""
    step_index = next_step_index(state.spec, phase)
    if step_index is None:
        return None
    kinds = [HookKind.BEFORE_START, HookKind.BEFORE_STEP] if isinstance(phase, Preparing) else [HookKind.BEFORE_STEP]
    declared = [kind for kind in kinds if state.spec.hooks_of(kind)]
    run = phase.hooks
    if run is not None and run.outcome == "failed":
        return holds(state, Hold("hook_failed", f"{run.text}; next: serinus retry {state.name}, or abort"))
    if run is not None and run.outcome == "running":
        return holds(state, Hold("hook_running", f"waits for the {run.kind} hooks to answer"))
    if run is not None:
        declared = declared[declared.index(run.kind) + 1 :] if run.kind in declared else []
    if not declared:
        return None
    begun = hook_run(state, declared[0], step_index, now_ms)
    text = f"{declared[0]} hooks are called before {format_bp(state.spec.weights_bp[step_index])}"
    return Transition(moved(state, replace(phase, hooks=begun)), (), Decision(Action.HOLD, "hook_started", text))


def hooks_ended(state: Rollout, event: HooksEnded) -> Transition:
    """Only of the run that is under way: what an earlier one has said counts for nothing."""
    run = hook_of(state.phase)
    if run is None or run.key != event.key or run.outcome != "running":
        return holds(state, Hold("hook_stale", "hooks answered that nothing waits for any more"))
    outcome = replace(run, outcome="passed" if event.passed else "failed", text=event.text)
    code = "hook_passed" if event.passed else "hook_failed"
    return Transition(moved(state, _with(state.phase, outcome)), (), Decision(Action.HOLD, code, event.text))


def retry_hooks(state: Rollout, event: Retry) -> Transition:
    """Of a run that failed before a step, under a new key. Raises IllegalEventError where there is none."""
    run = hook_of(state.phase)
    if run is None or run.outcome != "failed" or state.is_terminal:
        raise IllegalEventError(state, event)
    head, _, number = run.key.rpartition("/")
    again = HookRun(run.kind, f"{head}/{int(number) + 1}", event.now_ms)
    text = said(f"{run.kind} hooks called again", event.actor, event.reason)
    decision = Decision(Action.HOLD, "hook_retried", text, event.actor)
    return Transition(moved(state, _with(state.phase, again)), (), decision)


def _with(phase: Phase, run: HookRun) -> Phase:
    inner = unpaused(phase)
    assert isinstance(inner, WITH_HOOKS), "the others have no hooks"
    return in_place_of(phase, replace(inner, hooks=run))
