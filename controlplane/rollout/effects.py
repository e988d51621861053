"""What is to be done after a transition was recorded. Each effect is harmless when done twice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishWeight:
    """Build and publish the configuration with the rollout's weight as its state now says."""

    weight_bp: int


@dataclass(frozen=True, slots=True)
class BeginStep:
    """Tell the judge that a weight is in force from `slot` on."""

    step_index: int
    slot: int
    weight_bp: int
    next_weight_bp: int | None


@dataclass(frozen=True, slots=True)
class SetBaseline:
    """The candidate is the version in force now."""

    service: str
    version: str


@dataclass(frozen=True, slots=True)
class BeginAttempt:
    """The rollout begins again: evidence of an earlier attempt is none for this one."""


Effect = PublishWeight | BeginStep | SetBaseline | BeginAttempt
