"""Rollback evidence of one metric: is the candidate worse than the baseline, and by more than its tolerance?

Two e-processes over the same component starts:
- the kernel, over keys with their first bad event since the component's start;
- with a tolerance, the margin e-value of H0 {pB <= pA + tolerance}, over keys' first observations since that start.
With both the evidence is the smaller one: an e-value for the union of the two nulls, which no single one could be.
With an absolute limit it is the mean of that and the evidence that the candidate alone is beyond it (`absolute.py`).
So three failures in 1e5 requests never roll back what is allowed to be 20 points worse.
"""

import math
from dataclasses import dataclass

import numpy as np

from controlplane.evidence import kernel, margin
from controlplane.evidence.absolute import AbsoluteEvidence
from controlplane.evidence.alternatives import WORSE_BETS, Tally, worse_rates
from controlplane.evidence.kernel import Ints
from controlplane.evidence.mixture import Opened, Starts, Wealth


@dataclass(frozen=True, slots=True)
class Previous:
    """One arm of one stratum: each key's latest earlier slot, as `keys.KeyTable` has it."""

    bad: Ints  # of the keys bad in this slot: their latest bad slot before
    seen: Ints  # of all keys: the latest slot they were seen in before
    seen_of_bad: Ints  # the same, of the keys bad in this slot


class WorseEvidence:
    """Mutable; one per guardrail."""

    def __init__(self, starts: Starts, *, tolerance: float | None, limit: float | None = None) -> None:
        self._starts = starts
        self._absolute = None if limit is None else AbsoluteEvidence(starts, limit=limit)
        self._tolerance = tolerance
        self._kernel = Wealth(starts, bets=len(kernel.RATIOS))
        self._margin = Wealth(starts, bets=WORSE_BETS)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._kernel.opened(opened)
        self._margin.opened(opened)
        if self._absolute is not None:
            self._absolute.opened(opened)

    def fold(self, slot: int, weight: float, baseline: Previous, candidate: Previous, tally: Tally) -> None:
        """Take one stratum in; 0 < weight < 1. `tally` holds earlier slots only."""
        firsts = self._starts.firsts
        if len(baseline.bad) + len(candidate.bad):
            candidate_keys = firsts(candidate.bad, slot)
            self._kernel.add(kernel.log_e(firsts(baseline.bad, slot) + candidate_keys, candidate_keys, weight))
        if self._tolerance is None and self._absolute is None:
            return
        n_a, bad_a, n_b, bad_b = (
            firsts(previous, slot)
            for previous in (baseline.seen, baseline.seen_of_bad, candidate.seen, candidate.seen_of_bad)
        )
        if self._tolerance is not None:
            a, b = worse_rates(tally, self._tolerance)
            counts = (count[:, None].astype(float) for count in (n_a, bad_a, n_b, bad_b))
            self._margin.add(margin.log_e_all(*counts, a=a, b=b, d=self._tolerance))
        if self._absolute is not None:
            self._absolute.add(baseline_n=n_a, baseline_bad=bad_a, candidate_n=n_b, candidate_bad=bad_b)

    def is_shared(self) -> bool:
        """Both arms are beyond the absolute limit."""
        return self._absolute is not None and self._absolute.is_shared()

    def log_e(self) -> float:
        """ln of the metric's e-value."""
        compared = self._kernel.total()
        if self._tolerance is not None:
            compared = min(compared, self._margin.total())
        if self._absolute is None:
            return compared
        return float(np.logaddexp(compared, self._absolute.log_e())) - math.log(2.0)
