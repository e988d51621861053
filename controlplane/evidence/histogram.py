"""Logarithmic histograms as the judge reads them: bins are whole numbers, eight to a doubling; nothing is estimated.

How many observations lie in bins above an edge is an exact count, so no error of a sketch enters a test. A factor of
gamma^m = 2^(m/8) is a shift by m bins, exactly. Edges are taken from what the baseline did *before* they are used.
"""

import math
from collections.abc import Mapping

import numpy as np

from controlplane.evidence.kernel import Floats, Ints
from controlplane.evidence.plan import QUANTILES
from serinus.contract.edge import BIN_COUNT, BINS_PER_DOUBLING

# Edges from fewer observations than this would stand anywhere; the p99 of 200 is its third largest.
EDGE_OBSERVATIONS_MIN = 200
_TALLY_MAX = 10_000.0


def bins_within(factor: float) -> int:
    """The largest shift that is no more than `factor`: what an advance may forgive. 1 % of a bin is rounding."""
    return math.floor(math.log2(factor) * BINS_PER_DOUBLING + 0.01)


def bins_covering(factor: float) -> int:
    """The smallest shift that is no less than `factor`: what a rollback must exceed."""
    return math.ceil(math.log2(factor) * BINS_PER_DOUBLING - 0.01)


def factor_of(bins: int) -> float:
    """2^(bins/8)."""
    return float(2.0 ** (bins / BINS_PER_DOUBLING))


def dense(bins: Mapping[int, int]) -> Ints:
    """Counts by bin."""
    counts = np.zeros(BIN_COUNT, dtype=np.int64)
    if bins:
        counts[np.fromiter(bins.keys(), dtype=np.int64)] = np.fromiter(bins.values(), dtype=np.int64)
    return counts


def above(counts: Ints, edges: Ints, *, shift: int = 0) -> Ints:
    """How many observations lie above each edge once they are moved `shift` bins down."""
    upwards = np.append(counts[::-1].cumsum()[::-1], 0)
    tail: Ints = upwards[np.clip(edges + shift + 1, 0, BIN_COUNT)]
    return tail


class BaselineTally:
    """The baseline's recent distribution: counts by bin, forgetting by halves past 10,000 observations."""

    def __init__(self) -> None:
        self._counts: Floats = np.zeros(BIN_COUNT)

    def add(self, counts: Ints) -> None:
        self._counts = self._counts + counts
        n = float(self._counts.sum())
        if n > _TALLY_MAX:
            self._counts = self._counts * (_TALLY_MAX / 2.0 / n)

    def edges(self, limits: tuple[int, ...]) -> Ints | None:
        """The quantiles' bins and the `limits`, or None while too little was seen."""
        n = float(self._counts.sum())
        if n < EDGE_OBSERVATIONS_MIN:
            return None
        running = self._counts.cumsum()
        quantiles = np.searchsorted(running, np.array(QUANTILES) * n * (1.0 - 1e-9))
        return np.concatenate([quantiles, np.array(limits, dtype=np.int64)])
