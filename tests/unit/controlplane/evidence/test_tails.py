"""Counts per component against the plain double loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.keys import NEVER
from controlplane.evidence.mixture import COMPONENTS_MAX, Starts
from controlplane.evidence.tails import NO_EDGE, ComponentEdges, Firsts, by_arm, tails

EDGES = st.lists(st.integers(0, 20), min_size=3, max_size=3)


@settings(max_examples=100, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 5), max_size=6),
    edge_sets=st.lists(st.none() | EDGES, min_size=7, max_size=7),
    keys=st.lists(st.tuples(st.integers(NEVER, 39), st.integers(0, 25)), max_size=20),
    slot=st.integers(10, 45),
    shift=st.integers(0, 3),
)
def test_each_component_counts_the_keys_it_has_not_met_above_its_own_edges(
    gaps: list[int], edge_sets: list[list[int] | None], keys: list[tuple[int, int]], slot: int, shift: int
) -> None:
    starts = Starts()
    starts.begin_step(10)
    edges = ComponentEdges(starts, 2, 3)
    first = edge_sets[0] or [1, 2, 3]
    edges.fix(1, np.array(first))
    own: list[list[int] | None] = [first]
    start = 10
    for gap, chosen in zip(gaps, edge_sets[1:], strict=False):
        start += gap
        edges.opened(starts.restart(start), np.array([[-1] * 3, [-1] * 3 if chosen is None else chosen]))
        own.append(chosen)
    previous, bins = (np.array([key[index] for key in keys], dtype=np.int64) for index in (0, 1))
    found = edges.count(Firsts.of(np.full(len(keys), 3), previous, bins), slot, shifts=np.array([0, shift]))
    assert not found.n[0].any()
    assert not found.n[1, 0].any()
    for component, since in enumerate(starts.slots.tolist()):
        chosen = own[component]
        fresh = [bin_ - shift for previous, bin_ in keys if previous < since <= slot and chosen is not None]
        assert found.n[1, 1, component] == len(fresh)
        assert found.above[1, 1, component].tolist() == [
            sum(bin_ > edge for bin_ in fresh) for edge in chosen or [0, 0, 0]
        ]


def test_components_wait_for_their_edges_and_the_one_that_stops_takes_its_own_along() -> None:
    starts = Starts()
    starts.begin_step(0)
    edges = ComponentEdges(starts, 1, 1)
    assert not edges.is_fixed.any()
    for slot in range(1, COMPONENTS_MAX + 1):
        edges.opened(starts.restart(slot), np.array([[-1]]))
    key = Firsts.of(np.array([0]), np.array([NEVER]), np.array([9]))
    unmoved = np.array([0])
    assert edges.count(key, 99, shifts=unmoved).n.sum() == 0
    edges.fix(0, np.array([5]))
    assert edges.is_fixed.all()
    assert edges.count(key, 99, shifts=unmoved).above[0, 0, :, 0].tolist() == [1] * COMPONENTS_MAX


def test_the_shift_moves_the_candidate_alone() -> None:
    keys = Firsts.of(np.array([0, 1]), np.array([NEVER, NEVER]), np.array([9, 9]))
    counted = tails(keys, np.ones((2, 1), dtype=bool), by_arm(np.array([[[8, NO_EDGE]]]), np.array([1])))
    assert counted.n[0, :, 0].tolist() == [1, 1]
    assert counted.above[0, :, 0].tolist() == [[1, 0], [0, 0]]
