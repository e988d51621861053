"""Do the versions answer differently? Two-sided evidence from classes or bins of the answers, valid at every look.

The judge's kernel given the split (`bounds.py`), for each bin in both directions: "the candidate has more of it" and
"fewer". The mean of these e-values is an e-value, so under equal answers it ever reaches 1/alpha with probability at
most alpha, while PSI and its kin hold for one look. Different is not worse: a longer answer may be the better one, so
this notes. One observation a key, filed under the second in which its request began.
"""

import numpy as np

from controlplane.evidence.bounds import log_e
from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.series import Values, same_length, tallies
from controlplane.evidence.kernel import LOG_RATIOS, Floats

BINS_MAX = 256


class OutputDrift:
    """Mutable. Strata may come in any order; each once."""

    def __init__(self, bins: int) -> None:
        """Raises SeriesError (fewer than 2 or more than 256 bins)."""
        if not 2 <= bins <= BINS_MAX:
            raise SeriesError(f"{bins} bins", next_step=f"give 2..{BINS_MAX}")
        self._log_e: Floats = np.zeros((2, bins, len(LOG_RATIOS)))

    def add(self, baseline: Values, candidate: Values) -> None:
        """Counts of keys by bin (bins,) of one stratum. An arm that is empty says nothing. Raises SeriesError."""
        a, b = tallies(baseline, name="baseline"), tallies(candidate, name="candidate")
        same_length("bins, baseline and candidate", self._log_e[0, :, 0], a, b)
        k_a, k_b = a.astype(np.int64), b.astype(np.int64)
        # A bin that nobody is in says nothing.
        met = np.flatnonzero(k_a + k_b)
        n_a, n_b = np.full_like(met, k_a.sum()), np.full_like(met, k_b.sum())
        self._log_e[0, met] += log_e(n_a, k_a[met], n_b, k_b[met], lam=LOG_RATIOS)
        self._log_e[1, met] += log_e(n_b, k_b[met], n_a, k_a[met], lam=LOG_RATIOS)

    def log_e(self) -> float:
        """ln of the evidence that the answers differ: 0 says nothing, ln(1/alpha) at every look."""
        return float(np.logaddexp.reduce(self._log_e.ravel()) - np.log(self._log_e.size))

    def top(self) -> tuple[int, bool]:
        """The bin with the strongest evidence, and whether the candidate has *more* of it."""
        side, bin_, _ = np.unravel_index(int(self._log_e.argmax()), self._log_e.shape)
        return int(bin_), bool(side == 0)
