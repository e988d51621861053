"""Tails of one slot: how many keys of each metric and arm, first observed since a component's start, lie above edges.

A component's edges are those of the moment it started, each metric's its own. A component without edges (the baseline
had shown too little) counts nothing; an edge at the last bin has nothing above it and stands where a metric has fewer
edges than another.
"""

from dataclasses import dataclass

import numpy as np

from controlplane.evidence.kernel import Bools, Ints
from controlplane.evidence.mixture import Opened, Starts
from serinus.contract.edge import BIN_COUNT

NO_EDGE = BIN_COUNT
_UNFIXED = -1


@dataclass(frozen=True, slots=True)
class Firsts:
    """Keys of one slot, all metrics: groups ascend, 2 * metric + arm (1: the candidate); the slot each was observed in
    before, and its bin now."""

    groups: Ints
    previous: Ints
    bins: Ints


@dataclass(frozen=True, slots=True)
class Tails:
    """Per metric and arm, and whatever else was asked for: keys counted, and those of them above each edge."""

    n: Ints  # (metrics, 2, ...)
    above: Ints  # (metrics, 2, ..., edges)


class ComponentEdges:
    """Mutable; follows `Starts`."""

    def __init__(self, starts: Starts, metric_count: int, edge_count: int) -> None:
        self._starts = starts
        self._edges: Ints = np.full((metric_count, len(starts.slots), edge_count), _UNFIXED, dtype=np.int64)

    @property
    def is_fixed(self) -> Bools:
        """Per metric: every component has its edges."""
        fixed: Bools = self._edges[:, -1, 0] != _UNFIXED
        return fixed

    def fix(self, metric: int, edges: Ints) -> None:
        """Give edges to the components of a metric that have none."""
        of_metric = self._edges[metric]
        of_metric[of_metric[:, 0] == _UNFIXED] = edges

    def opened(self, opened: Opened, edges: Ints) -> None:
        """A component has started, with these edges (metrics, edges); `_UNFIXED` where there are none yet."""
        if opened.stopped is not None:
            self._edges = np.delete(self._edges, opened.stopped, axis=1)
        self._edges = np.concatenate([self._edges, edges[:, None]], axis=1)

    def count(self, keys: Firsts, slot: int, *, shifts: Ints) -> Tails:
        """Count `keys` of `slot` per component, the candidate's bins moved down by the metric's shift."""
        component_count = self._edges.shape[1]
        metrics = keys.groups >> 1
        opened = np.searchsorted(self._starts.slots, keys.previous, side="right")
        is_live = (self._starts.slots <= slot) & (self._edges[:, :, 0] != _UNFIXED)
        counted = (np.arange(component_count) >= opened[:, None]) & is_live[metrics]
        return tails(keys, counted, self._edges, shifts=shifts)


def tails(keys: Firsts, counted: Bools, edges: Ints, *, shifts: Ints) -> Tails:
    """`counted` (keys, x) says which keys count in which x; `edges` (metrics, x or 1, edges)."""
    metrics, arms = keys.groups >> 1, keys.groups & 1
    bins = keys.bins - shifts[metrics] * arms
    above = (bins[:, None, None] > edges[metrics]) & counted[..., None]
    return Tails(*(_by_group(values, keys.groups, len(edges)) for values in (counted, above)))


def _by_group(values: Bools, groups: Ints, metric_count: int) -> Ints:
    sums: Ints = np.zeros((2 * metric_count, *values.shape[1:]), dtype=np.int64)
    first = np.flatnonzero(np.diff(groups, prepend=-1))
    if len(first):
        sums[groups[first]] = np.add.reduceat(values, first, axis=0, dtype=np.int64)
    return sums.reshape(metric_count, 2, *values.shape[1:])
