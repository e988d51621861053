"""What people have put before an increase of the weight. It holds increases only: no rollback ever asks here. Pure."""

from datetime import datetime

from controlplane.manifest.cron import zone_of
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.gates import Hold
from controlplane.rollout.model import Observing, Preparing, Rollout, next_step_index, weight_bp_of
from serinus.contract.weight import WEIGHT_TOTAL_BP, format_bp


def increase_hold(rollout: Rollout, phase: Preparing | Observing, now_ms: int) -> Hold | None:
    """Before the step that would begin now."""
    index = next_step_index(rollout.spec, phase)
    if index is None:
        return None
    return _approval(rollout.name, rollout.spec, index, phase.approved_by) or freeze_hold(rollout.spec, now_ms)


def promotion_hold(rollout: Rollout, now_ms: int) -> Hold | None:
    """Before the end, where those who were held back join; a promotion that moves nobody is no increase."""
    return freeze_hold(rollout.spec, now_ms) if weight_bp_of(rollout) < WEIGHT_TOTAL_BP else None


def freeze_hold(spec: RolloutSpec, now_ms: int) -> Hold | None:
    """The window that ends last, of those in which this moment falls."""
    ends = [(until_ms, window) for window in spec.freeze if (until_ms := window.until_ms(now_ms)) is not None]
    if not ends:
        return None
    until_ms, window = max(ends, key=lambda end: end[0])
    until = datetime.fromtimestamp(until_ms / 1000, zone_of(window.timezone))
    return Hold("frozen", f"no increase before {until:%a %Y-%m-%d %H:%M} {window.timezone}: freeze '{window.cron}'")


def _approval(name: str, spec: RolloutSpec, index: int, approved_by: str) -> Hold | None:
    if not spec.needs_approval(index) or approved_by:
        return None
    step = format_bp(spec.steps_bp[index])
    return Hold("approval", f"{step} waits for a person; next: serinus approve {name} --step {step}")
