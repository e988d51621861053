import numpy as np
import pytest

from controlplane.evidence.diagnostics.annotation import Cause, Effect
from controlplane.evidence.diagnostics.causes import DriftReadings, drift_annotations, season_annotation
from controlplane.evidence.diagnostics.drift import Reading
from controlplane.evidence.diagnostics.errors import SeriesError, SettingError
from controlplane.evidence.diagnostics.seasonality import Profile

DRIFT, STILL = Reading("psi", 0.4, 0.1, 0.05), Reading("psi", 0.02, 0.1, 0.05)


def test_drift_of_both_from_the_reference_is_no_evidence_against_the_candidate() -> None:
    """Trap: the training data are of last year; both versions see that."""
    (only,) = drift_annotations("prompt length", DriftReadings(DRIFT, DRIFT, STILL, STILL))
    assert (only.cause, only.effect) == (Cause.BOTH_CHANGED, Effect.NOTE)
    assert "no evidence against the candidate" in only.sentence


def test_unlike_inputs_of_randomised_arms_are_a_routing_fault_and_hold() -> None:
    first, second = drift_annotations("prompt length", DriftReadings(STILL, DRIFT, DRIFT, DRIFT))
    assert (first.cause, first.effect) == (Cause.INPUTS_DIFFER, Effect.HOLD)
    assert (second.cause, second.effect) == (Cause.OUTPUTS_DIFFER, Effect.NOTE)
    assert "as the requests do" in second.sentence


def test_other_answers_to_alike_requests_are_noted_only() -> None:
    (only,) = drift_annotations("answer length", DriftReadings(inputs=STILL, outputs=DRIFT))
    assert (only.cause, only.effect) == (Cause.OUTPUTS_DIFFER, Effect.NOTE)
    assert only.strength == pytest.approx(4.0)
    assert only.sentence.endswith("(psi 0.4 over 0.1)")


@pytest.mark.parametrize("readings", [DriftReadings(), DriftReadings(STILL, STILL, STILL, STILL), DriftReadings(DRIFT)])
def test_what_did_not_drift_or_was_not_measured_says_nothing(readings: DriftReadings) -> None:
    assert drift_annotations("x", readings) == ()


# Three times as busy at noon; nothing was ever seen at 03:00.
NOON, NIGHT, HOUR = 12 * 3_600, 3 * 3_600, 3_600
HOURS = np.where(np.arange(24) == 12, 200.0, np.where(np.arange(24) == 3, np.nan, 0.0))
DAYS = Profile(100.0, HOURS, np.zeros(7), 30)


def test_a_busy_noon_is_the_season_and_no_fault() -> None:
    """Trap: against the level of the whole day each noon is an outlier."""
    noon = season_annotation("requests", DAYS, at_s=NOON, value=305.0, sigma=10.0)
    assert noon is not None
    assert (noon.cause, noon.effect) == (Cause.SEASON, Effect.NOTE)
    assert "as usual at this hour" in noon.sentence


def test_the_same_value_at_another_hour_is_unusual() -> None:
    morning = season_annotation("requests", DAYS, at_s=NOON - HOUR, value=305.0, sigma=10.0)
    assert morning is not None
    assert morning.cause is Cause.UNUSUAL
    assert morning.strength == pytest.approx(20.5 / 3.0)


@pytest.mark.parametrize(("at_s", "value"), [(NOON - HOUR, 120.0), (NIGHT, 305.0)])
def test_what_is_near_the_level_or_at_an_unknown_hour_says_nothing(at_s: int, value: float) -> None:
    assert season_annotation("requests", DAYS, at_s=at_s, value=value, sigma=10.0) is None


def test_without_a_scale_or_a_number_there_is_no_season() -> None:
    for sigma in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError):
            season_annotation("requests", DAYS, at_s=NOON, value=1.0, sigma=sigma)
    with pytest.raises(SeriesError):
        season_annotation("requests", DAYS, at_s=NOON, value=float("nan"), sigma=1.0)
