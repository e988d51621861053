"""What people have put before an increase of the weight. It holds increases only: no rollback ever asks here. Pure."""

from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.gates import Hold
from controlplane.rollout.model import Observing, Preparing, Rollout, next_step_index
from serinus.contract.weight import format_bp


def increase_hold(rollout: Rollout, phase: Preparing | Observing) -> Hold | None:
    """Before the step that would begin now."""
    index = next_step_index(rollout.spec, phase)
    if index is None:
        return None
    return _approval(rollout.name, rollout.spec, index, phase.approved_by)


def _approval(name: str, spec: RolloutSpec, index: int, approved_by: str) -> Hold | None:
    if not spec.needs_approval(index) or approved_by:
        return None
    step = format_bp(spec.steps_bp[index])
    return Hold("approval", f"{step} waits for a person; next: serinus approve {name} --step {step}")
