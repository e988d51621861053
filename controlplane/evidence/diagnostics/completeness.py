"""Missing values, and whether mean and spread are those of the reference.

Sources: Yates-corrected score test of two shares; Welch 1947 (means); Layard 1973 (variances, with the kurtosis of the
data; the F test assumes a normal one). One look each, two-sided.
Traps: what is missing is seldom missing at random, so a mean of what is left proves nothing before the missing are
counted; a NaN in a sum makes all of it NaN; the F test of spreads calls half of all latency samples different.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr

from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.series import Values, finite, with_gaps
from controlplane.evidence.kernel import Floats


@dataclass(frozen=True, slots=True)
class Missing:
    """How many of how many, NaN being missing."""

    missing: int
    total: int

    @classmethod
    def of(cls, values: Values) -> "Missing":
        """(n,), NaN where a value is missing; may be empty. Raises SeriesError (infinity)."""
        array = with_gaps(values, name="values")
        return cls(int(np.isnan(array).sum()), len(array))

    def __post_init__(self) -> None:
        if not 0 <= self.missing <= self.total:
            raise SeriesError(f"{self.missing} missing of {self.total}", next_step="give 0 <= missing <= total")

    @property
    def share(self) -> float:
        return self.missing / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """`change`: what moved, see the function; `p_value` under no change: 1 says nothing."""

    change: float
    p_value: float


def missing_check(reference: Missing, current: Missing) -> Check:
    """`change`: current share less reference share. Without values on either side, or none missing: p = 1."""
    n, m = reference.total, current.total
    change = current.share - reference.share
    if n == 0 or m == 0:
        return Check(0.0, 1.0)
    pooled = (reference.missing + current.missing) / (n + m)
    spread = float(np.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)))
    if spread == 0.0:
        return Check(change, 1.0)
    z = max(abs(change) - 0.5 * (1.0 / n + 1.0 / m), 0.0) / spread
    return Check(change, min(1.0, 2.0 * float(ndtr(-z))))


def mean_check(reference: Values, current: Values) -> Check:
    """`change`: current mean less reference mean, in the values' unit; Welch's t. n, m >= 2.

    Where neither moves: p = 1 if the means are equal, else 0. Raises SeriesError, TooFewError.
    """
    a, b = _samples(reference, current, least=2)
    change = float(b.mean() - a.mean())
    part_a, part_b = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    scale = float(np.abs(np.concatenate([a, b])).max()) * 1e-13
    if np.sqrt(part_a + part_b) <= scale:
        return Check(change, 1.0 if abs(change) <= scale else 0.0)
    degrees = (part_a + part_b) ** 2 / (part_a**2 / (len(a) - 1) + part_b**2 / (len(b) - 1))
    return Check(change, min(1.0, 2.0 * float(stdtr(degrees, -abs(change) / np.sqrt(part_a + part_b)))))


def spread_check(reference: Values, current: Values) -> Check:
    """`change`: standard deviation over that of the reference; Layard's test of ln variances. n, m >= 20.

    A sample that never moves has no scale: SeriesError. Raises TooFewError.
    """
    a, b = _samples(reference, current, least=20)
    for name, array in (("reference", a), ("current", b)):
        if array.std() <= np.abs(array).max() * 1e-13:
            raise SeriesError(f"{name}: all points are equal", next_step="compare values, not spreads")
    n, m = len(a), len(b)
    fourth = ((a - a.mean()) ** 4).sum() + ((b - b.mean()) ** 4).sum()
    second = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    kurtosis = float((n + m) * fourth / second**2)
    # Of ln s^2: 2/(n-1) for a normal law, (kurtosis-3)/n more for others.
    noise = sum(2.0 / (size - 1.0) + (kurtosis - 3.0) / size for size in (n, m))
    log_ratio = float(np.log(b.var(ddof=1) / a.var(ddof=1)))
    p = min(1.0, 2.0 * float(ndtr(-abs(log_ratio) / np.sqrt(max(noise, 1e-12)))))
    return Check(float(np.exp(log_ratio / 2.0)), p)


def _samples(reference: Values, current: Values, *, least: int) -> tuple[Floats, Floats]:
    why = "spread of fewer is a guess"
    return (
        finite(reference, name="reference", least=least, why=why),
        finite(current, name="current", least=least, why=why),
    )
