"""Strata of an advance's evidence from the first step on, to be judged again against the next step's margin.

Each step asks about another excess, so its evidence cannot be carried over; the counts can. Kept with them is what the
tally said *before* the stratum was seen: judged later, each stratum still meets alternatives that were chosen without
it. At most 1,024 strata (17 minutes of seconds; 64 KB): what comes later is left to the steps' own evidence. The first
strata are kept, not the last: a product over a window that ends when somebody looks would be no e-value.
"""

from dataclasses import dataclass

import numpy as np

from controlplane.evidence import margin
from controlplane.evidence.alternatives import Counts, Estimates, good_enough_pairs
from controlplane.evidence.kernel import Floats

STRATA_MAX = 1_024
_ROWS_FIRST = 64


@dataclass(slots=True)
class History:
    """Mutable."""

    _rows: Floats
    _used: int = 0

    @classmethod
    def empty(cls) -> "History":
        return cls(np.empty((_ROWS_FIRST, 8), dtype=np.float64))

    def add(self, counts: Counts, estimates: Estimates) -> None:
        """`estimates` are of earlier strata only."""
        if self._used == STRATA_MAX or counts.baseline_n + counts.candidate_n == 0:
            return
        if self._used == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        columns = (counts.baseline_n, counts.baseline_bad, counts.candidate_n, counts.candidate_bad)
        self._rows[self._used] = (*columns, estimates.rare, estimates.baseline, estimates.candidate, estimates.alike)
        self._used += 1

    def log_e(self, d: float) -> Floats:
        """ln e per alternative of H0 {pB >= pA + d} over all strata kept."""
        columns = self._rows[: self._used].T
        n_a, bad_a, n_b, bad_b = (column[:, None] for column in columns[:4])
        a, b = good_enough_pairs(Estimates(*columns[4:]), d)
        total: Floats = margin.log_e_all(n_a, bad_a, n_b, bad_b, a=a.T, b=b.T, d=d).sum(axis=0)
        return total
