"""Tails of one slot per component: how many keys, first observed since a component's start, lie above its edges.

Edges belong to the weight step a component started in, so components come in runs with the same edges; within a run a
key's bin becomes one of (edges + 1) classes, and two cumulative sums give every count. A component without edges (the
baseline had shown too little) counts nothing.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.kernel import Ints
from controlplane.evidence.mixture import Opened, Starts

_UNFIXED = -1


@dataclass(frozen=True, slots=True)
class Firsts:
    """Keys of one arm in one slot: the slot each was observed in before, and its bin now."""

    previous: Ints
    bins: Ints


@dataclass(frozen=True, slots=True)
class Tails:
    """Per component: keys counted, and those of them above each edge."""

    n: Ints  # (components,)
    above: Ints  # (components, edges)


class ComponentEdges:
    """Mutable; follows `Starts`."""

    def __init__(self, starts: Starts, edge_count: int) -> None:
        self._starts = starts
        self._edges: Ints = np.full((len(starts.slots), edge_count), _UNFIXED, dtype=np.int64)
        self._runs: list[tuple[int, int]] = [(0, len(starts.slots))]

    @property
    def is_fixed(self) -> bool:
        """Every component has its edges."""
        return bool(self._edges[-1, 0] != _UNFIXED)

    def fix(self, edges: Ints) -> None:
        """Give edges to the components that have none."""
        self._edges[self._edges[:, 0] == _UNFIXED] = edges
        self._cut()

    def opened(self, opened: Opened, edges: Ints | None) -> None:
        """A component has started, with these edges."""
        if opened.stopped is not None:
            self._edges = np.delete(self._edges, opened.stopped, axis=0)
        row = np.full(self._edges.shape[1], _UNFIXED) if edges is None else edges
        self._edges = np.vstack([self._edges, row])
        self._cut()

    def count(self, keys: Firsts, slot: int, *, shift: int = 0) -> Tails:
        """Count `keys` of `slot`, their bins moved `shift` down."""
        component_count, edge_count = self._edges.shape
        opened = np.searchsorted(self._starts.slots, keys.previous, side="right")
        n = np.bincount(opened, minlength=component_count + 1)[:component_count].cumsum()
        above = np.zeros((component_count, edge_count), dtype=np.int64)
        for first, end in self._runs:
            edges = self._edges[first]
            if edges[0] == _UNFIXED:
                n[first:end] = 0
                continue
            order = np.argsort(edges)
            # Class c: above exactly the c lowest edges. Components from `opened` on count the key.
            classes = np.searchsorted(edges[order], keys.bins - shift, side="left")
            place = np.maximum(opened, first) * (edge_count + 1) + classes
            counts = np.bincount(place, minlength=(component_count + 2) * (edge_count + 1))
            in_run = counts.reshape(-1, edge_count + 1)[first:end].cumsum(axis=0)
            higher = in_run[:, ::-1].cumsum(axis=1)[:, ::-1]
            above[first:end, order] = higher[:, 1:]
        started = self._starts.slots <= slot
        return Tails(np.where(started, n, 0), np.where(started[:, None], above, 0))

    def _cut(self) -> None:
        """Runs of neighbouring components with the same edges."""
        changes = np.flatnonzero((np.diff(self._edges, axis=0) != 0).any(axis=1)) + 1
        cuts = [0, *changes.tolist(), len(self._edges)]
        self._runs = list(itertools.pairwise(cuts))
