"""Which alternative to bet on: running estimates from *past* slots, and a few fixed points.

Any choice made before a slot's counts are seen keeps the e-value honest; a good choice makes it fast. Estimates lean
on a prior worth some observations, so that the first slot bets on nothing absurd, and forget by halves past 10,000
observations, so that a rate which drifts is followed.
"""

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
GOOD_ENOUGH_LOG_STAKES: Floats = np.log(np.array([0.65, 0.15, 0.2]))
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
        self._sums: Floats = np.zeros(4)

    def add(self, counts: Counts) -> None:
        self._sums += (counts.baseline_n, counts.baseline_bad, counts.candidate_n, counts.candidate_bad)
        n = self._sums[0] + self._sums[2]
        if n > TALLY_MAX:
            self._sums *= TALLY_MAX / 2.0 / n

    def baseline(self, prior: Prior) -> float:
        """Estimated rate of the baseline."""
        return float((self._sums[1] + prior.n * prior.rate) / (self._sums[0] + prior.n))

    def pooled(self, prior: Prior) -> float:
        """Estimated rate of both arms, if they have one."""
        n, bad = self._sums[0] + self._sums[2], self._sums[1] + self._sums[3]
        return float((bad + prior.n * prior.rate) / (n + prior.n))

    def candidate(self, baseline: float) -> float:
        """Estimated rate of the candidate, leaning on the baseline's."""
        return float((self._sums[3] + _LIKE_BASELINE_N * baseline) / (self._sums[2] + _LIKE_BASELINE_N))


def good_enough_rates(tally: Tally, d: float) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b <= a + d: "alike and rare", "each as it has been", "alike, at any rate"."""
    rare, baseline, alike = tally.pooled(_RARE), tally.baseline(_RARE), tally.pooled(_OPEN)
    a = np.array([_inside(rare), _inside(baseline), _inside(alike)])
    b = np.array([a[0], _inside(tally.candidate(baseline)), a[2]])
    return a, np.minimum(b, a + d)


def worse_rates(tally: Tally, d: float) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b >= a + d, 0 <= d < 1: fixed points beyond the tolerance, and the running estimate."""
    estimate = tally.baseline(_BETWEEN)
    baseline = _inside(estimate, end=1.0 - d)
    room = 1.0 - d - baseline
    own = min(max((tally.candidate(estimate) - d - baseline) / room, 0.0), 1.0 - RATE_MIN)
    return np.full(WORSE_BETS, baseline), baseline + d + room * np.array([*_WORSE_POINTS, own])


def _inside(rate: float, *, end: float = 1.0) -> float:
    return min(max(rate, RATE_MIN * end), (1.0 - RATE_MIN) * end)
