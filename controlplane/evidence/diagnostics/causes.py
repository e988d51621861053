"""What a drift means, by who drifted from whom. Drift from an earlier reference is no evidence against anybody.

inputs, both arms against the reference: traffic changed, for both alike -> note. Inputs of candidate against baseline:
randomised arms must get alike requests -> routing is in doubt, hold. Outputs of candidate against baseline, inputs
alike: the versions answer differently, which may be meant -> note; the judge says whether it is worse. A value far from
the level but as usual at its hour is the season -> note, and no fault of anybody.
"""

import math
from dataclasses import dataclass

from controlplane.evidence.diagnostics.annotation import Annotation, Cause, Effect, ranked
from controlplane.evidence.diagnostics.drift import Reading
from controlplane.evidence.diagnostics.errors import SettingError
from controlplane.evidence.diagnostics.seasonality import Profile
from controlplane.evidence.diagnostics.series import finite, within

FAR = 3.0  # standard deviations of what the profile leaves over


@dataclass(frozen=True, slots=True)
class DriftReadings:
    """Of one subject, e.g. prompt length. None: not measured."""

    baseline_inputs: Reading | None = None  # against the reference
    candidate_inputs: Reading | None = None  # against the reference
    inputs: Reading | None = None  # candidate against baseline
    outputs: Reading | None = None  # candidate against baseline


def drift_annotations(subject: str, readings: DriftReadings) -> tuple[Annotation, ...]:
    """What the readings say, ranked; nothing where none drifted."""
    found: list[Annotation] = []
    apart = readings.inputs
    if apart is not None and apart.is_drift:
        words = "candidate and baseline get unlike requests: check routing before anything else"
        found.append(_annotation(subject, apart, Cause.INPUTS_DIFFER, Effect.HOLD, words))
    shared = [each for each in (readings.baseline_inputs, readings.candidate_inputs) if each is not None]
    if len(shared) == 2 and all(each.is_drift for each in shared):
        weaker = min(shared, key=lambda each: each.strength)
        words = "requests differ from the reference for both versions: no evidence against the candidate"
        found.append(_annotation(subject, weaker, Cause.BOTH_CHANGED, Effect.NOTE, words))
    answers = readings.outputs
    if answers is not None and answers.is_drift:
        if apart is not None and apart.is_drift:
            words = "answers differ, as the requests do"
        else:
            words = "the versions answer alike requests differently"
        found.append(_annotation(subject, answers, Cause.OUTPUTS_DIFFER, Effect.NOTE, words))
    return ranked(found)


def season_annotation(
    subject: str, profile: Profile, *, at_s: float, value: float, sigma: float, utc_offset_s: int = 0
) -> Annotation | None:
    """Of one value that the profile was not learned from; `sigma`: of the profile's residuals, in the same unit.

    None within 3 sigma of the level, and at an hour that was never seen. Raises SeriesError, SettingError.
    """
    within("sigma", sigma, low=0.0, high=math.inf)
    if sigma == math.inf:
        raise SettingError("sigma is infinite", next_step="give that of the residuals")
    x = float(finite([value], name="value")[0])
    usual = float(profile.expected([at_s], utc_offset_s=utc_offset_s)[0])
    off, rest = abs(x - profile.level) / sigma, abs(x - usual) / sigma
    if off <= FAR or math.isnan(usual):
        return None
    if rest <= FAR:
        words, cause, strength = "far from its level, as usual at this hour", Cause.SEASON, off / FAR
    else:
        words, cause, strength = "far from what is usual, for this hour too", Cause.UNUSUAL, rest / FAR
    sentence = f"{subject}: {words} ({x:.3g}, level {profile.level:.3g}, at this hour {usual:.3g})"
    return Annotation("season", subject, cause, Effect.NOTE, strength, sentence)


def _annotation(subject: str, reading: Reading, cause: Cause, effect: Effect, words: str) -> Annotation:
    numbers = f"{reading.method} {reading.value:.3g} over {reading.limit:.3g}"
    return Annotation(reading.method, subject, cause, effect, reading.strength, f"{subject}: {words} ({numbers})")
