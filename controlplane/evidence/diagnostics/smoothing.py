"""Moving average, exponential smoothing and Holt's trend.

Sources: NIST/SEMATECH e-Handbook 6.4.2-6.4.3; Holt 1957; the damped trend of Gardner & McKenzie 1985.
Traps: a centred window knows the future, so windows end at their point; an average of shares gives an empty second the
say of a full one, hence `weights`; single smoothing lags behind a trend by slope*(1-alpha)/alpha; an undamped trend
leaves every bound.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError
from controlplane.evidence.diagnostics.series import Values, finite, same_length, within
from controlplane.evidence.kernel import Floats


def moving_average(values: Values, window: int, *, weights: Values | None = None) -> Floats:
    """Mean of the last `window` points, ending at each; of those there are at the start.

    values (n,) in any unit -> (n,) in that unit; `weights` (n,) 0 or more, e.g. requests of a second where values are
    shares: NaN where a window has no weight. Raises SeriesError (NaN, empty, lengths, negative weights), SettingError
    (window < 1).
    """
    if window < 1:
        raise SettingError(f"window is {window}", next_step="give at least 1 point")
    array = finite(values, name="values")
    share = np.ones_like(array) if weights is None else finite(weights, name="weights")
    same_length("values and weights", array, share)
    if (share < 0).any():
        raise SeriesError("a weight is negative", next_step="give counts")
    # Sums of windows, not differences of running sums: those keep the rounding of a huge value for ever.
    pad = np.zeros(min(window, len(array)) - 1)
    over = min(window, len(array))
    above = np.lib.stride_tricks.sliding_window_view(np.concatenate([pad, array * share]), over).sum(axis=1)
    below = np.lib.stride_tricks.sliding_window_view(np.concatenate([pad, share]), over).sum(axis=1)
    average: Floats = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return average


def exponential_smoothing(values: Values, alpha: float, *, start: float | None = None) -> Floats:
    """S_t = alpha*y_t + (1-alpha)*S_{t-1}, S_0 = `start` or the first value.

    values (n,) -> (n,) in the same unit; the forecast of point t+1 is S_t. 0 < alpha <= 1. Raises SeriesError,
    SettingError. NIST 6.4.3.1.
    """
    within("alpha", alpha, low=0.0, high=1.0)
    array = finite(values, name="values")
    before = float(array[0]) if start is None else float(finite([start], name="start")[0])
    smoothed = accumulate(array.tolist(), lambda level, y: level + alpha * (y - level), initial=before)
    return np.array(list(smoothed)[1:])


def exponential_decay(values: Values, at_s: Values, *, time_constant_s: float) -> Floats:
    """The same for uneven times: alpha = 1 - exp(-gap/time constant), so that a gap of a minute forgets a minute.

    values, at_s (n,) with times that grow -> (n,). Raises SeriesError (times that stand or run back), SettingError.
    """
    within("time_constant_s", time_constant_s, low=0.0, high=np.inf)
    array, times = finite(values, name="values"), finite(at_s, name="at_s")
    same_length("values and at_s", array, times)
    gaps = np.diff(times)
    if (gaps <= 0).any():
        raise SeriesError("times must grow", next_step="sort the points, one value a time")
    smoothed = array.copy()
    for index, keep in enumerate(np.exp(-gaps / time_constant_s), start=1):
        smoothed[index] = keep * smoothed[index - 1] + (1.0 - keep) * array[index]
    return smoothed


@dataclass(frozen=True, slots=True)
class HoltFit:
    """`levels` and `trends` after each point; `forecasts`: of each point from those before it (the first: itself)."""

    levels: Floats
    trends: Floats
    forecasts: Floats
    damping: float

    def forecast(self, steps: int) -> Floats:
        """(steps,) values after the last point. With damping 1 it grows without bound: not for shares, far ahead."""
        if steps < 1:
            raise SettingError(f"steps is {steps}", next_step="give at least 1")
        sums = np.cumsum(self.damping ** np.arange(1, steps + 1))
        ahead: Floats = self.levels[-1] + sums * self.trends[-1]
        return ahead


def holt(values: Values, *, alpha: float, gamma: float, damping: float = 1.0) -> HoltFit:
    """S_t = alpha*y_t + (1-alpha)(S_{t-1} + phi*b_{t-1}), b_t = gamma(S_t - S_{t-1}) + (1-gamma)*phi*b_{t-1}.

    values (n,), n >= 4; S_1 = y_1, b_1 = the mean of the first three differences (NIST 6.4.3.3). 0 < alpha, gamma,
    damping <= 1. Raises SeriesError, TooFewError, SettingError.
    """
    for name, value in (("alpha", alpha), ("gamma", gamma), ("damping", damping)):
        within(name, value, low=0.0, high=1.0)
    array = finite(values, name="values", least=4, why="the first trend is the mean of three differences")
    level, trend = float(array[0]), float((array[3] - array[0]) / 3.0)
    levels, trends, forecasts = [level], [trend], [level]
    for value in array[1:].tolist():
        ahead = level + damping * trend
        before, level = level, alpha * value + (1.0 - alpha) * ahead
        trend = gamma * (level - before) + (1.0 - gamma) * damping * trend
        forecasts.append(ahead)
        levels.append(level)
        trends.append(trend)
    return HoltFit(np.array(levels), np.array(trends), np.array(forecasts), damping)
