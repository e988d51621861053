"""Rollback evidence of one metric: is the candidate worse than the baseline, and by more than its tolerance?

Two e-processes over the same component starts:
- the kernel, over keys with their first bad event since the component's start;
- with a tolerance, the margin e-value of H0 {pB <= pA + tolerance}, over keys' first observations since that start.
With both the evidence is the smaller one: an e-value for the union of the two nulls, which no single one could be.
So three failures in 1e5 requests never roll back what is allowed to be 20 points worse.
"""

from dataclasses import dataclass

from controlplane.evidence import kernel, margin
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

    def __init__(self, starts: Starts, *, tolerance: float | None) -> None:
        self._starts = starts
        self._tolerance = tolerance
        self._kernel = Wealth(starts, bets=len(kernel.RATIOS))
        self._margin = Wealth(starts, bets=WORSE_BETS)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._kernel.opened(opened)
        self._margin.opened(opened)

    def fold(self, slot: int, weight: float, baseline: Previous, candidate: Previous, tally: Tally) -> None:
        """Take one stratum in; 0 < weight < 1. `tally` holds earlier slots only."""
        firsts = self._starts.firsts
        if len(baseline.bad) + len(candidate.bad):
            candidate_keys = firsts(candidate.bad, slot)
            self._kernel.add(kernel.log_e(firsts(baseline.bad, slot) + candidate_keys, candidate_keys, weight))
        if self._tolerance is not None:
            a, b = worse_rates(tally, self._tolerance)
            counts = (
                firsts(previous, slot)[:, None].astype(float)
                for previous in (baseline.seen, baseline.seen_of_bad, candidate.seen, candidate.seen_of_bad)
            )
            self._margin.add(margin.log_e_all(*counts, a=a, b=b, d=self._tolerance))

    def log_e(self) -> float:
        """ln of the metric's e-value."""
        if self._tolerance is None:
            return self._kernel.total()
        return min(self._kernel.total(), self._margin.total())
