import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.contract.edge import BIN_COUNT, UPPER_EDGES, bin_of, lower_edge

# Values and their bins, computed by hand: 2^(i/8) for i = 8, 80, 106, 107.
GOLDEN = {1: 0, 2: 8, 3: 12, 4: 16, 1_023: 79, 1_024: 80, 9_741: 105, 9_742: 106, 10_623: 106, 10_624: 107}


@pytest.mark.parametrize(("value", "number"), GOLDEN.items())
def test_both_planes_put_a_value_in_the_same_bin(value: int, number: int) -> None:
    assert bin_of(value) == number


@given(st.integers(1, 2**32 - 1))
def test_a_bin_is_from_one_power_of_the_eighth_root_of_two_to_below_the_next(value: int) -> None:
    """In whole numbers: 2^i <= value^8 < 2^(i+1)."""
    assert bin_of(value) == (value**8).bit_length() - 1


@pytest.mark.parametrize(("value", "number"), [(-(2**70), 0), (-1, 0), (0, 0), (2**32, 255), (2**70, 255)])
def test_what_is_out_of_range_falls_in_the_first_or_the_last_bin(value: int, number: int) -> None:
    assert bin_of(value) == number


@given(st.integers(1, 2**28))
def test_twice_the_value_is_eight_bins_on(value: int) -> None:
    assert bin_of(2 * value) == bin_of(value) + 8


def test_a_bin_begins_at_its_lower_edge_and_is_at_most_nine_per_cent_wide() -> None:
    for number in range(29, BIN_COUNT):
        assert bin_of(lower_edge(number)) == number
        assert bin_of(lower_edge(number) - 1) == number - 1
    assert lower_edge(0) == 0
    assert all(high / low < 1.0906 for low, high in itertools.pairwise(UPPER_EDGES[150:]))
