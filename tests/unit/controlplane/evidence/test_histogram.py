import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.evidence.histogram import (
    EDGE_OBSERVATIONS_MIN,
    BaselineTally,
    above,
    bins_covering,
    bins_within,
    dense,
    factor_of,
    size_words,
)


@pytest.mark.parametrize(
    ("factor", "within", "covering"), [(1.0, 0, 0), (1.05, 0, 1), (1.1, 1, 2), (1.25, 2, 3), (2.0, 8, 8)]
)
def test_a_margin_is_a_whole_shift_on_its_cautious_side(factor: float, within: int, covering: int) -> None:
    assert (bins_within(factor), bins_covering(factor)) == (within, covering)
    assert factor_of(within) <= factor * 1.001
    assert factor_of(covering) >= factor * 0.999


@given(
    st.dictionaries(st.integers(0, 255), st.integers(1, 9)),
    st.lists(st.integers(0, 255), min_size=1),
    st.integers(0, 99),
)
def test_a_shift_is_the_count_above_the_edge_of_each_observation_moved_down(
    bins: dict[int, int], edges: list[int], shift: int
) -> None:
    expected = [sum(count for bin_, count in bins.items() if bin_ - shift > edge) for edge in edges]
    assert above(dense([bins]), np.array([edges]) + shift).tolist() == [expected]


def test_edges_are_the_quantiles_of_what_the_baseline_did_and_the_limits() -> None:
    tally = BaselineTally(1)
    tally.add(dense([dict.fromkeys(range(1, 100), 2) | {100: 1}]))
    assert tally.edges(0, ()) is None, "199 are too few"
    tally.add(dense([{100: 1}]))
    assert EDGE_OBSERVATIONS_MIN == 200
    edges = tally.edges(0, (200,))
    assert edges is not None
    assert edges.tolist() == [50, 75, 90, 95, 99, 200]


def test_the_tally_follows_a_baseline_that_has_moved() -> None:
    tally = BaselineTally(1)
    for _ in range(20):
        tally.add(dense([{100: 1000}]))
    for _ in range(20):
        tally.add(dense([{120: 1000}]))
    edges = tally.edges(0, ())
    assert edges is not None
    assert edges.tolist() == [120] * 5


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (850.4, "us", "850 µs"),
        (1_000.0, "us", "1 ms"),
        (819_700.0, "us", "820 ms"),
        (1_234_567.0, "us", "1.23 s"),
        (512.0, "tokens", "512 tokens"),
        (7.5, "", "7.5"),
    ],
)
def test_a_size_is_said_as_people_read_it(value: float, unit: str, words: str) -> None:
    assert size_words(value, unit) == words
