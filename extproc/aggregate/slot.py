"""One finished request as the aggregation takes it, and the counts of one slot row as it hands them over."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from serinus.contract.metric import Measures
from serinus.contract.outcome import OutcomeClass


@dataclass(slots=True)
class Outcome:
    """What happened to one request. Treated as frozen; times in microseconds, the start since 1970.

    `key_hash` is the salted 64-bit hash of the sticky key, None without one. `finish_reason` None: not seen. `ttft_us`
    None: nothing came. `measures` are further values for histograms. `form`: one of `contract.metric.FORMS`, "" of a
    response that was not observed.
    """

    service: str
    rollout: str
    snapshot: str
    weight_bp: int
    weight_class: str
    cohort: str
    version: str
    start_us: int
    duration_us: int
    key_hash: int | None
    is_routing_mismatch: bool
    outcome_class: OutcomeClass
    finish_reason: str | None = None
    ttft_us: int | None = None
    measures: Measures = ()
    slices: str = ""
    form: str = ""


class RowKey(NamedTuple):
    """What the counts of one row share. A tuple: it is hashed once a request."""

    service: str
    rollout: str
    snapshot: str
    slot: int
    weight_bp: int
    weight_class: str
    cohort: str
    version: str
    slices: str = ""


@dataclass(slots=True)
class MetricCount:
    """Requests in which a metric could be told, the bad ones, and the distinct keys: never bad, bad at least once."""

    observed: int = 0
    bad: int = 0
    keys_ok: set[int] = field(default_factory=set)
    keys_bad: set[int] = field(default_factory=set)

    def add(self, requests: int, keys: Set[int], *, is_bad: bool) -> None:
        """Requests that were all bad, or all not, and the distinct keys behind them."""
        self.observed += requests
        if is_bad:
            self.bad += requests
            self.keys_bad.update(keys)
            self.keys_ok.difference_update(keys)
        else:
            self.keys_ok.update(keys - self.keys_bad if self.keys_bad else keys)


Bins = dict[int, int]  # bin -> observations
# Key -> the earliest request in which certain metrics were observed, with their bins, as `first_of` packs them.
Firsts = dict[int, int]


@dataclass(slots=True)
class RowCounts:
    """`histograms` by metric; `firsts` by the metrics that were observed together."""

    requests: int = 0
    routing_mismatches: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, MetricCount] = field(default_factory=dict)
    histograms: dict[str, Bins] = field(default_factory=dict)
    firsts: dict[tuple[str, ...], Firsts] = field(default_factory=dict)

    def add_bins(self, metric: str, counts: Iterable[tuple[int, int]]) -> None:
        bins = self.histograms.setdefault(metric, {})
        for number, count in counts:
            bins[number] = bins.get(number, 0) + count

    def add_firsts(self, metrics: tuple[str, ...], firsts: Firsts) -> None:
        """Takes `firsts` over."""
        known = self.firsts.get(metrics, {})
        if len(known) < len(firsts):
            known, firsts = firsts, known
        for key_hash, first in firsts.items():
            if first < known.get(key_hash, first + 1):
                known[key_hash] = first
        if known:
            self.firsts[metrics] = known


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one second reports: rows are what came since the last report (they add up), not whole slots.

    No later report holds a row of `closed_through_slot` or an older slot.
    """

    rows: dict[RowKey, RowCounts]
    closed_through_slot: int
    late_outcomes_total: int
