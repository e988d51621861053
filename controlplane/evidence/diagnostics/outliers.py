"""z-scores and 3-sigma, the modified z-score, and fences round the quartiles.

Sources: Iglewicz & Hoaglin 1993 (modified z, 3.5; mean absolute deviation * 1.253314 where more than half are equal);
Tukey 1977 and NIST/SEMATECH e-Handbook 7.1.6 (fences); Shiffler 1988 (the largest z of n points).
Traps: a point inside its own baseline hides itself: max z of n points is (n-1)/sqrt(n), so 3-sigma cannot speak for
n <= 10; several outliers hide each other from mean and deviation, not from medians; two conventions of a quartile give
two fences; at 1 point a second 3-sigma is wrong 233 times a day.
"""

import enum
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.series import Values, finite, within
from controlplane.evidence.kernel import Bools, Floats

MODIFIED_Z_LIMIT = 3.5
_MAD_FACTOR = 0.6745
_MEAN_DEVIATION_FACTOR = 1.253314
# With fewer, the estimate of sigma alone makes 3-sigma wrong several times as often as it says.
REFERENCE_LEAST = 10
_DAY_S = 86_400


def z_scores(values: Values) -> Floats:
    """(n,) -> (n,): distance from the mean of *the same* points in their standard deviations (n-1). For ranking only.

    Where all are equal every score is 0. Needs n >= 2. Raises SeriesError, TooFewError.
    """
    array = finite(values, name="values", least=2, why="one point has no spread")
    sigma = float(array.std(ddof=1))
    return np.zeros_like(array) if sigma <= _rounding(array) else (array - array.mean()) / sigma


def largest_z(n: int) -> float:
    """No z of n points of one sample is above (n-1)/sqrt(n)."""
    return (n - 1) / float(np.sqrt(n))


def three_sigma(values: Values, reference: Values, *, width: float = 3.0) -> Bools:
    """(n,) new points against >= 10 *other* points in the same unit: more than `width` standard deviations off?

    The deviation of a new point from an estimated mean: sigma*sqrt(1+1/m). Where the reference never moved there is
    no scale: SeriesError. Raises TooFewError, SettingError.
    """
    within("width", width, low=0.0, high=np.inf)
    array = finite(values, name="values")
    others = finite(reference, name="reference", least=REFERENCE_LEAST, why="sigma of fewer is a guess")
    sigma = float(others.std(ddof=1))
    if sigma <= _rounding(others):
        raise SeriesError("reference: all points are equal", next_step="take a longer reference, or compare directly")
    far: Bools = np.abs(array - others.mean()) > width * sigma * np.sqrt(1.0 + 1.0 / len(others))
    return far


def false_alarms_a_day(width: float, *, period_s: float) -> float:
    """Of a two-sided limit at `width` sigmas on independent normal points, one each `period_s` seconds."""
    within("period_s", period_s, low=0.0, high=np.inf)
    return 2.0 * float(ndtr(-within("width", width, low=0.0, high=np.inf))) * _DAY_S / period_s


def modified_z(values: Values) -> Floats:
    """(n,) -> (n,): 0.6745*(x - median)/MAD; outlying beyond 3.5 (`MODIFIED_Z_LIMIT`).

    Where more than half are equal (MAD 0): (x - median)/(1.253314*mean absolute deviation); where all are equal: 0.
    Needs n >= 3. Raises SeriesError, TooFewError.
    """
    array = finite(values, name="values", least=3, why="the middle of two is not robust")
    off = array - np.median(array)
    mad = float(np.median(np.abs(off)))
    if mad > _rounding(array):
        return _MAD_FACTOR * off / mad
    mean_deviation = float(np.abs(off).mean())
    if mean_deviation > _rounding(array):
        return off / (_MEAN_DEVIATION_FACTOR * mean_deviation)
    return np.zeros_like(array)


class Quartiles(enum.StrEnum):
    """How a quartile is read between two points."""

    LINEAR = "linear"  # numpy's default: rank 1 + (n-1)p
    NIST = "weibull"  # rank (n+1)p: NIST's handbook, commons-math, hence Kayenta


@dataclass(frozen=True, slots=True)
class Fences:
    """Both in the values' unit; what lies *beyond* is outlying."""

    low: float
    high: float

    def beyond(self, values: Values) -> Bools:
        array = finite(values, name="values", least=0)
        far: Bools = (array < self.low) | (array > self.high)
        return far


def iqr_fences(values: Values, *, factor: float = 1.5, quartiles: Quartiles = Quartiles.LINEAR) -> Fences:
    """Q1 - factor*IQR .. Q3 + factor*IQR; factor 1.5 (inner) or 3 (outer fences). Needs n >= 4.

    On normal points the inner fences are wrong .7 % of the time. With half the points equal the IQR may be 0 and all
    else lies beyond: that is what the formula says. Raises SeriesError, TooFewError, SettingError.
    """
    within("factor", factor, low=0.0, high=np.inf)
    array = finite(values, name="values", least=4, why="a quartile of three is one of them")
    low, high = np.quantile(array, [0.25, 0.75], method=quartiles.value)
    return Fences(float(low - factor * (high - low)), float(high + factor * (high - low)))


def _rounding(array: Floats) -> float:
    """What summing equal numbers may leave: no spread."""
    return float(np.abs(array).max()) * 1e-13
