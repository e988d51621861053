"""One finished request as the aggregation takes it, and the counts of one slot row as it hands them over."""

from dataclasses import dataclass, field
from typing import NamedTuple

from serinus.contract.outcome import OutcomeClass


@dataclass(slots=True)
class Outcome:
    """What happened to one request. Treated as frozen; times in microseconds, the start since 1970.

    `key_hash` is the salted 64-bit hash of the sticky key, None without one. `finish_reason` None: not seen.
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


@dataclass(slots=True)
class MetricCount:
    """Requests in which a metric could be told, the bad ones, and the distinct keys: never bad, bad at least once."""

    observed: int = 0
    bad: int = 0
    keys_ok: set[int] = field(default_factory=set)
    keys_bad: set[int] = field(default_factory=set)

    def add(self, *, is_bad: bool, key_hash: int | None) -> None:
        self.observed += 1
        if is_bad:
            self.bad += 1
            if key_hash is not None:
                self.keys_bad.add(key_hash)
                self.keys_ok.discard(key_hash)
        elif key_hash is not None and key_hash not in self.keys_bad:
            self.keys_ok.add(key_hash)

    @property
    def key_count(self) -> int:
        return len(self.keys_ok) + len(self.keys_bad)


@dataclass(slots=True)
class RowCounts:
    requests: int = 0
    routing_mismatches: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, MetricCount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one second reports: rows are what came since the last report (they add up), not whole slots.

    No later report holds a row of `closed_through_slot` or an older slot.
    """

    rows: dict[RowKey, RowCounts]
    closed_through_slot: int
    late_outcomes_total: int
