"""Histograms of a row, checked: counts that cannot be true are refused before anything reads them. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from controlplane.ingest.errors import BadReportError
from controlplane.ingest.rows import HistogramCount
from serinus.contract.edge import BIN_BITS, BIN_COUNT
from serinus.contract.metric import TOGETHER_MAX
from serinus.contract.slot import SLOT_US

# Distinct keys in one row: as many as of a share metric.
KEYS_MAX = 100_000
Firsts = tuple[Sequence[str], Sequence[int], Sequence[int]]  # metrics observed together, keys, firsts


def bins_of(bins: Sequence[int], counts: Sequence[int], *, requests: int) -> dict[int, int]:
    """Observations by bin, of a row of so many requests. Raises BadReportError."""
    if len(bins) != len(counts):
        raise BadReportError(f"{len(bins)} bins, {len(counts)} counts")
    if any(low >= high for low, high in pairwise(bins)) or (bins and bins[-1] >= BIN_COUNT):
        raise BadReportError(f"bins are ascending and below {BIN_COUNT}")
    if not all(counts) or sum(counts) > requests:
        raise BadReportError(f"{sum(counts)} observations of {requests} requests, none in some bin")
    return dict(zip(bins, counts, strict=True))


def histograms_of(bins: Mapping[str, Mapping[int, int]], together: Iterable[Firsts]) -> dict[str, HistogramCount]:
    """The histograms of a row: its bins by metric, with each key's earliest observation. Raises BadReportError."""
    by_metric: dict[str, dict[int, int]] = {metric: {} for metric in bins}
    for metrics, keys, firsts in together:
        _check(metrics, keys, firsts, bins)
        for place, metric in enumerate(reversed(metrics)):
            own = _own(firsts, place * BIN_BITS, len(metrics) * BIN_BITS)
            _merge(by_metric[metric], zip(keys, own, strict=True))
    for metric, by_key in by_metric.items():
        for number, count in Counter([first % BIN_COUNT for first in by_key.values()]).items():
            if count > bins[metric].get(number, 0):
                raise BadReportError(f"{metric}: {count} keys came first in bin {number}, which holds less")
    return {metric: HistogramCount(counts, by_metric[metric]) for metric, counts in bins.items()}


def _check(metrics: Sequence[str], keys: Sequence[int], firsts: Sequence[int], bins: Mapping[str, object]) -> None:
    if not 0 < len(metrics) <= TOGETHER_MAX or len(set(metrics)) < len(metrics) or not set(metrics) <= bins.keys():
        raise BadReportError(
            f"firsts of {list(metrics[:TOGETHER_MAX])}: at most {TOGETHER_MAX} metrics of the row, once"
        )
    if len(keys) != len(firsts):
        raise BadReportError(f"{len(keys)} keys, {len(firsts)} firsts")
    if len(keys) > KEYS_MAX:
        raise BadReportError(f"more than {KEYS_MAX} keys in one row")
    if len(set(keys)) < len(keys):
        raise BadReportError("a key stands twice")
    if firsts and max(firsts) >= SLOT_US << BIN_BITS * len(metrics):
        raise BadReportError("a first that began after its slot")


def _own(firsts: Sequence[int], place_bits: int, all_bits: int) -> Iterable[int]:
    """Start and one metric's bin, of firsts of several metrics."""
    if all_bits == BIN_BITS:
        return firsts  # of one metric they are that already
    return (first >> all_bits << BIN_BITS | first >> place_bits & BIN_COUNT - 1 for first in firsts)


def _merge(known: dict[int, int], firsts: Iterable[tuple[int, int]]) -> None:
    if not known:
        known.update(firsts)  # no key stands twice in one table
        return
    for key, first in firsts:
        if first < known.get(key, first + 1):
            known[key] = first
