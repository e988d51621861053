"""Intervals for people: valid at whatever time somebody looks. They explain; verdicts rest on e-values, not on these.

- one arm's share: the beta-binomial mixture around each share, which covers the *running average* of shares that drift;
- the difference: the two arms at alpha/2 each, so it is wider than the evidence is; within one step both arms see the
  same seconds, over several steps it would compare different ones, so callers give counts of a step;
- a mean of scores in 0..1: empirical Bernstein with the gamma-exponential mixture, from counts, sums and squares;
- a whole distribution: a band around the share of observations at or below each bin; a quantile is where it crosses;
- over steps: the Mantel-Haenszel ratio, a point estimate that a moving split does not bend.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.alternatives import Counts
from controlplane.evidence.boundaries import band_radius, best_rho, beta_binomial_log_mixture, gamma_exponential_bound
from controlplane.evidence.kernel import Floats, Ints

# Where the intervals are tightest: a step of a few hundred observations.
N_OPT = 300
_BISECTIONS = 60
_BAND_N_MIN = 50


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


# A screen that is drawn anew each second asks the same again: 0.4 ms each, and what is kept is 200 bytes.
@functools.lru_cache(maxsize=4_096)
def share_interval(bad: int, n: int, *, alpha: float) -> Interval:
    """Of a share; 0..1 while nothing was seen."""
    if n == 0:
        return Interval(0.0, 1.0)
    needed, seen = -math.log(alpha), bad / n
    low = 0.0 if bad == 0 else _edge(bad, n, needed, alpha, inside=seen, outside=0.0)
    high = 1.0 if bad == n else _edge(bad, n, needed, alpha, inside=seen, outside=1.0)
    return Interval(low, high)


def difference_interval(counts: Counts, *, alpha: float) -> Interval:
    """Candidate less baseline."""
    baseline = share_interval(counts.baseline_bad, counts.baseline_n, alpha=alpha / 2.0)
    candidate = share_interval(counts.candidate_bad, counts.candidate_n, alpha=alpha / 2.0)
    return Interval(candidate.low - baseline.high, candidate.high - baseline.low)


class MeanTally:
    """Scores in 0..1, batch by batch; each batch is compared with the mean before it, so the order matters."""

    def __init__(self) -> None:
        self._n, self._sum, self._spread = 0, 0.0, 0.0

    def add(self, n: int, total: float, squares: float) -> None:
        before = (self._sum + 0.5) / (self._n + 1)
        self._spread += squares - 2.0 * before * total + n * before * before
        self._n += n
        self._sum += total

    def interval(self, *, alpha: float) -> Interval:
        if self._n == 0:
            return Interval(0.0, 1.0)
        v_opt = N_OPT / 12.0  # the spread of N_OPT scores that are uniform on 0..1
        radius = gamma_exponential_bound(self._spread, alpha=alpha / 2.0, v_opt=v_opt, c=1.0) / self._n
        mean = self._sum / self._n
        return Interval(max(mean - radius, 0.0), min(mean + radius, 1.0))


def distribution_band(counts: Ints, *, alpha: float) -> tuple[Floats, Floats]:
    """Lowest and highest share of observations at or below each bin."""
    n = int(counts.sum())
    running = counts.cumsum() / max(n, 1)
    radius = band_radius(n, alpha=alpha, n_min=_BAND_N_MIN)
    return np.maximum(running - radius, 0.0), np.minimum(running + radius, 1.0)


def quantile_band(counts: Ints, quantile: float, *, alpha: float) -> tuple[int, int]:
    """The lowest and the highest bin in which the quantile can lie."""
    low, high = distribution_band(counts, alpha=alpha)
    last = len(counts) - 1
    return min(int(np.searchsorted(high, quantile)), last), min(int(np.searchsorted(low, quantile)), last)


def stratified_ratio(strata: Iterable[Counts]) -> float | None:
    """Mantel-Haenszel: the candidate's share over the baseline's, each stratum weighed by what it can tell."""
    above = below = 0.0
    for counts in strata:
        n = counts.baseline_n + counts.candidate_n
        if n:
            above += counts.candidate_bad * counts.baseline_n / n
            below += counts.baseline_bad * counts.candidate_n / n
    return above / below if below else None


def _edge(bad: int, n: int, needed: float, alpha: float, *, inside: float, outside: float) -> float:
    """Where the evidence against a share reaches 1/alpha, by bisection towards the `outside`."""
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2.0
        if _log_e(bad, n, middle, alpha) < needed:
            inside = middle
        else:
            outside = middle
    return outside


def _log_e(bad: int, n: int, share: float, alpha: float) -> float:
    g, h = share, 1.0 - share
    if min(g, h) < 1e-12:
        return math.inf
    v = g * h
    r = max(best_rho(N_OPT * v, alpha) - v, 1e-3 * v)
    return beta_binomial_log_mixture(bad - n * share, n * v, g=g, h=h, r=r)
