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

# Stakes of `good_enough_pairs`, in its order: failures are rare and alike in both arms, the case to be fast in. With
# .65 on it a healthy candidate took 277 and 265 s to 100 % (two runs of 200), with .8 it took 265 and 263: it gains
# ln(.8/.65) of the ln(20) it needs. The hedges against unlike arms and rates of 10-50 % pay ln 1.5 and ln 2 for it.
GOOD_ENOUGH_LOG_STAKES = (math.log(0.8), math.log(0.1), math.log(0.1))
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


class Tallies:
    """Decayed counts of the past, one row of (baseline n, bad, candidate n, bad) for each of several evidences."""

    def __init__(self, count: int) -> None:
        self.rows: Floats = np.zeros((count, 4))

    def add(self, counts: Floats, first: int = 0) -> None:
        """Add rows, the first of them to row `first`."""
        rows = self.rows[first : first + len(counts)]
        rows += counts
        n = rows[:, 0] + rows[:, 2]
        if n.max(initial=0.0) > TALLY_MAX:
            rows *= np.where(n > TALLY_MAX, TALLY_MAX / 2.0 / np.maximum(n, 1.0), 1.0)[:, None]


def _baseline(rows: Floats, prior: Prior) -> Floats:
    """Estimated rate of the baseline."""
    rate: Floats = (rows[:, 1] + prior.n * prior.rate) / (rows[:, 0] + prior.n)
    return rate


def _pooled(rows: Floats, prior: Prior) -> Floats:
    """Estimated rate of both arms, if they have one."""
    rate: Floats = (rows[:, 1] + rows[:, 3] + prior.n * prior.rate) / (rows[:, 0] + rows[:, 2] + prior.n)
    return rate


def _candidate(rows: Floats, baseline: Floats) -> Floats:
    """Estimated rate of the candidate, leaning on the baseline's."""
    rate: Floats = (rows[:, 3] + _LIKE_BASELINE_N * baseline) / (rows[:, 2] + _LIKE_BASELINE_N)
    return rate


@dataclass(frozen=True, slots=True)
class Estimates:
    """What tallies say of the rates before a stratum, one value an evidence (or, asked later, a stratum)."""

    rare: Floats  # both arms alike, failures rare
    baseline: Floats
    candidate: Floats
    alike: Floats  # both arms alike, at any rate


def estimates_of(rows: Floats) -> Estimates:
    """`rows` of `Tallies`."""
    baseline = _baseline(rows, _RARE)
    return Estimates(_pooled(rows, _RARE), baseline, _candidate(rows, baseline), _pooled(rows, _OPEN))


def good_enough_pairs(estimates: Estimates, d: float | Floats) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b <= a + d: "alike and rare", "each as it has been", "alike, at any rate".

    `d` is one limit or one each. Shape: that of the estimates plus (3,)."""
    rare, own, alike = (
        np.clip(rate, RATE_MIN, 1.0 - RATE_MIN) for rate in (estimates.rare, estimates.baseline, estimates.alike)
    )
    candidate = np.minimum(np.clip(estimates.candidate, RATE_MIN, 1.0 - RATE_MIN), own + d)
    return np.stack([rare, own, alike], axis=-1), np.stack([rare, candidate, alike], axis=-1)


def worse_rates(rows: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Alternatives (a, b) with b >= a + d, 0 <= d < 1: fixed points beyond the tolerance, and the running estimate.

    `rows` of `Tallies` and `d` for each of several metrics. Shapes (metrics, 1) and (metrics, WORSE_BETS)."""
    estimate = _baseline(rows, _BETWEEN)
    end = 1.0 - d
    baseline = np.minimum(np.maximum(estimate, RATE_MIN * end), (1.0 - RATE_MIN) * end)
    room = end - baseline
    own = np.clip((_candidate(rows, estimate) - d - baseline) / room, 0.0, 1.0 - RATE_MIN)
    points = np.concatenate([np.broadcast_to(_WORSE_POINTS, (len(rows), len(_WORSE_POINTS))), own[:, None]], axis=1)
    return baseline[:, None], (baseline + d)[:, None] + room[:, None] * points
