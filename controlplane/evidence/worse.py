"""Rollback evidence of shares: is the candidate worse than the baseline, and by more than its tolerance?

Two e-processes over the same component starts:
- the kernel, over keys with their first bad event since the component's start;
- with a tolerance, the margin e-value of H0 {pB <= pA + tolerance}, over keys' first observations since that start.
With both the evidence is the smaller one: an e-value for the union of the two nulls, which no single one could be.
With an absolute limit it is the mean of that and the evidence that the candidate alone is beyond it (`absolute.py`).
So three failures in 1e5 requests never roll back what is allowed to be 20 points worse.
All metrics at once; a slot costs what has changed: metrics without a failure in it have no kernel to move.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.evidence import kernel, margin
from controlplane.evidence.absolute import AbsoluteEvidence
from controlplane.evidence.alternatives import WORSE_BETS, worse_rates
from controlplane.evidence.kernel import Bools, Floats, Ints
from controlplane.evidence.mixture import Opened, Starts, Wealth


@dataclass(frozen=True, slots=True)
class Seen:
    """The keys of one stratum, one element for each key of each metric, and what the table said of them before."""

    metrics: Ints
    arms: Ints  # 0 baseline, 1 candidate
    is_bad: Bools  # in this slot
    seen: Ints  # the latest slot before in which the metric could be told
    bad: Ints  # the latest slot before with a bad event; read where `is_bad`


class WorseEvidence:
    """Mutable; one tolerance and one absolute limit, or None, for each metric."""

    def __init__(self, starts: Starts, *, tolerances: Sequence[float | None], limits: Sequence[float | None]) -> None:
        self._starts = starts
        self._count = len(tolerances)
        stakes = np.tile(kernel.LOG_STAKES, (self._count, 1))
        self._kernel = Wealth(starts, bets=len(kernel.RATIOS), metrics=self._count, log_bets=stakes)
        self._tolerant, self._tolerances = _given(tolerances)
        self._margin = Wealth(starts, bets=WORSE_BETS, metrics=len(self._tolerant))
        self._limited, of_limits = _given(limits)
        self._absolute = AbsoluteEvidence(starts, limits=of_limits)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._kernel.opened(opened)
        self._margin.opened(opened)
        self._absolute.opened(opened)

    def fold(self, slot: int, weight: float, keys: Seen, tallies: Floats) -> None:
        """Take one stratum in; 0 < weight < 1. `tallies` (metrics, 4) hold earlier slots only."""
        if keys.is_bad.any():
            bad = np.flatnonzero(keys.is_bad)
            metrics = keys.metrics[bad]
            counts = self._firsts(keys.bad[bad], metrics, keys.arms[bad], slot)
            changed = np.unique(metrics)
            both = counts[changed].sum(axis=1)
            self._kernel.add(kernel.log_e(both, counts[changed, 1], weight), changed)
        if len(self._tolerant) or len(self._limited):
            seen = self._firsts(keys.seen, keys.metrics, keys.arms, slot)
            of = keys.is_bad
            bad_of = self._firsts(keys.seen[of], keys.metrics[of], keys.arms[of], slot)
            self._fold_margin(seen[self._tolerant], bad_of[self._tolerant], tallies)
            n, bad_n = seen[self._limited], bad_of[self._limited]
            self._absolute.add(
                baseline_n=n[:, 0], baseline_bad=bad_n[:, 0], candidate_n=n[:, 1], candidate_bad=bad_n[:, 1]
            )

    def is_shared(self, metric: int) -> bool:
        """Both arms are beyond the absolute limit."""
        if not len(self._limited):
            return False
        place = np.flatnonzero(self._limited == metric)
        return bool(len(place)) and bool(self._absolute.is_shared()[place[0]])

    def log_e(self) -> Floats:
        """ln of the e-value, per metric."""
        compared = self._kernel.total()
        if len(self._tolerant):
            compared[self._tolerant] = np.minimum(compared[self._tolerant], self._margin.total())
        if len(self._limited):
            both = np.logaddexp(compared[self._limited], self._absolute.log_e())
            compared[self._limited] = both - math.log(2.0)
        return compared

    def _firsts(self, previous: Ints, metrics: Ints, arms: Ints, slot: int) -> Ints:
        """Shape (metrics, arms, components)."""
        counts = self._starts.firsts_of(previous, 2 * metrics + arms, 2 * self._count, slot)
        return counts.reshape(self._count, 2, -1)

    def _fold_margin(self, seen: Ints, bad: Ints, tallies: Floats) -> None:
        """Components that counted the same keys need one computation."""
        if not len(self._tolerant):
            return
        columns = np.concatenate([seen, bad], axis=1)  # metric, (n_a, n_b, bad_a, bad_b), component
        is_new = np.ones((len(columns), columns.shape[2]), dtype=bool)
        is_new[:, 1:] = (np.diff(columns, axis=2) != 0).any(axis=1)
        metrics = np.nonzero(is_new)[0]
        n_a, n_b, bad_a, bad_b = columns.transpose(1, 0, 2)[:, is_new][..., None].astype(np.float64)
        a, b = worse_rates(tallies[self._tolerant], self._tolerances)
        d = self._tolerances[metrics, None]
        log_e = margin.log_e_all(n_a, bad_a, n_b, bad_b, a=a[metrics], b=b[metrics], d=d)
        self._margin.add(log_e[is_new.cumsum() - 1].reshape(*is_new.shape, -1))


def _given(values: Sequence[float | None]) -> tuple[Ints, Floats]:
    """Which metrics have one, and the values of those."""
    places = [index for index, value in enumerate(values) if value is not None]
    return np.array(places, dtype=np.int64), np.array([value for value in values if value is not None], dtype=float)
