"""Rows of several sidecars -> closed slots of one rollout, as strata for the judge.

A slot closes once and is handed over in order. Rows add up whatever their order; a key that was bad in one row is bad
in the slot, and of its observations in histograms the one that started first counts, whichever sidecar saw it. A row of
a slot that was handed over already is late: counted, never judged. Rows of other rollouts and of versions that are no
arm are not looked at; rows that are not randomised (no weight class) count nowhere here.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

from controlplane.evidence.strata import BinCounts, MetricCounts, Stratum
from controlplane.ingest.rows import HistogramCount, MetricCount, Row
from serinus.contract.arm import Arm
from serinus.contract.edge import BIN_COUNT
from serinus.contract.slices import values_in, word_of

# Slots that may wait for their closing: a follow-up is some minutes at most; past this the oldest close as they are.
OPEN_SLOTS_MAX = 3_600
# A sidecar whose clock is ahead by more than this is not believed: its rows would hold back nothing but never close.
AHEAD_S_MAX = 30

_Key = tuple[str, str, int, str]  # snapshot, weight class, weight, part


@dataclass(slots=True)
class _Sum:
    observed: int = 0
    bad: int = 0
    keys_ok: set[int] = field(default_factory=set)
    keys_bad: set[int] = field(default_factory=set)

    def add(self, count: MetricCount) -> None:
        self.observed += count.observed
        self.bad += count.bad
        self.keys_bad |= count.keys_bad
        self.keys_ok |= count.keys_ok
        self.keys_ok -= self.keys_bad

    def frozen(self) -> MetricCounts:
        return MetricCounts(self.observed, self.bad, frozenset(self.keys_ok), frozenset(self.keys_bad))


@dataclass(slots=True)
class _Bins:
    bins: dict[int, int] = field(default_factory=dict)
    firsts: dict[int, int] = field(default_factory=dict)

    def add(self, count: HistogramCount) -> None:
        for number, observed in count.bins.items():
            self.bins[number] = self.bins.get(number, 0) + observed
        firsts = self.firsts
        for key, first in count.firsts.items():
            if first < firsts.get(key, first + 1):
                firsts[key] = first

    def frozen(self) -> BinCounts:
        return BinCounts(self.bins, {key: first % BIN_COUNT for key, first in self.firsts.items()})


@dataclass(slots=True)
class _Arm:
    """What one arm did in one stratum, by metric."""

    shares: dict[str, _Sum] = field(default_factory=dict)
    sizes: dict[str, _Bins] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        for name, count in row.metrics.items():
            self.shares.setdefault(name, _Sum()).add(count)
        for name, histogram in row.histograms.items():
            self.sizes.setdefault(name, _Bins()).add(histogram)


@dataclass(slots=True)
class RoutingCount:
    """What was seen of one snapshot: randomised outcomes, and those that went where their bucket does not belong."""

    outcomes: int = 0
    mismatches: int = 0


def takes(row: Row, rollout: str, versions: Container[str], now_slot: int) -> bool:
    """Whether a row may be evidence of a rollout: randomised, of one of its versions, of no second far ahead."""
    is_ours = row.rollout == rollout and row.version in versions
    return is_ours and bool(row.weight_class) and row.slot <= now_slot + AHEAD_S_MAX


class SlotMerge:
    """Mutable, single-threaded, no clock."""

    def __init__(self, *, rollout: str, baseline: str, candidate: str, within: Container[str] = ()) -> None:
        """`within`: dimensions of slices whose values are compared one by one."""
        self._within = within
        self._rollout = rollout
        self._arms = {baseline: Arm.BASELINE, candidate: Arm.CANDIDATE}
        self._open: dict[int, dict[_Key, dict[Arm, _Arm]]] = {}
        self.closed_through: int | None = None
        self.late_requests = 0
        self._routing: dict[str, RoutingCount] = {}

    def routing(self, snapshot: str) -> RoutingCount:
        """The routing count of a snapshot, live: also of slots that are not closed yet."""
        return self._routing.get(snapshot, RoutingCount())

    def add(self, rows: Iterable[Row], *, now_slot: int) -> None:
        """Take the rows of one batch in. `now_slot` is the control plane's second, to refuse slots far ahead."""
        for row in rows:
            if not takes(row, self._rollout, self._arms, now_slot):
                continue
            self._count_routing(row)
            if self.closed_through is not None and row.slot <= self.closed_through:
                self.late_requests += row.requests
                continue
            strata = self._open.setdefault(row.slot, {})
            arms = strata.setdefault((row.snapshot, row.weight_class, row.weight_bp, self._part(row)), {})
            arms.setdefault(self._arms[row.version], _Arm()).add(row)

    def _part(self, row: Row) -> str:
        if not self._within:
            return ""
        values = values_in(row.slices)
        return word_of({name: value for name, value in values.items() if name in self._within})

    def _count_routing(self, row: Row) -> None:
        count = self._routing.setdefault(row.snapshot, RoutingCount())
        count.outcomes += row.requests
        count.mismatches += row.routing_mismatches

    def close(self, through_slot: int) -> Iterator[tuple[int, list[Stratum]]]:
        """Hand over every open slot up to `through_slot`, oldest first. A slot is handed over once."""
        if self.closed_through is not None and through_slot <= self.closed_through:
            return
        due = sorted(slot for slot in self._open if slot <= through_slot)
        excess = len(self._open) - len(due) - OPEN_SLOTS_MAX
        if excess > 0:
            due = sorted(self._open)[: len(due) + excess]
        self.closed_through = max([through_slot, *due[-1:]])
        for slot in due:
            yield slot, [self._stratum(slot, key, arms) for key, arms in sorted(self._open.pop(slot).items())]

    @staticmethod
    def _stratum(slot: int, key: _Key, arms: dict[Arm, _Arm]) -> Stratum:
        snapshot, weight_class, weight_bp, within = key
        baseline, candidate = (arms.get(arm, _Arm()) for arm in (Arm.BASELINE, Arm.CANDIDATE))
        return Stratum(
            slot=slot,
            snapshot=snapshot,
            weight_class=weight_class,
            weight_bp=weight_bp,
            baseline={name: count.frozen() for name, count in baseline.shares.items()},
            candidate={name: count.frozen() for name, count in candidate.shares.items()},
            baseline_bins={name: bins.frozen() for name, bins in baseline.sizes.items()},
            candidate_bins={name: bins.frozen() for name, bins in candidate.sizes.items()},
            within=within,
        )
