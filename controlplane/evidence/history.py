"""Strata of an advance's evidence from the first step on, to be judged again against the next step's margin.

Each step asks about another excess, so its evidence cannot be carried over; the counts can. Kept with them is what the
tally said *before* the stratum was seen: judged later, each stratum still meets alternatives that were chosen without
it. At most 1,024 strata (17 minutes of seconds) and 16,384 over all metrics of a rollout, 32 bytes each: what comes
later is left to the steps' own evidence. The first strata are kept, not the last: a product over a window that ends
when somebody looks would be no e-value. Estimates are kept with 24 bits: they choose what is bet on, and any
choice made beforehand is honest.
"""

import numpy as np
import numpy.typing as npt

from controlplane.evidence import margin
from controlplane.evidence.alternatives import Estimates, good_enough_pairs
from controlplane.evidence.kernel import Bools, Floats, Ints

STRATA_MAX = 1_024
STRATA_MAX_OF_ALL = 16_384
_ROWS_FIRST = 32
_COUNT_MAX = np.iinfo(np.uint32).max


class History:
    """Mutable; of `size` evidences."""

    def __init__(self, size: int) -> None:
        self._rows_max = max(1, min(STRATA_MAX, STRATA_MAX_OF_ALL // size))
        self._used: Ints = np.zeros(size, dtype=np.int64)
        rows = min(_ROWS_FIRST, self._rows_max)
        self._counts: npt.NDArray[np.uint32] = np.zeros((size, rows, 4), dtype=np.uint32)
        self._rates: npt.NDArray[np.float32] = np.zeros((size, rows, 4), dtype=np.float32)

    def add(self, counts: Floats, estimates: Estimates, first: int = 0) -> None:
        """One stratum of the evidences from `first` on; `estimates` are of earlier strata only.

        Left out where nobody was observed, and where more than 2^32 were: by how many, never by how they fared."""
        n = counts[:, 0] + counts[:, 2]
        used = self._used[first : first + len(counts)]
        kept: Bools = (n > 0) & (n <= _COUNT_MAX) & (used < self._rows_max)
        if not kept.any():
            return
        while used[kept].max() >= self._counts.shape[1]:
            self._grow()
        of, rows = np.flatnonzero(kept) + first, used[kept]
        self._counts[of, rows] = counts[kept]
        rates = (estimates.rare, estimates.baseline, estimates.candidate, estimates.alike)
        self._rates[of, rows] = np.stack(rates, axis=1)[kept]
        self._used[of] += 1

    def log_e(self, evidences: Ints, d: Floats) -> Floats:
        """ln e per alternative of H0 {pB >= pA + d} over all strata kept, of some evidences. Shape (evidences, 3)."""
        counts = self._counts[evidences].astype(np.float64)
        rates = self._rates[evidences].astype(np.float64)
        a, b = good_enough_pairs(Estimates(*np.moveaxis(rates, 2, 0)), d[:, None])
        n_a, bad_a, n_b, bad_b = np.moveaxis(counts, 2, 0)[..., None]
        total: Floats = margin.log_e_all(n_a, bad_a, n_b, bad_b, a=a, b=b, d=d[:, None, None]).sum(axis=1)
        return total

    def _grow(self) -> None:
        more = min(self._counts.shape[1], self._rows_max - self._counts.shape[1])
        self._counts = np.concatenate([self._counts, np.zeros_like(self._counts[:, :more])], axis=1)
        self._rates = np.concatenate([self._rates, np.zeros_like(self._rates[:, :more])], axis=1)
