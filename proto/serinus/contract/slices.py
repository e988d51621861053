"""Slices: requests told apart by what they are, in declared dimensions of a few declared values each.

A dimension's first value whose condition holds is the request's, else `other`: so the number of slices is bounded
before the first request, and nothing that a client sends becomes a name. What a version does is no condition: a slice
is the same in both arms. On its way a request's slices are one word, `region=eu,device=other`: dimensions by name, so
that a policy that changes meanwhile mixes nothing up. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from serinus.contract.condition import Condition

OTHER = "other"
DIMENSIONS_MAX = 4
VALUES_MAX = 16
# Values of all dimensions multiplied, `other` among them: as many rows a slot and version are reported.
COMBINATIONS_MAX = 64
# Names of 63 characters, four dimensions.
WORD_CHARS_MAX = DIMENSIONS_MAX * 128


@dataclass(frozen=True, slots=True)
class SliceValue:
    """One value of a dimension, and who it is of."""

    name: str
    when: Condition


@dataclass(frozen=True, slots=True)
class SliceDimension:
    """Its values in the order in which they are asked."""

    name: str
    values: tuple[SliceValue, ...]


def word_of(values: Mapping[str, str]) -> str:
    """Dimension -> value, as one word; "" without any."""
    return ",".join(f"{dimension}={value}" for dimension, value in values.items())


@lru_cache(4_096)
def _pairs(word: str) -> tuple[tuple[str, str], ...]:
    parts = (part.partition("=") for part in word.split(",") if part)
    return tuple((dimension, value) for dimension, _, value in parts)


def values_in(word: str) -> dict[str, str]:
    """Dimension -> value. What is no such word says nothing."""
    return {dimension: value for dimension, value in _pairs(word) if dimension and value}
