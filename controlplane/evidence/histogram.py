"""Logarithmic histograms as the judge reads them: bins are whole numbers, eight to a doubling; nothing is estimated.

How many observations lie in bins above an edge is an exact count, so no error of a sketch enters a test. A factor of
gamma^m = 2^(m/8) is a shift by m bins, exactly. Edges are taken from what the baseline did *before* they are used.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain

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


def dense(bins: Sequence[Mapping[int, int]]) -> Ints:
    """Counts by bin, a row each."""
    counts = np.zeros((len(bins), BIN_COUNT), dtype=np.int64)
    rows = np.repeat(np.arange(len(bins)), list(map(len, bins)))
    columns = np.fromiter(chain.from_iterable(bins), dtype=np.int64, count=len(rows))
    counts[rows, columns] = np.fromiter(chain.from_iterable(row.values() for row in bins), dtype=np.int64)
    return counts


def above(counts: Ints, edges: Ints) -> Ints:
    """How many observations lie above each edge: `counts` (rows, bins), `edges` (rows, edges), a bin or past them."""
    upwards = np.zeros((len(counts), BIN_COUNT + 1), dtype=np.int64)
    upwards[:, :-1] = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.take_along_axis(upwards, np.clip(edges + 1, 0, BIN_COUNT), axis=1)


def size_words(value: float, unit: str) -> str:
    """A size for people; `unit` as the contract names it: microseconds become what is read at a glance."""
    if unit != "us":
        return f"{value:.4g} {unit}".rstrip()
    if value < 1e3:
        return f"{value:.0f} µs"
    return f"{value / 1e3:.3g} ms" if value < 1e6 else f"{value / 1e6:.3g} s"


class BaselineTally:
    """The baseline's recent distribution, a row a metric: counts by bin, forgetting by halves past 10,000 of them."""

    def __init__(self, metric_count: int) -> None:
        self._counts: Floats = np.zeros((metric_count, BIN_COUNT))
        self._n: Floats = np.zeros(metric_count)

    def add(self, counts: Ints) -> None:
        self._counts += counts
        self._n = self._counts.sum(axis=1)
        if self._n.max() > _TALLY_MAX:
            self._counts *= np.where(self._n > _TALLY_MAX, _TALLY_MAX / 2.0 / np.maximum(self._n, 1.0), 1.0)[:, None]

    def edges(self, metric: int, limits: tuple[int, ...]) -> Ints | None:
        """The quantiles' bins and the `limits`, or None while too little was seen."""
        n = float(self._counts[metric].sum())
        if n < EDGE_OBSERVATIONS_MIN:
            return None
        running = self._counts[metric].cumsum()
        quantiles = np.searchsorted(running, np.array(QUANTILES) * n * (1.0 - 1e-9))
        return np.concatenate([quantiles, np.array(limits, dtype=np.int64)])
