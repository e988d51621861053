"""Counts per component against the plain double loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.keys import NEVER
from controlplane.evidence.mixture import COMPONENTS_MAX, Starts
from controlplane.evidence.tails import ComponentEdges, Firsts

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
    edges = ComponentEdges(starts, 3)
    first = edge_sets[0] or [1, 2, 3]
    edges.fix(np.array(first))
    own: list[list[int] | None] = [first]
    start = 10
    for gap, chosen in zip(gaps, edge_sets[1:], strict=False):
        start += gap
        edges.opened(starts.restart(start), None if chosen is None else np.array(chosen))
        own.append(chosen)
    tails = edges.count(
        Firsts(np.array([k[0] for k in keys], dtype=np.int64), np.array([k[1] for k in keys], dtype=np.int64)),
        slot,
        shift=shift,
    )
    for component, since in enumerate(starts.slots.tolist()):
        chosen = own[component]
        fresh = [bin_ - shift for previous, bin_ in keys if previous < since <= slot and chosen is not None]
        assert tails.n[component] == len(fresh)
        assert tails.above[component].tolist() == [sum(bin_ > edge for bin_ in fresh) for edge in chosen or [0, 0, 0]]


def test_components_wait_for_their_edges_and_the_one_that_stops_takes_its_own_along() -> None:
    starts = Starts()
    starts.begin_step(0)
    edges = ComponentEdges(starts, 1)
    assert not edges.is_fixed
    for slot in range(1, COMPONENTS_MAX + 1):
        edges.opened(starts.restart(slot), None)
    key = Firsts(np.array([NEVER]), np.array([9]))
    assert edges.count(key, 99).n.sum() == 0
    edges.fix(np.array([5]))
    assert edges.is_fixed
    assert edges.count(key, 99).above[:, 0].tolist() == [1] * COMPONENTS_MAX
