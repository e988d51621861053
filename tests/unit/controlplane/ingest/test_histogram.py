"""Histograms of a row: what cannot be true is refused."""

import pytest

from controlplane.ingest import histogram
from controlplane.ingest.errors import BadReportError
from controlplane.ingest.histogram import histogram_of
from controlplane.ingest.rows import HistogramCount
from serinus.contract.edge import first_of
from serinus.contract.slot import SLOT_US


def test_bins_and_firsts_become_values() -> None:
    found = histogram_of([80, 255], [2, 1], [5, 6], [first_of(1, 80), first_of(2, 255)], requests=3)
    assert found == HistogramCount({80: 2, 255: 1}, {5: first_of(1, 80), 6: first_of(2, 255)})


def test_an_empty_histogram_is_one() -> None:
    assert histogram_of([], [], [], [], requests=0) == HistogramCount({}, {})


@pytest.mark.parametrize(
    ("bins", "counts", "keys", "firsts", "part"),
    [
        ([1], [], [], [], "1 bins, 0 counts"),
        ([], [], [1], [], "1 keys, 0 firsts"),
        ([2, 1], [1, 1], [], [], "ascending"),
        ([2, 2], [1, 1], [], [], "ascending"),
        ([256], [1], [], [], "below 256"),
        ([1, 2], [1, 0], [], [], "none in some bin"),
        ([1, 2], [5, 6], [], [], "11 observations of 10 requests"),
        ([1], [1], [7], [first_of(SLOT_US, 1)], "after its slot"),
        ([1], [2], [7, 7], [1, 1], "a key stands twice"),
        ([1], [1], [7, 8], [1, 1], "2 keys came first in bin 1, which holds 1"),
        ([1], [1], [7], [2], "1 keys came first in bin 2, which holds 0"),
    ],
)
def test_what_cannot_be_true_is_refused(
    bins: list[int], counts: list[int], keys: list[int], firsts: list[int], part: str
) -> None:
    with pytest.raises(BadReportError, match=part):
        histogram_of(bins, counts, keys, firsts, requests=10)


def test_more_keys_than_a_row_may_have_are_refused() -> None:
    keys = range(histogram.KEYS_MAX + 1)
    with pytest.raises(BadReportError, match="more than"):
        histogram_of([0], [len(keys)], keys, [0] * len(keys), requests=len(keys))
