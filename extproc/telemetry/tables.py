"""Counts, gauges and histograms as plain tables that cores can fill; no Prometheus, no I/O, no clock.

Adding is one dictionary operation (0.1-0.2 us), so the request path can afford it; rendering happens when somebody
scrapes. Every table is bounded: label values come from manifests, but a mistake there must not eat the memory.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

# Services x versions x cohorts x classes of a large deployment are some hundreds; past this everything is "other".
LABEL_SETS_MAX = 2_000
OTHER = "other"

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's public face. `buckets_s` are upper edges in seconds, of a histogram only."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets_s: tuple[float, ...] = ()


class Counter:
    """Monotone counts by label set."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, int] = {}

    def add(self, labels: Labels = (), count: int = 1) -> None:
        values = self.values
        if labels in values:
            values[labels] += count
        else:
            bounded = _bounded(self.metric, values, labels)
            values[bounded] = values.get(bounded, 0) + count

    def set_total(self, total: int, labels: Labels = ()) -> None:
        """For a count that is kept elsewhere (Envoy's own, the ledger's)."""
        self.values[_bounded(self.metric, self.values, labels)] = total


@dataclass(slots=True)
class Bins:
    """Counts per bin (one more than edges: the last is above all of them) and the sum of values."""

    counts: list[int]
    sum_s: float = 0.0


@dataclass(slots=True)
class Histogram:
    """Binned values by label set: seconds, or a ratio from 0 to 1."""

    metric: Metric
    values: dict[Labels, Bins] = field(default_factory=dict)

    def observe(self, value_s: float, labels: Labels = (), count: int = 1) -> None:
        """`count`: so many of that value each."""
        bins = self.values.get(labels) or self._bins(labels)
        # Prometheus buckets are "less than or equal": a value on an edge belongs to that edge's bin.
        bins.counts[bisect_left(self.metric.buckets_s, value_s)] += count
        bins.sum_s += value_s * count

    def add(self, counts: Iterable[tuple[int, int]], sum_s: float, labels: Labels = ()) -> None:
        """Add values that were binned elsewhere: (bin, count), and their sum."""
        bins = self._bins(labels)
        for number, count in counts:
            bins.counts[number] += count
        bins.sum_s += sum_s

    def _bins(self, labels: Labels) -> Bins:
        bins = self.values.get(labels)
        if bins is None:
            labels = _bounded(self.metric, self.values, labels)
            bins = self.values.setdefault(labels, Bins([0] * (len(self.metric.buckets_s) + 1)))
        return bins


Table = Counter | Histogram


def _bounded(metric: Metric, values: dict[Labels, int] | dict[Labels, Bins], labels: Labels) -> Labels:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} takes labels {metric.labels}, got {len(labels)}")
    if labels in values or len(values) < LABEL_SETS_MAX:
        return labels
    return (OTHER,) * len(labels)
