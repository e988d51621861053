"""Outcomes -> rows per second of start, handed over each second as what came since, so that failures travel at once.

Which outcomes are evidence is decided by the request's own times and is the same for every version: one that lasted
longer than its service's follow-up is late, whenever its slot closes. A slot closes when every request of its second
has had the longest follow-up of all services, and its log entry the time to arrive. Late outcomes are counted and are
on dashboards, never in rows. No clock: `now_ms` comes in; a clock that goes back closes nothing twice.
"""

from extproc.aggregate.slot import MetricCount, Outcome, RowCounts, RowKey, Sealed
from extproc.telemetry.tables import Counter
from serinus.contract.metric import ERRORS, FINISH_LENGTH
from serinus.contract.outcome import FAILURES
from serinus.contract.slot import slot_of
from serinus.contract.weight import CLASS_NONE

# Between a request's end and its outcome here: Envoy's flush 0.1 s, the wait for the body's observation 1 s, our tick
# 0.25 s, and room for a busy machine.
SETTLE_MS = 2_000
# Versions x cohorts x slots that one second's entries touch: 10 slots x some dozens. The control plane takes 20,000.
ROWS_MAX = 5_000
# Distinct keys of all rows and metrics of one report: 8 bytes each, 0.8 MB; gRPC carries 4 MB. One Envoy serves
# some thousand requests a second.
KEYS_MAX = 100_000


class SlotWindow:
    """Mutable, single-threaded. `overflow` counts what did not fit, by limit."""

    def __init__(self, overflow: Counter, late: Counter) -> None:
        self._overflow = overflow
        self._late = late
        self._rows: dict[RowKey, RowCounts] = {}
        self._key_count = 0
        self._closed_through: int | None = None
        self.late_outcomes_total = 0

    def add(self, outcome: Outcome, follow_up_ms: int) -> None:
        """Count one outcome; `follow_up_ms` is its service's."""
        slot = slot_of(outcome.start_us)
        is_closed = self._closed_through is not None and slot <= self._closed_through
        if is_closed or outcome.duration_us > follow_up_ms * 1_000:
            self.late_outcomes_total += 1
            self._late.add()
            return
        weight_class, key_hash = outcome.weight_class, outcome.key_hash
        if weight_class and self._key_count >= KEYS_MAX:
            # Without its key it would be judged as if nobody had sent it: it is reported, as not randomised.
            self._overflow.add(("keys",))
            weight_class = CLASS_NONE
        if not weight_class:
            key_hash = None
        row = self._row(outcome, slot, weight_class)
        if row is not None:
            self._count(row, outcome, key_hash)

    def _row(self, outcome: Outcome, slot: int, weight_class: str) -> RowCounts | None:
        key = RowKey(
            outcome.service,
            outcome.rollout,
            outcome.snapshot,
            slot,
            outcome.weight_bp,
            weight_class,
            outcome.cohort,
            outcome.version,
        )
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= ROWS_MAX:
                self._overflow.add(("rows",))
                return None
            row = self._rows[key] = RowCounts()
        return row

    def _count(self, row: RowCounts, outcome: Outcome, key_hash: int | None) -> None:
        row.requests += 1
        row.routing_mismatches += outcome.is_routing_mismatch
        name = outcome.outcome_class.value
        row.classes[name] = row.classes.get(name, 0) + 1
        self._measure(row, ERRORS, outcome.outcome_class in FAILURES, key_hash)
        if outcome.finish_reason is not None:
            self._measure(row, FINISH_LENGTH, outcome.finish_reason == "length", key_hash)

    def _measure(self, row: RowCounts, name: str, is_bad: bool, key_hash: int | None) -> None:
        count = row.metrics.get(name)
        if count is None:
            count = row.metrics[name] = MetricCount()
        before = count.key_count
        count.add(is_bad=is_bad, key_hash=key_hash)
        self._key_count += count.key_count - before

    def take(self, now_ms: int, follow_up_ms_max: int) -> Sealed:
        """What came since the last call, and how far slots are closed now. Works the same when nothing came."""
        ended_ms = now_ms - follow_up_ms_max - SETTLE_MS
        closed = ended_ms // 1_000 - 1
        if self._closed_through is None or closed > self._closed_through:
            self._closed_through = closed
        rows, self._rows, self._key_count = self._rows, {}, 0
        return Sealed(rows, self._closed_through, self.late_outcomes_total)
