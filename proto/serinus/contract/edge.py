"""Bins of histograms: eight a doubling (gamma = 2^(1/8), 9 % wide), the same in every process, so that counts add up.

Values are whole numbers of a stated unit (`serinus.contract.metric`): microseconds, tokens. Bin i holds the values from
2^(i/8) to below 2^((i+1)/8). With 256 bins that is 1 us to 71.6 minutes; what is smaller falls in bin 0, what is larger
in the last. Because the edges are powers, "twice as slow" is a shift by eight bins, without approximation. Exact: the
edges come from whole numbers, never from a logarithm that could round one way here and another way there.
"""

from bisect import bisect_right
from math import isqrt

BINS_PER_DOUBLING = 8
BIN_BITS = 8
BIN_COUNT = 1 << BIN_BITS


def _eighth_root_of_power(exponent: int) -> int:
    """The smallest whole number that is at least 2^(exponent/8)."""
    floor = isqrt(isqrt(isqrt(1 << exponent)))
    return floor if floor**8 == 1 << exponent else floor + 1


# The first value above each bin but the last.
UPPER_EDGES = tuple(_eighth_root_of_power(number) for number in range(1, BIN_COUNT))


def bin_of(value: int) -> int:
    """The bin of a value, 0..255."""
    return bisect_right(UPPER_EDGES, value)


def lower_edge(number: int) -> int:
    """The smallest value of a bin; up to bin 23, which may be narrower than one unit, that of the next that has any."""
    return UPPER_EDGES[number - 1] if number else 0


def first_of(offset_us: int, *numbers: int) -> int:
    """A key's observation as one number, the smallest of which is the earliest: start in its slot, then its bins."""
    first = offset_us
    for number in numbers:
        first = first << BIN_BITS | number
    return first
