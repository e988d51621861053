"""Which alternative to bet on: running estimates from *past* slots, and a few fixed points.

Any choice made before a slot's counts are seen keeps the e-value honest; a good choice makes it fast. Estimates lean
on a prior worth some observations, so that the first slot bets on nothing absurd, and forget by halves past 10,000
observations, so that a rate which drifts is followed.
"""

import math
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.kernel import Floats

# Alternatives stay this far inside 0..1: a rate below one in ten thousand is bet on as if it were that.
RATE_MIN = 1e-4
TALLY_MAX = 10_000.0
# The candidate's own estimate leans on the baseline's as if so many of its observations had shown that rate.
_LIKE_BASELINE_N = 60.0
# How far a worse candidate may stand between the edge of the tolerance (0) and certain failure (1).
_WORSE_POINTS = (0.1, 0.3, 0.7)

# Stakes of `good_enough_rates`, in its order: failures are rare and alike in both arms, the case to be fast in (15 %
# above the keys an oracle needs); the hedges against unlike arms and against rates of 10-50 % cost it 3 keys of 36.
GOOD_ENOUGH_LOG_STAKES = (math.log(0.65), math.log(0.15), math.log(0.2))
WORSE_BETS = len(_WORSE_POINTS) + 1


@dataclass(frozen=True, slots=True)
class Prior:
    """As if `n` observations with that rate had been seen before the first."""

    n: float
    rate: float


_RARE = Prior(50.0, 0.01)
_OPEN = Prior(4.0, 0.5)
_BETWEEN = Prior(10.0, 0.1)


@dataclass(slots=True)
class Counts:
    """Observed and bad, per arm."""

    baseline_n: int = 0
    baseline_bad: int = 0
    candidate_n: int = 0
    candidate_bad: int = 0


class Tally:
    """Decayed counts of the past."""

    def __init__(self) -> None:
        self._baseline_n = self._baseline_bad = self._candidate_n = self._candidate_bad = 0.0

    def add(self, counts: Counts) -> None:
        self._baseline_n += counts.baseline_n
        self._baseline_bad += counts.baseline_bad
        self._candidate_n += counts.candidate_n
        self._candidate_bad += counts.candidate_bad
        n = self._baseline_n + self._candidate_n
        if n > TALLY_MAX:
            self._scale(TALLY_MAX / 2.0 / n)

    def _scale(self, factor: float) -> None:
        self._baseline_n *= factor
        self._baseline_bad *= factor
        self._candidate_n *= factor
        self._candidate_bad *= factor

    def baseline(self, prior: Prior) -> float:
        """Estimated rate of the baseline."""
        return (self._baseline_bad + prior.n * prior.rate) / (self._baseline_n + prior.n)

    def pooled(self, prior: Prior) -> float:
        """Estimated rate of both arms, if they have one."""
        n, bad = self._baseline_n + self._candidate_n, self._baseline_bad + self._candidate_bad
        return (bad + prior.n * prior.rate) / (n + prior.n)

    def candidate(self, baseline: float) -> float:
        """Estimated rate of the candidate, leaning on the baseline's."""
        return (self._candidate_bad + _LIKE_BASELINE_N * baseline) / (self._candidate_n + _LIKE_BASELINE_N)


@dataclass(frozen=True, slots=True)
class Estimates:
    """What a tally says of the rates before a stratum; or arrays of it, one value a stratum."""

    rare: float | Floats  # both arms alike, failures rare
    baseline: float | Floats
    candidate: float | Floats
    alike: float | Floats  # both arms alike, at any rate


def estimates_of(tally: Tally) -> Estimates:
    baseline = tally.baseline(_RARE)
    return Estimates(tally.pooled(_RARE), baseline, tally.candidate(baseline), tally.pooled(_OPEN))


def good_enough_rates(estimates: Estimates, d: float) -> tuple[tuple[float, float], ...]:
    """`good_enough_pairs` of one stratum, without arrays: a tenth of the time."""
    rare, own, alike = (_inside(float(rate)) for rate in (estimates.rare, estimates.baseline, estimates.alike))
    return (rare, rare), (own, min(_inside(float(estimates.candidate)), own + d)), (alike, alike)


def good_enough_pairs(estimates: Estimates, d: float) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b <= a + d: "alike and rare", "each as it has been", "alike, at any rate"."""
    rare, own, alike = (
        np.clip(rate, RATE_MIN, 1.0 - RATE_MIN) for rate in (estimates.rare, estimates.baseline, estimates.alike)
    )
    candidate = np.minimum(np.clip(estimates.candidate, RATE_MIN, 1.0 - RATE_MIN), own + d)
    return np.array([rare, own, alike]), np.array([rare, candidate, alike])


def worse_rates(tally: Tally, d: float) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b >= a + d, 0 <= d < 1: fixed points beyond the tolerance, and the running estimate."""
    estimate = tally.baseline(_BETWEEN)
    baseline = _inside(estimate, end=1.0 - d)
    room = 1.0 - d - baseline
    own = min(max((tally.candidate(estimate) - d - baseline) / room, 0.0), 1.0 - RATE_MIN)
    return np.full(WORSE_BETS, baseline), baseline + d + room * np.array([*_WORSE_POINTS, own])


def _inside(rate: float, *, end: float = 1.0) -> float:
    return min(max(rate, RATE_MIN * end), (1.0 - RATE_MIN) * end)
