"""What each service's traffic is like: requests a second, the share that fails, and how many different keys send them.

For plans (`steps: auto`) and their warnings only; no verdict rests on it. Kept in memory, from what sidecars report;
what is pinned or untagged in a rollout does not count. Keys are counted by a sketch, since a day's keys of a thousand
services are no table, and since sidecars report all of them only while a rollout runs, otherwise the smallest of each
second. Each rollout deals keys anew, so the count begins anew with each. Pure.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from controlplane.ingest.rows import Row
from serinus.contract.metric import ERRORS, KEYS_COUNTED

# Long enough that a pause is not the rate, short enough that a morning is not the night before.
RATE_S = 900
# Sketches of six hours each: the last day, and at least its last 18 hours.
PART_S = 21_600
PARTS = 4
# With 2 KB a sketch: 16 MB. Past it a service that was silent the longest is forgotten.
SERVICES_MAX = 2_000


class Distinct:
    """How many different 64-bit hashes were added, about: by the smallest of them (Bar-Yossef, Jayram, Kumar,
    Sivakumar, Trevisan 2002; estimator of Beyer et al. 2007). The hashes are uniform already."""

    __slots__ = ("_smallest",)

    def __init__(self) -> None:
        self._smallest = array("Q")

    def add(self, hashes: Iterable[int]) -> None:
        """Repeats change nothing."""
        smallest = self._smallest
        for hashed in hashes:
            if len(smallest) == KEYS_COUNTED and hashed >= smallest[-1]:
                continue
            place = bisect_left(smallest, hashed)
            if place == len(smallest) or smallest[place] != hashed:
                smallest.insert(place, hashed)
                del smallest[KEYS_COUNTED:]

    def merge(self, other: "Distinct") -> None:
        """As if all that was added there had been added here."""
        self.add(other._smallest)

    def count(self) -> float:
        if len(self._smallest) < KEYS_COUNTED:
            return len(self._smallest)
        return (KEYS_COUNTED - 1) / (self._smallest[-1] / 2**64)


@dataclass(frozen=True, slots=True)
class Measured:
    """`requests` of `keys` different keys in the last `seconds`, at most a day; rates of the last quarter hour."""

    seconds: int
    requests: int
    keys: float
    rps: float
    error_rate: float


@dataclass(slots=True)
class _Minute:
    number: int
    requests: int = 0
    observed: int = 0
    bad: int = 0


@dataclass(slots=True)
class _Part:
    number: int
    requests: int = 0
    keys: Distinct = field(default_factory=Distinct)


@dataclass(slots=True)
class _Service:
    """Under one rollout, or none. `before`: what was known when that began."""

    rollout: str
    began_slot: int
    before: Measured | None
    last_slot: int
    minutes: deque[_Minute] = field(default_factory=lambda: deque(maxlen=RATE_S // 60))
    parts: deque[_Part] = field(default_factory=lambda: deque(maxlen=PARTS))

    def add(self, row: Row) -> None:
        """What comes late counts as of the newest minute."""
        self.last_slot = max(self.last_slot, row.slot)
        if not self.minutes or self.minutes[-1].number < row.slot // 60:
            self.minutes.append(_Minute(row.slot // 60))
        if not self.parts or self.parts[-1].number < row.slot // PART_S:
            self.parts.append(_Part(row.slot // PART_S))
        minute, part = self.minutes[-1], self.parts[-1]
        minute.requests += row.requests
        part.requests += row.requests
        if (errors := row.metrics.get(ERRORS)) is not None:
            minute.observed += errors.observed
            minute.bad += errors.bad
            part.keys.add(errors.keys_ok)
            part.keys.add(errors.keys_bad)

    def measured(self, now_slot: int) -> Measured:
        """Of the two counts of keys the one of the longer time; the rates are always of lately."""
        first_minute, first_part = now_slot // 60 - RATE_S // 60 + 1, now_slot // PART_S - PARTS + 1
        minutes = [minute for minute in self.minutes if minute.number >= first_minute]
        parts = [part for part in self.parts if part.number >= first_part]
        keys = Distinct()
        for part in parts:
            keys.merge(part.keys)
        observed = sum(minute.observed for minute in minutes)
        found = Measured(
            seconds=max(1, now_slot + 1 - max(self.began_slot, first_part * PART_S)),
            requests=sum(part.requests for part in parts),
            keys=keys.count(),
            rps=sum(minute.requests for minute in minutes)
            / max(1, now_slot + 1 - max(self.began_slot, first_minute * 60)),
            error_rate=sum(minute.bad for minute in minutes) / observed if observed else 0.0,
        )
        if self.before is None or self.before.seconds <= found.seconds:
            return found
        return replace(self.before, rps=found.rps, error_rate=found.error_rate)


class TrafficBook:
    """Mutable. Of each service."""

    def __init__(self) -> None:
        self._services: dict[str, _Service] = {}

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if (row.weight_class or not row.rollout) and (service := self._of(row)) is not None:
                service.add(row)

    def _of(self, row: Row) -> _Service | None:
        """None: it belongs to what was before. Proxies do not change over together, so what begins anew has a later
        second than all that was seen."""
        seen = self._services.get(row.service)
        if seen is not None and seen.rollout == row.rollout:
            return seen
        if seen is not None and row.slot <= seen.last_slot:
            return None
        before = seen.measured(seen.last_slot) if seen is not None else None
        fresh = self._services[row.service] = _Service(row.rollout, row.slot, before, row.slot)
        if len(self._services) > SERVICES_MAX:
            del self._services[min(self._services, key=lambda name: self._services[name].last_slot)]
        return fresh

    def of(self, service: str, now_slot: int) -> Measured | None:
        """None: nothing was seen of it."""
        seen = self._services.get(service)
        return seen.measured(now_slot) if seen is not None else None
