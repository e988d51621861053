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
    before, and its bin now; where each group that is there begins."""

    groups: Ints
    previous: Ints
    bins: Ints
    begins: Ints

    @classmethod
    def of(cls, groups: Ints, previous: Ints, bins: Ints) -> "Firsts":
        begins = np.flatnonzero(groups[1:] != groups[:-1]) + 1
        return cls(groups, previous, bins, np.concatenate([[0], begins]) if len(groups) else begins)


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
        opened = np.searchsorted(self._starts.slots, keys.previous, side="right")
        is_live = (self._starts.slots <= slot) & (self._edges[:, :, 0] != _UNFIXED)
        counted = (np.arange(component_count) >= opened[:, None]) & is_live[keys.groups >> 1]
        return tails(keys, counted, by_arm(self._edges, shifts))


def by_arm(edges: Ints, shifts: Ints) -> Ints:
    """Edges (metrics, x, edges) of each group: to move the candidate down is to move its edges up."""
    both = np.repeat(edges, 2, axis=0)
    both[1::2] += shifts[:, None, None]
    return both


def tails(keys: Firsts, counted: Bools, edges: Ints) -> Tails:
    """`counted` (keys, x) says which keys count in which x; `edges` (groups, x or 1, edges)."""
    above = (keys.bins[:, None, None] > edges[keys.groups]) & counted[..., None]
    return Tails(*(_by_group(values, keys, len(edges)) for values in (counted, above)))


def _by_group(values: Bools, keys: Firsts, group_count: int) -> Ints:
    sums: Ints = np.zeros((group_count, *values.shape[1:]), dtype=np.int64)
    if len(keys.begins):
        sums[keys.groups[keys.begins]] = np.add.reduceat(values, keys.begins, axis=0, dtype=np.int64)
    return sums.reshape(group_count // 2, 2, *values.shape[1:])
