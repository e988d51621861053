"""A plan that is changed while its rollout runs. Defined for every phase; never a step forward. Pure.

The rollout goes on under the new plan at the highest of its steps that is not above the weight in force, so that a step
that was taken out moves nobody to the candidate; who is paused stays paused. What was judged was judged by the old
plan: the judge begins anew, and so do the step's minimum time, the bake and the deadline. Service and candidate are
what a rollout is: they do not change. While it is taken back, or promoted by hand, there is no plan to change.
"""

from dataclasses import replace

from controlplane.errors import SerinusError
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.model import (
    Observing,
    Preparing,
    Publishing,
    Queued,
    RollingBack,
    Rollout,
    Running,
    in_place_of,
    unpaused,
    weight_bp_of,
)
from serinus.contract.weight import format_bp


class EditError(SerinusError):
    """A change that a running rollout does not take."""

    code = "edit"


# Who is told, and what holds from outside: none of it is in the evidence.
_BESIDE = ("notify", "alerts", "promql")


def is_same_plan(before: RolloutSpec, after: RolloutSpec) -> bool:
    """Whether what is judged, and the way to 100 %, is the same."""
    update = {name: getattr(after, name) for name in _BESIDE}
    return before.model_copy(update=update) == after


def edited(before: Rollout, spec: RolloutSpec, now_ms: int) -> Rollout:
    """The rollout under the new plan. Raises EditError; a rollout that has ended is begun anew, not edited."""
    assert not before.is_terminal, "the caller begins it anew"
    if (spec.service, spec.candidate) != (before.spec.service, before.spec.candidate):
        raise EditError(
            f"rollout {before.name} is running: its service and candidate are fixed", next_step=_abort(before)
        )
    phase = unpaused(before.phase)
    if isinstance(phase, Queued) or is_same_plan(before.spec, spec):
        return replace(before, spec=spec, revision=before.revision + 1)
    if isinstance(phase, RollingBack):
        raise EditError(f"rollout {before.name} is rolling back", next_step="wait until it has, then apply again")
    if isinstance(phase, Publishing | Observing) and phase.waived:
        raise EditError(f"rollout {before.name} is being promoted without analysis", next_step=_abort(before))
    to = in_place_of(before.phase, _place(before, spec, now_ms))
    revision = before.revision + 1
    return replace(before, spec=spec, phase=to, started_at_ms=now_ms, revision=revision, dry_run_told=())


def _place(before: Rollout, spec: RolloutSpec, now_ms: int) -> Running:
    weight_bp = weight_bp_of(before)
    if weight_bp == 0:
        return Preparing(now_ms)
    reached = [index for index, step_bp in enumerate(spec.weights_bp) if step_bp <= weight_bp]
    if not reached:
        raise EditError(
            f"rollout {before.name} stands at {format_bp(weight_bp)}, and the first step of the new plan is above it",
            next_step=f"add a step of at most {format_bp(weight_bp)}, or {_abort(before)}",
        )
    return Publishing(step_index=reached[-1], since_ms=now_ms)


def _abort(rollout: Rollout) -> str:
    return f"serinus abort {rollout.name}, then apply again"
