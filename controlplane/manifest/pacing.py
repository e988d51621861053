"""What keeps a rollout from going on besides the judge's evidence: a bake, approvals, doubts; and how sure is sure."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from controlplane.manifest.field import PercentBp, Spec, TimerMs, as_tuple


class Bake(Spec):
    """The watch after the last step: `for` this long `holdback` of the users stay on the baseline, to compare with."""

    for_ms: TimerMs = Field(alias="for")
    holdback_bp: PercentBp = Field(default=100, alias="holdback")


class Approvals(Spec):
    """The steps that begin only after a person has approved them."""

    before: Annotated[tuple[PercentBp, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=100)]


def _alpha(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-6 <= value <= 0.5:
        raise ValueError(f"{value!r} is not an error probability between 0.000001 and 0.5")
    return float(value)


class Confidence(Spec):
    rollback_alpha: Annotated[float, BeforeValidator(_alpha)] = 0.01
    advance_alpha: Annotated[float, BeforeValidator(_alpha)] = 0.05


class WhenBusy(StrEnum):
    """What a rollout does whose service has another."""

    REFUSE = "refuse"
    QUEUE = "queue"


class Diagnostics(Spec):
    """`hold`: no step ends while a diagnostic doubts the data that it would end on. They never take a step back."""

    hold: bool = False
