import numpy as np
import pytest

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.diagnostics.smoothing import exponential_decay, exponential_smoothing, holt, moving_average

# NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.1 and 6.4.3.3.
NIST_SINGLE = [71, 70, 69, 68, 64, 65, 72, 78, 75, 75, 75, 70]
NIST_DOUBLE = [6.4, 5.6, 7.8, 8.8, 11.0, 11.6, 16.7, 15.3, 21.6, 22.4]


def test_a_moving_average_is_of_the_last_points_and_of_those_there_are_at_the_start() -> None:
    assert moving_average([1, 2, 3, 4, 5], 3).tolist() == [1.0, 1.5, 2.0, 3.0, 4.0]
    assert moving_average([1, 2], 9).tolist() == [1.0, 1.5]
    assert moving_average([7], 1).tolist() == [7.0]


def test_a_moving_average_never_knows_the_future() -> None:
    """Trap: a centred window shows a fault before it happened."""
    before, after = [0.0] * 10, [1.0] * 10
    assert moving_average([*before, *after], 5)[:10].tolist() == before


def test_an_average_of_shares_weighs_each_second_by_its_requests() -> None:
    """Trap: one failed request in an empty second is no 50 % of a busy minute."""
    shares, requests = [0.01] * 9 + [1.0], [100.0] * 9 + [1.0]
    assert moving_average(shares, 10)[-1] == pytest.approx(0.109)
    assert moving_average(shares, 10, weights=requests)[-1] == pytest.approx(10.0 / 901.0)
    assert np.isnan(moving_average([1.0, 2.0], 1, weights=[0.0, 1.0])[0])


def test_a_huge_value_leaves_nothing_behind_once_it_is_out_of_the_window() -> None:
    """Trap: differences of running sums keep its rounding."""
    assert moving_average([1e17, 1.0, 1.0, 1.0], 2)[-1] == 1.0


def test_single_smoothing_is_that_of_nists_example() -> None:
    """6.4.3.1: alpha .1, S_2 = y_1; the forecasts of points 3 to 12 and the squared errors' sum, 208.94 from rounded ones."""
    forecasts = exponential_smoothing(NIST_SINGLE, 0.1)[:-1]
    expected = [71, 70.9, 70.71, 70.44, 69.80, 69.32, 69.58, 70.43, 70.88, 71.29, 71.67]
    assert forecasts == pytest.approx(expected, abs=0.011)
    assert ((np.array(NIST_SINGLE[1:]) - forecasts) ** 2).sum() == pytest.approx(208.94, abs=0.15)


def test_single_smoothing_lags_behind_a_trend_and_holt_does_not() -> None:
    """Trap: the lag is slope*(1-alpha)/alpha for ever."""
    ramp = 3.0 * np.arange(400)
    assert ramp[-1] - exponential_smoothing(ramp, 0.2)[-1] == pytest.approx(3.0 * 0.8 / 0.2)
    assert ramp[-1] - holt(ramp, alpha=0.2, gamma=0.3).levels[-1] == pytest.approx(0.0, abs=1e-9)


def test_a_gap_forgets_by_its_length() -> None:
    even = exponential_decay([0.0, 1.0, 1.0], [0, 10, 20], time_constant_s=10)
    assert even == pytest.approx(exponential_smoothing([0.0, 1.0, 1.0], 1.0 - np.exp(-1.0)))
    gap = exponential_decay([0.0, 1.0], [0, 1_000], time_constant_s=10)
    assert gap[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("at_s", [[0, 0], [1, 0], [0], [0.0, float("nan")]])
def test_times_that_stand_or_run_back_are_refused(at_s: list[float]) -> None:
    with pytest.raises(SeriesError):
        exponential_decay([1.0, 2.0], at_s, time_constant_s=1.0)


def test_holt_is_that_of_nists_example() -> None:
    """6.4.3.3-6.4.3.4: alpha .3623, gamma 1, b_1 the mean of three differences (.8); forecasts of periods 11 to 15."""
    fit = holt(NIST_DOUBLE, alpha=0.3623, gamma=1.0)
    assert fit.trends[0] == pytest.approx(0.8)
    assert fit.forecasts[1] == pytest.approx(7.2)
    assert fit.forecast(5) == pytest.approx([25.8, 28.7, 31.7, 34.6, 37.6], abs=0.06)


def test_an_undamped_trend_leaves_every_bound_and_a_damped_one_settles() -> None:
    """Trap: a share that rises for a minute would be above 1 within the hour."""
    shares = np.linspace(0.01, 0.30, 60)
    assert holt(shares, alpha=0.3, gamma=0.3).forecast(3_600)[-1] > 1.0
    damped = holt(shares, alpha=0.3, gamma=0.3, damping=0.9)
    assert damped.forecast(3_600)[-1] == pytest.approx(damped.levels[-1] + 9.0 * damped.trends[-1])
    assert damped.forecast(3_600)[-1] < 0.5


def test_a_straight_line_is_forecast_exactly_and_a_constant_stays() -> None:
    assert holt([1, 2, 3, 4], alpha=0.5, gamma=0.5).forecast(2) == pytest.approx([5.0, 6.0])
    assert holt([4.0] * 5, alpha=0.5, gamma=0.5).forecast(3).tolist() == [4.0] * 3
    assert exponential_smoothing([4.0] * 5, 0.3).tolist() == [4.0] * 5


@pytest.mark.parametrize("values", [[], [float("nan"), 1.0, 1.0, 1.0], [float("inf")] * 4])
def test_bad_series_are_refused(values: list[float]) -> None:
    for call in (
        lambda: moving_average(values, 2),
        lambda: exponential_smoothing(values, 0.5),
        lambda: holt(values, alpha=0.5, gamma=0.5),
    ):
        with pytest.raises(SeriesError):
            call()


def test_bad_settings_are_refused() -> None:
    for call in (
        lambda: moving_average([1.0], 0),
        lambda: exponential_smoothing([1.0], 0.0),
        lambda: exponential_smoothing([1.0], 1.1),
        lambda: holt([1, 2, 3, 4], alpha=0.5, gamma=0.0),
        lambda: holt([1, 2, 3, 4], alpha=0.5, gamma=0.5, damping=1.5),
        lambda: holt([1, 2, 3, 4], alpha=0.5, gamma=0.5).forecast(0),
        lambda: exponential_decay([1.0], [0.0], time_constant_s=0.0),
    ):
        with pytest.raises(SettingError):
            call()


def test_lengths_signs_and_too_few_points_are_refused() -> None:
    with pytest.raises(SeriesError):
        moving_average([1.0, 2.0], 2, weights=[1.0])
    with pytest.raises(SeriesError):
        moving_average([1.0, 2.0], 2, weights=[1.0, -1.0])
    with pytest.raises(SeriesError):
        exponential_smoothing([1.0], 0.5, start=float("nan"))
    with pytest.raises(TooFewError):
        holt([1, 2, 3], alpha=0.5, gamma=0.5)
