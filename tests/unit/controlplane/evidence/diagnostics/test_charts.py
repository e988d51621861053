import numpy as np
import pytest

from controlplane.evidence.diagnostics.charts import (
    DESIGNS,
    AdaptiveThreshold,
    average_run_length,
    ewma_chart,
    width_of,
)
from controlplane.evidence.diagnostics.errors import SeriesError, SettingError

# NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.4: EWMA_0 = 50, s = 2.0539, lambda = .3.
NIST_DATA = [52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5]
NIST_DATA += [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
NIST_EWMA = [50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33]
NIST_EWMA += [50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99]


def test_the_chart_is_that_of_nists_example() -> None:
    """Limits 52.5884 and 47.4115 in the long run; no point is outside."""
    chart = ewma_chart(NIST_DATA, mean=50.0, sigma=2.0539, smoothing=0.3, width=3.0)
    assert chart.smoothed == pytest.approx(NIST_EWMA, abs=0.006)
    assert chart.high[-1] == pytest.approx(52.5884, abs=2e-3)
    assert chart.low[-1] == pytest.approx(47.4115, abs=2e-3)
    assert not chart.alarms.any()


@pytest.mark.parametrize(("smoothing", "width"), DESIGNS.items())
def test_the_designs_have_one_false_alarm_in_500_points(smoothing: float, width: float) -> None:
    """Lucas & Saccucci 1990, recomputed by Brook & Evans' chain of 101 cells."""
    assert average_run_length(smoothing, width) == pytest.approx(500.0, rel=0.01)
    assert width_of(smoothing) == width


def test_without_smoothing_the_chart_is_three_sigma_with_370_points_between_false_alarms() -> None:
    assert average_run_length(1.0, 3.0) == pytest.approx(370.4, rel=0.002)
    assert average_run_length(1.0, 3.0, shift=1.0) == pytest.approx(43.9, rel=0.01)


def test_a_shift_of_one_sigma_is_found_in_ten_points() -> None:
    """Lucas & Saccucci's table: 10.3 for lambda .1, L 2.814."""
    assert average_run_length(0.1, 2.814, shift=1.0) == pytest.approx(10.3, abs=0.1)


def test_a_width_can_be_had_for_a_day_of_seconds() -> None:
    wide = width_of(0.2, run_length=86_400.0)
    assert average_run_length(0.2, wide) == pytest.approx(86_400.0, rel=0.001)
    assert wide > DESIGNS[0.2]


def test_the_first_points_have_narrower_limits() -> None:
    """Trap: limits of the long run are so wide at the start that an early fault hides."""
    chart = ewma_chart([1.0] * 50, mean=0.0, sigma=1.0, smoothing=0.1)
    assert chart.high[0] == pytest.approx(2.814 * 0.1)
    assert chart.high[-1] == pytest.approx(2.814 * np.sqrt(0.1 / 1.9), rel=1e-3)
    early = ewma_chart([3.0, 3.0], mean=0.0, sigma=1.0, smoothing=0.1)
    assert early.alarms.any()
    assert not (np.abs(early.smoothed) > chart.high[-1]).any()


def test_points_that_depend_on_each_other_alarm_far_more_often() -> None:
    """Trap: run lengths hold for independent points; with an autocorrelation of .7 they are an eighth."""
    prng = np.random.default_rng(1)
    noise = prng.standard_normal(20_000)
    chained = np.empty_like(noise)
    chained[0] = noise[0]
    for index in range(1, len(noise)):
        chained[index] = 0.7 * chained[index - 1] + np.sqrt(1.0 - 0.49) * noise[index]
    alone, together = (
        ewma_chart(series, mean=0.0, sigma=1.0, smoothing=0.1).alarms.mean() for series in (noise, chained)
    )
    assert together > 8.0 * alone


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 0.0), (0.0, -1.0), (0.0, float("nan")), (float("inf"), 1.0)])
def test_without_a_scale_there_is_no_chart(mean: float, sigma: float) -> None:
    with pytest.raises(SeriesError):
        ewma_chart([1.0], mean=mean, sigma=sigma)


def test_bad_settings_and_series_are_refused() -> None:
    for call in (
        lambda: ewma_chart([1.0], mean=0.0, sigma=1.0, smoothing=0.0),
        lambda: ewma_chart([1.0], mean=0.0, sigma=1.0, width=-1.0),
        lambda: width_of(0.2, run_length=1.0),
        lambda: average_run_length(0.2, 9.0),
        lambda: AdaptiveThreshold(warm_up=1),
        lambda: AdaptiveThreshold(frozen_max=0),
        lambda: AdaptiveThreshold(sd_min=-1.0),
        lambda: AdaptiveThreshold(smoothing=2.0),
    ):
        with pytest.raises(SettingError):
            call()
    with pytest.raises(SeriesError):
        ewma_chart([], mean=0.0, sigma=1.0)


def warmed(**settings: float) -> AdaptiveThreshold:
    threshold = AdaptiveThreshold(**settings)  # type: ignore[arg-type]
    for value in np.random.default_rng(2).normal(10.0, 1.0, 200):
        threshold.observe(float(value))
    return threshold


def test_a_threshold_that_alarms_does_not_learn_the_fault() -> None:
    """Trap: an adaptive threshold that goes on learning calls the fault normal after a few points."""
    threshold = warmed()
    readings = [threshold.observe(20.0) for _ in range(100)]
    assert all(reading.is_alarm and reading.is_frozen for reading in readings)
    assert {(reading.low, reading.high) for reading in readings} == {(readings[0].low, readings[0].high)}
    assert not threshold.observe(10.0).is_alarm


def test_a_lasting_change_is_told_and_then_learned_anew() -> None:
    """The trap behind the trap: frozen for ever, it would alarm until the end of days."""
    threshold = warmed(frozen_max=50)
    alarms = [threshold.observe(20.0 + 0.1 * (step % 3)).is_alarm for step in range(200)]
    assert all(alarms[:50])
    assert not any(alarms[50:])


def test_a_threshold_follows_a_slow_change_and_keeps_its_scale() -> None:
    prng = np.random.default_rng(3)
    threshold = AdaptiveThreshold()
    alarms = sum(threshold.observe(10.0 + step / 500.0 + prng.standard_normal()).is_alarm for step in range(5_000))
    assert alarms <= 10


def test_a_series_that_never_moved_raises_no_alarm_without_a_floor_of_its_scale() -> None:
    """Zero variance is a stated no-op; `sd_min` says what a deviation is."""
    still, floored = AdaptiveThreshold(), AdaptiveThreshold(sd_min=0.1)
    for _ in range(100):
        still.observe(0.0)
        floored.observe(0.0)
    assert not still.observe(1.0).is_alarm
    assert floored.observe(1.0).is_alarm
    assert not floored.observe(0.3).is_alarm


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused_and_not_learned(value: float) -> None:
    one, other = warmed(), warmed()
    with pytest.raises(SeriesError):
        one.observe(value)
    assert one.observe(11.0) == other.observe(11.0)
