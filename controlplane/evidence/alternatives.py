"""Which alternative to bet on: running estimates from *past* slots, and a few fixed points.

Any choice made before a slot's counts are seen keeps the e-value honest; a good choice makes it fast. Estimates lean
on a prior of 100 observations at 1 %, so the first slot bets on nothing rare, and forget by halves past 10,000
observations, so that a rate which drifts is followed.
"""

from dataclasses import dataclass

import numpy as np

from controlplane.evidence.kernel import Floats

# Alternatives stay this far inside 0..1: a rate below one in ten thousand is bet on as if it were that.
RATE_MIN = 1e-4
TALLY_MAX = 10_000.0
_PRIOR_N = 100.0
_PRIOR_RATE = 0.01
# The candidate's own estimate leans on the baseline's as if so many of its observations had shown that rate.
_LIKE_BASELINE_N = 60.0
# How far a worse candidate may stand between the edge of the tolerance (0) and certain failure (1).
_WORSE_POINTS = (0.1, 0.3, 0.7)

# Stakes of `good_enough_rates`: both arms at one rate is the case to be fast in; the other one is the hedge.
GOOD_ENOUGH_LOG_STAKES: Floats = np.log(np.array([0.75, 0.25]))
WORSE_BETS = len(_WORSE_POINTS) + 1


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

    def rates(self) -> tuple[float, float, float]:
        """Estimated rates of the baseline, of the candidate, and of both if they are one."""
        n_a, bad_a, n_b, bad_b = (float(value) for value in self._sums)
        prior_bad = _PRIOR_N * _PRIOR_RATE
        baseline = (bad_a + prior_bad) / (n_a + _PRIOR_N)
        pooled = (bad_a + bad_b + prior_bad) / (n_a + n_b + _PRIOR_N)
        candidate = (bad_b + _LIKE_BASELINE_N * baseline) / (n_b + _LIKE_BASELINE_N)
        return baseline, candidate, pooled


def good_enough_rates(tally: Tally, d: float) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b <= a + d: "they are alike", and "each as it has been"."""
    baseline, candidate, pooled = tally.rates()
    a = np.clip(np.array([pooled, baseline]), RATE_MIN, 1.0 - RATE_MIN)
    b = np.clip(np.array([pooled, candidate]), RATE_MIN, 1.0 - RATE_MIN)
    return a, np.minimum(b, a + d)


def worse_rates(tally: Tally, d: float) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b >= a + d, 0 <= d < 1: fixed points beyond the tolerance, and the running estimate."""
    baseline, candidate, _ = tally.rates()
    a = np.clip(np.full(WORSE_BETS, baseline), RATE_MIN * (1.0 - d), (1.0 - RATE_MIN) * (1.0 - d))
    room = 1.0 - d - a
    own = np.clip((candidate - d - a[0]) / room[0], 0.0, 1.0 - RATE_MIN)
    return a, a + d + room * np.append(np.array(_WORSE_POINTS), own)
