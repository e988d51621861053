"""What alerts from outside may do to a rollout: nothing, unless its plan says so."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from controlplane.manifest.field import Spec, TimerMs, choice

# What was not repeated for so long is forgotten everywhere.
STALE_AFTER_MS_MAX = 7 * 24 * 3_600_000


class OnFiring(StrEnum):
    """What an alert can ask for at most."""

    HOLD = "hold"
    ROLLBACK = "rollback"


def _bounded(value_ms: int) -> int:
    if value_ms > STALE_AFTER_MS_MAX:
        raise ValueError("stale_after is at most 168h: an alert that nobody repeats for a week says nothing any more")
    return value_ms


class Alerts(Spec):
    """`source`: who tells of them. An alert that fires holds, or rolls back where both it and `on_firing` say so."""

    source: Literal["alertmanager"] = Field(default="alertmanager", alias="from")
    on_firing: Annotated[OnFiring, BeforeValidator(lambda v: choice(OnFiring, v))] = OnFiring.HOLD
    # Twice Alertmanager's own repeat_interval of four hours.
    stale_after_ms: Annotated[TimerMs, AfterValidator(_bounded)] = Field(default=8 * 3_600_000, alias="stale_after")
