import numpy as np
import pytest
from scipy.stats import linregress

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.diagnostics.forecast import fit_autoregression

NAN = float("nan")


def series(prng: np.random.Generator, n: int, *, phi: float, beta: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    x, y = prng.standard_normal(n), np.zeros(n)
    for t in range(1, n):
        y[t] = 2.0 + phi * y[t - 1] + beta * x[t] + 0.5 * prng.standard_normal()
    return y, x


def test_without_a_driver_it_is_the_regression_on_the_point_before() -> None:
    y, _ = series(np.random.default_rng(1), 300, phi=0.6)
    fit, expected = fit_autoregression(y), linregress(y[:-1], y[1:])
    assert fit.coefficients == pytest.approx([expected.intercept, expected.slope])
    assert fit.is_stationary


def test_with_a_driver_all_three_coefficients_are_found() -> None:
    y, x = series(np.random.default_rng(2), 5_000, phi=0.6, beta=3.0)
    fit = fit_autoregression(y, x)
    assert fit.coefficients == pytest.approx([2.0, 0.6, 3.0], abs=0.05)
    assert fit.sigma == pytest.approx(0.5, abs=0.02)


def test_a_line_without_noise_is_forecast_exactly() -> None:
    y = [1.0]
    for _ in range(30):
        y.append(0.5 + 0.9 * y[-1])
    fit = fit_autoregression(y)
    assert fit.forecast(y[-1], 2) == pytest.approx([0.5 + 0.9 * y[-1], 0.5 + 0.9 * (0.5 + 0.9 * y[-1])])


def test_the_interval_holds_its_rate_on_points_that_were_not_fitted() -> None:
    """Trap: residuals of the fitted points are too small; few points make the interval wider, not wrong."""
    prng = np.random.default_rng(3)
    outside = []
    for _ in range(600):
        y, x = series(prng, 25, phi=0.5, beta=1.0)
        prediction = fit_autoregression(y[:-1], x[:-1]).predict(float(y[-2]), float(x[-1]), alpha=0.1)
        outside.append(not prediction.low <= y[-1] <= prediction.high)
    assert np.mean(outside) <= 0.14


def test_a_busier_second_is_no_fault_once_load_is_the_driver() -> None:
    """Trap: without x_t the rise that load explains looks like a fault."""
    y, x = series(np.random.default_rng(4), 200, phi=0.3, beta=5.0)
    x[100:] *= 0.2
    y, busy = y.copy(), 6.0
    for t in range(1, 200):
        y[t] = 2.0 + 0.3 * y[t - 1] + 5.0 * 0.05 * x[t] + 0.1 * np.random.default_rng(t).standard_normal()
    then = 2.0 + 0.3 * y[-1] + 5.0 * 0.05 * busy
    assert fit_autoregression(y).p_value(float(y[-1]), then) < 1e-3
    assert fit_autoregression(y, x).p_value(float(y[-1]), then, busy) > 0.01


def test_a_pair_of_points_across_a_gap_is_no_step_of_one() -> None:
    """Trap: leaving NaN out would make neighbours of what an hour parts."""
    y, _ = series(np.random.default_rng(5), 200, phi=0.9)
    holes = y.copy()
    holes[::10] = NAN
    fit = fit_autoregression(holes)
    assert fit.pairs == 199 - 39
    whole = np.flatnonzero(np.isfinite(holes[1:]) & np.isfinite(holes[:-1]))
    expected = linregress(holes[whole], holes[whole + 1])
    assert fit.phi == pytest.approx(expected.slope)


def test_a_random_walk_is_told_by_its_phi_which_is_found_too_low() -> None:
    """Trap: Marriott & Pope 1954: about (1+3phi)/n too low, so a walk passes for a series with a level."""
    prng = np.random.default_rng(6)
    phis = [fit_autoregression(prng.standard_normal(60).cumsum()).phi for _ in range(300)]
    assert 0.85 < np.mean(phis) < 0.97
    growing = 1.1 ** np.arange(30) + prng.standard_normal(30) * 0.01
    assert not fit_autoregression(growing).is_stationary


def test_without_noise_a_point_is_as_forecast_or_not() -> None:
    y = [0.0]
    for _ in range(30):
        y.append(1.0 + 0.5 * y[-1])
    fit = fit_autoregression(y[:14])
    fit = type(fit)(fit.coefficients, 0.0, fit.pairs, fit._inverse)
    assert fit.p_value(4.0, 3.0) == 1.0
    assert fit.p_value(4.0, 3.5) == 0.0


def test_a_driver_in_the_millions_is_no_copy_of_a_share() -> None:
    prng = np.random.default_rng(7)
    x = 1e9 + 1e6 * prng.standard_normal(200)
    y = 0.01 + 1e-11 * x + 1e-4 * prng.standard_normal(200)
    assert fit_autoregression(y, x).coefficients[2] == pytest.approx(1e-11, rel=0.3)


@pytest.mark.parametrize(
    ("values", "drivers"),
    [([1.0] * 50, None), ([0.0] * 50, None), (list(range(50)), [3.0] * 50), ([1.0, 2.0] * 25, [0.0] * 50)],
)
def test_columns_that_never_move_are_refused(values: list[float], drivers: list[float] | None) -> None:
    with pytest.raises(SeriesError, match="never moves"):
        fit_autoregression(values, drivers)


def test_too_few_pairs_lengths_and_bad_numbers_are_refused() -> None:
    for values in ([], [1.0], [1.0, 2.0] * 5, [NAN] * 50, [1.0, NAN] * 50):
        with pytest.raises(TooFewError):
            fit_autoregression(values)
    with pytest.raises(SeriesError):
        fit_autoregression([1.0, 2.0, 4.0] * 9, [1.0])
    with pytest.raises(SeriesError):
        fit_autoregression([float("inf")] * 50)


def test_a_driver_is_given_exactly_if_one_was_fitted() -> None:
    y, x = series(np.random.default_rng(8), 100, phi=0.5, beta=1.0)
    alone, driven = fit_autoregression(y), fit_autoregression(y, x)
    for call in (
        lambda: alone.predict(1.0, 2.0),
        lambda: driven.predict(1.0),
        lambda: driven.predict(NAN, 1.0),
        lambda: driven.p_value(1.0, NAN, 1.0),
        lambda: driven.forecast(1.0, 3),
        lambda: driven.forecast(1.0, 3, [1.0]),
    ):
        with pytest.raises(SeriesError):
            call()
    with pytest.raises(SettingError):
        alone.predict(1.0, alpha=0.0)
    with pytest.raises(SettingError):
        alone.forecast(1.0, 0)
    assert len(driven.forecast(1.0, 3, [1.0, 2.0, 3.0])) == 3
