"""What a diagnostic may say. There is no word for rollback here, so none of them can ask for one.

An annotation *notes*, or it asks to *hold*: when the data that a decision would rest on is in doubt (arms that get
unlike inputs, values missing on one side). Rolling back needs the judge's evidence, whose error is bounded however
often it is looked at; 3-sigma looked at each second is wrong 233 times a day and series.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.evidence.diagnostics.errors import SettingError


class Effect(enum.StrEnum):
    """All that a diagnostic may want."""

    NOTE = "note"
    HOLD = "hold"


class Cause(enum.StrEnum):
    """What the annotation points at."""

    BOTH_CHANGED = "both_changed"  # traffic or something behind both: no evidence against the candidate
    CANDIDATE_CHANGED = "candidate_changed"
    BASELINE_CHANGED = "baseline_changed"
    INPUTS_DIFFER = "inputs_differ"  # randomised arms get unlike requests: routing
    OUTPUTS_DIFFER = "outputs_differ"
    DATA_MISSING = "data_missing"
    SEASON = "season"  # as at this hour of other days
    UNUSUAL = "unusual"


@dataclass(frozen=True, slots=True)
class Annotation:
    """`strength`: how far past its limit, 1 at the limit: for ranking, without a unit."""

    method: str
    subject: str
    cause: Cause
    effect: Effect
    strength: float
    sentence: str

    def __post_init__(self) -> None:
        if not self.strength >= 0.0:
            raise SettingError(f"strength {self.strength} of {self.method}", next_step="give value / limit, 0 or more")


def ranked(annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """Holds first, then the strongest; equal ones by name, so that the same data reads the same."""
    return tuple(
        sorted(annotations, key=lambda each: (each.effect is Effect.NOTE, -each.strength, each.subject, each.method))
    )
