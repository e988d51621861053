"""Histograms of a row, checked: counts that cannot be true are refused before anything reads them. Pure."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from controlplane.ingest.errors import BadReportError
from controlplane.ingest.rows import HistogramCount
from serinus.contract.edge import BIN_COUNT
from serinus.contract.slot import SLOT_US

# Distinct keys in one row: as many as of a share metric.
KEYS_MAX = 100_000
_FIRST_END = SLOT_US * BIN_COUNT


def histogram_of(
    bins: Sequence[int], counts: Sequence[int], keys: Sequence[int], firsts: Sequence[int], *, requests: int
) -> HistogramCount:
    """The histogram of a row of so many requests. Raises BadReportError."""
    if len(bins) != len(counts) or len(keys) != len(firsts):
        raise BadReportError(f"{len(bins)} bins, {len(counts)} counts, {len(keys)} keys, {len(firsts)} firsts")
    if any(low >= high for low, high in pairwise(bins)) or (bins and bins[-1] >= BIN_COUNT):
        raise BadReportError(f"bins are ascending and below {BIN_COUNT}")
    if not all(counts) or sum(counts) > requests:
        raise BadReportError(f"{sum(counts)} observations of {requests} requests, none in some bin")
    if len(keys) > KEYS_MAX:
        raise BadReportError(f"more than {KEYS_MAX} keys in one row")
    if firsts and max(firsts) >= _FIRST_END:
        raise BadReportError("a first that began after its slot")
    by_bin = dict(zip(bins, counts, strict=True))
    by_key = dict(zip(keys, firsts, strict=True))
    if len(by_key) < len(keys):
        raise BadReportError("a key stands twice")
    for number, count in Counter(first % BIN_COUNT for first in firsts).items():
        if count > by_bin.get(number, 0):
            raise BadReportError(f"{count} keys came first in bin {number}, which holds {by_bin.get(number, 0)}")
    return HistogramCount(by_bin, by_key)
