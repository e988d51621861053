"""A rollout's state in sentences for people. The same words go to the API, the terminal, the log and the report."""

from controlplane.manifest.units import in_time
from controlplane.rollout.model import (
    Aborted,
    Baking,
    Observing,
    Paused,
    Phase,
    Preparing,
    Promoted,
    Publishing,
    Queued,
    RolledBack,
    RollingBack,
    Rollout,
    weight_bp_of,
)
from serinus.contract.weight import format_bp


def state_sentence(rollout: Rollout) -> str:
    """Where the rollout stands."""
    move = f"{rollout.spec.candidate} over {rollout.baseline} in service {rollout.spec.service}"
    return f"Rollout {rollout.name} ({move}) {_phase_words(rollout, rollout.phase)}."


def _phase_words(rollout: Rollout, phase: Phase) -> str:
    steps = rollout.spec.weights_bp
    match phase:
        case Queued(behind=behind):
            return f"waits for the service, queued behind rollout {behind}: nothing of it is in force"
        case Preparing():
            return "prepares: every proxy gets the candidate before any user does"
        case Publishing(step_index=index):
            return f"is putting {format_bp(steps[index])} into force (step {index + 1} of {len(steps)})"
        case Observing(step_index=index):
            return f"observes {format_bp(steps[index])} (step {index + 1} of {len(steps)})"
        case Baking():
            return f"bakes at {format_bp(weight_bp_of(rollout))}: judged on before it counts as promoted"
        case Paused(actor=actor, reason=reason):
            why = f": {reason}" if reason else ""
            return f"was paused at {format_bp(weight_bp_of(rollout))} by {actor}{why}"
        case RollingBack():
            return "is rolling back to 0%"
        case RolledBack(reason=reason):
            return f"was rolled back: {reason}"
        case Aborted(reason=reason):
            return f"ended: {reason}"
        case Promoted():
            return "was promoted: the candidate serves all traffic"


def plan_sentence(rollout: Rollout) -> str:
    """The plan in one sentence."""
    spec = rollout.spec
    steps = " -> ".join(format_bp(step_bp) for step_bp in spec.weights_bp)
    bake = ""
    if spec.bake is not None:
        bake = f" The last is watched for {in_time(spec.bake.for_ms / 1000)} more before it counts as promoted."
    return (
        f"Steps {steps}, each for at least {spec.pace.min_step_ms / 1000:g} s and until the evidence shows that the "
        f"next weight stays within the harm budget of {format_bp(spec.harm_budget_bp)} of all traffic.{bake}"
    )


def guarantee_sentence(rollout: Rollout) -> str:
    """What the two error probabilities promise, in one sentence."""
    confidence = rollout.spec.confidence
    return (
        f"However often anyone looks: a candidate that is no worse is rolled back with probability at most "
        f"{confidence.rollback_alpha:.3g}, and a step is taken that breaks the harm budget with probability at most "
        f"{confidence.advance_alpha:.3g}."
    )
