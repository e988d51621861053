"""EWMA control chart and an adaptive threshold.

Sources: NIST/SEMATECH e-Handbook 6.3.2.4; Lucas & Saccucci 1990 (Technometrics 32:1) for designs; Brook & Evans 1972
for run lengths by a Markov chain.
Traps: steady limits are too wide for the first points (hence the factor 1-(1-lambda)^(2t)); run lengths hold for
independent points with a known mean and sigma, and shrink when points depend on each other; a threshold that learns
while it alarms learns the fault.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError
from controlplane.evidence.diagnostics.series import Values, finite, within
from controlplane.evidence.diagnostics.smoothing import exponential_smoothing
from controlplane.evidence.kernel import Bools, Floats

# Lucas & Saccucci 1990: width L for a smoothing lambda with one false alarm in 500 points.
DESIGNS = {0.05: 2.615, 0.1: 2.814, 0.2: 2.962, 0.4: 3.054}
_STATES = 101  # of the chain: run lengths to 0.6 %
_RUN_LENGTH_MAX = 1e7


@dataclass(frozen=True, slots=True)
class Chart:
    """All (n,). `alarms`: outside the limits."""

    smoothed: Floats
    low: Floats
    high: Floats
    alarms: Bools


def ewma_chart(
    values: Values, *, mean: float, sigma: float, smoothing: float = 0.2, width: float | None = None
) -> Chart:
    """Limits mean +- width*sigma*sqrt(lambda/(2-lambda)*(1-(1-lambda)^(2t))) round the smoothed values.

    values (n,); `mean` and `sigma` come from *other* points, in the values' unit; `smoothing` lambda in (0, 1];
    `width` L, by default the one with a false alarm in 500 points. Raises SeriesError (NaN, sigma not above 0),
    SettingError.
    """
    within("smoothing", smoothing, low=0.0, high=1.0)
    if not (np.isfinite(sigma) and sigma > 0.0 and np.isfinite(mean)):
        raise SeriesError(
            f"mean {mean}, sigma {sigma}: no scale to chart by", next_step="take more points before, or leave it out"
        )
    wide = width_of(smoothing) if width is None else within("width", width, low=0.0, high=np.inf)
    smoothed = exponential_smoothing(values, smoothing, start=mean)
    points = np.arange(1, len(smoothed) + 1)
    factor = smoothing / (2.0 - smoothing) * -np.expm1(2.0 * points * np.log1p(-min(smoothing, 1.0 - 1e-15)))
    half = wide * sigma * np.sqrt(factor)
    alarms: Bools = np.abs(smoothed - mean) > half
    return Chart(smoothed, mean - half, mean + half, alarms)


def average_run_length(smoothing: float, width: float, *, shift: float = 0.0) -> float:
    """Points until the chart with steady limits alarms, on average, when the mean is `shift` sigmas off.

    Brook & Evans 1972: the smoothed value as a chain of 101 cells. Raises SettingError.
    """
    within("smoothing", smoothing, low=0.0, high=1.0)
    within("width", width, low=0.0, high=8.0)
    half = width * np.sqrt(smoothing / (2.0 - smoothing))
    step = 2.0 * half / _STATES
    middles = -half + step * (np.arange(_STATES) + 0.5)
    drift = (1.0 - smoothing) * middles[:, None]
    above = ndtr((middles[None, :] + step / 2.0 - drift) / smoothing - shift)
    below = ndtr((middles[None, :] - step / 2.0 - drift) / smoothing - shift)
    lengths = np.linalg.solve(np.eye(_STATES) - (above - below), np.ones(_STATES))
    return float(lengths[_STATES // 2])


@lru_cache(maxsize=64)
def width_of(smoothing: float, *, run_length: float = 500.0) -> float:
    """The width with one false alarm in `run_length` points (10 to 10**7): a day of seconds is 86,400.

    Raises SettingError.
    """
    within("run_length", run_length, low=10.0, high=_RUN_LENGTH_MAX)
    if run_length == 500.0 and smoothing in DESIGNS:
        return DESIGNS[smoothing]
    return float(brentq(lambda wide: np.log(average_run_length(smoothing, wide) / run_length), 0.5, 6.5))


@dataclass(frozen=True, slots=True)
class Reading:
    """Before the point was learned. `is_alarm` is False while nothing is known yet or the scale is 0."""

    is_alarm: bool
    low: float
    high: float
    is_frozen: bool


class AdaptiveThreshold:
    """EWMA mean +- width * EWMA standard deviation, tested before a point is learned and frozen while it alarms.

    Mutable, one value at a time. The first `warm_up` points are learned plainly. After `frozen_max` alarms in a row it
    starts anew with the level it finds: a lasting change is told once, not for ever.
    """

    def __init__(
        self,
        *,
        smoothing: float = 0.05,
        width: float = 4.0,
        warm_up: int = 30,
        frozen_max: int = 300,
        sd_min: float = 0.0,
    ) -> None:
        """`sd_min` in the values' unit: a floor of the scale; with 0 a series that never moved raises no alarm."""
        self._smoothing = within("smoothing", smoothing, low=0.0, high=1.0)
        self._width = within("width", width, low=0.0, high=np.inf)
        if warm_up < 2 or frozen_max < 1 or not sd_min >= 0.0:
            raise SettingError(
                f"warm_up {warm_up}, frozen_max {frozen_max}, sd_min {sd_min}",
                next_step="give warm_up >= 2, frozen_max >= 1, sd_min >= 0",
            )
        self._warm_up, self._frozen_max, self._sd_min = warm_up, frozen_max, sd_min
        self._begin()

    def _begin(self) -> None:
        self._seen, self._mean, self._variance, self._frozen = 0, 0.0, 0.0, 0

    def observe(self, value: float) -> Reading:
        """Raises SeriesError for NaN and infinity; nothing is learned then."""
        x = float(finite([value], name="value")[0])
        sd = max(float(np.sqrt(self._variance)), self._sd_min)
        low, high = self._mean - self._width * sd, self._mean + self._width * sd
        is_alarm = self._seen >= self._warm_up and sd > 0.0 and not low <= x <= high
        if is_alarm:
            self._frozen += 1
            if self._frozen >= self._frozen_max:
                self._begin()
        else:
            self._frozen = 0
            self._learn(x)
        return Reading(is_alarm, low, high, is_frozen=is_alarm)

    def _learn(self, x: float) -> None:
        self._seen += 1
        # Plain mean and variance first: an EWMA that starts at its first value takes long to find the scale.
        share = max(self._smoothing, 1.0 / self._seen)
        off = x - self._mean
        self._mean += share * off
        self._variance = (1.0 - share) * (self._variance + share * off * off)
