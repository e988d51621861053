"""Histograms of a row: what cannot be true is refused."""

import pytest

from controlplane.ingest import histogram
from controlplane.ingest.errors import BadReportError
from controlplane.ingest.histogram import bins_of, histograms_of
from controlplane.ingest.rows import HistogramCount
from serinus.contract.edge import first_of
from serinus.contract.slot import SLOT_US

LATENCY, TTFT = {80: 2, 255: 1}, {40: 3}


def test_bins_and_counts_become_values() -> None:
    assert bins_of([80, 255], [2, 1], requests=3) == LATENCY
    assert bins_of([], [], requests=0) == {}


@pytest.mark.parametrize(
    ("bins", "counts", "part"),
    [
        ([1], [], "1 bins, 0 counts"),
        ([2, 1], [1, 1], "ascending"),
        ([2, 2], [1, 1], "ascending"),
        ([256], [1], "below 256"),
        ([1, 2], [1, 0], "none in some bin"),
        ([1, 2], [5, 6], "11 observations of 10 requests"),
    ],
)
def test_bins_that_cannot_be_are_refused(bins: list[int], counts: list[int], part: str) -> None:
    with pytest.raises(BadReportError, match=part):
        bins_of(bins, counts, requests=10)


def test_metrics_observed_together_are_told_apart() -> None:
    together = (["latency", "ttft"], [5, 6], [first_of(1, 80, 40), first_of(SLOT_US - 1, 255, 40)])
    assert histograms_of({"latency": LATENCY, "ttft": TTFT}, [together]) == {
        "latency": HistogramCount(LATENCY, {5: first_of(1, 80), 6: first_of(SLOT_US - 1, 255)}),
        "ttft": HistogramCount(TTFT, {5: first_of(1, 40), 6: first_of(SLOT_US - 1, 40)}),
    }


def test_of_a_key_that_was_observed_in_two_ways_the_earlier_request_counts() -> None:
    together = [(["latency", "ttft"], [5], [first_of(9, 80, 40)]), (["ttft"], [5], [first_of(3, 40)])]
    found = histograms_of({"latency": LATENCY, "ttft": TTFT}, together)
    assert (found["latency"].firsts, found["ttft"].firsts) == ({5: first_of(9, 80)}, {5: first_of(3, 40)})
    assert histograms_of({"latency": LATENCY, "ttft": TTFT}, reversed(together)) == found


def test_keys_are_not_needed() -> None:
    assert histograms_of({"latency": LATENCY}, []) == {"latency": HistogramCount(LATENCY, {})}


@pytest.mark.parametrize(
    ("metrics", "keys", "firsts", "part"),
    [
        ([], [1], [1], "at most 5 metrics"),
        (["tpot"], [1], [1], "of the row"),
        (["ttft", "ttft"], [1], [1], "once"),
        (["ttft"], [1], [], "1 keys, 0 firsts"),
        (["ttft"], [7, 7], [40, 40], "a key stands twice"),
        (["ttft"], [7], [first_of(SLOT_US, 40)], "after its slot"),
        (["ttft"], [7], [41], "1 keys came first in bin 41"),
        (["latency"], [7, 8], [255, 255], "2 keys came first in bin 255"),
    ],
)
def test_firsts_that_cannot_be_are_refused(metrics: list[str], keys: list[int], firsts: list[int], part: str) -> None:
    with pytest.raises(BadReportError, match=part):
        histograms_of({"latency": LATENCY, "ttft": TTFT}, [(metrics, keys, firsts)])


def test_more_keys_than_a_row_may_have_are_refused() -> None:
    keys = range(histogram.KEYS_MAX + 1)
    with pytest.raises(BadReportError, match="more than"):
        histograms_of({"ttft": TTFT}, [(["ttft"], keys, [0] * len(keys))])
