"""Events: what users did after an answer (a click, a purchase). Nobody says that it did not happen.

So who could have done it is what the sidecars counted: the requests of a closed slot, by arm. When the wait is over, a
request without the event scores 0 and one with it 1, in either arm alike; an event that came later is counted and left
out. Compared by means (`scores.py`): as a share of bad ones, which most are, a loss of clicks could hardly be shown (of
10 % and 4 % clicks nothing in 9,000 requests of the candidate). A key of a slot scores 1 there if the event followed
one of its requests. Only requests that a weight dealt enter, and an event whose key no sidecar reported for that slot
changes nothing: the denominator is never smaller than the numerator. Order does not matter, repeats change nothing.
The inbox of a `LabelledJudge`. Pure: no clock, no I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.evidence.errors import PlanError
from controlplane.evidence.labels import WAIT_S_MAX, InboxCounts, Label, check_label
from controlplane.evidence.scores import bin_of_score
from controlplane.evidence.strata import BinCounts, MetricCounts, Stratum, is_whole
from serinus.contract.metric import ERRORS

# Keys of slots that wait, some 100 bytes each: an hour of 140 requests a second. Past it slots are refused and counted.
KEYS_MAX = 500_000
_FOLLOWED, _WITHOUT = bin_of_score(1.0), bin_of_score(0.0)
_NONE = MetricCounts(0, 0, frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class _Arm:
    requests: int
    keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Place:
    """One stratum of a slot that waits."""

    snapshot: str
    weight_class: str
    weight_bp: int
    arms: tuple[_Arm, _Arm]
    within: str


class EventInbox:
    """Mutable, single-threaded. `metric`: the name under which the event is judged."""

    def __init__(self, metric: str, wait_s: int, *, keys_max: int = KEYS_MAX) -> None:
        """Raises PlanError."""
        if not is_whole(wait_s) or not 0 <= wait_s <= WAIT_S_MAX:
            raise PlanError(f"wait_s is {wait_s!r}, must be 0..{WAIT_S_MAX}")
        self._metric = metric
        self._wait_s = wait_s
        self._keys_max = keys_max
        self._keys = 0
        self._slots: dict[int, tuple[_Place, ...]] = {}
        self._events: dict[int, dict[int, Label]] = {}
        self._closed_before = 0
        self._counts = InboxCounts(0, 0, 0, 0, 0)

    @property
    def counts(self) -> InboxCounts:
        return self._counts

    def requests(self, slot: int, strata: Iterable[Stratum]) -> None:
        """The strata of a closed slot. Slots come once, oldest first."""
        places = tuple(
            _Place(one.snapshot, one.weight_class, one.weight_bp, (_arm(one.baseline), _arm(one.candidate)), one.within)
            for one in strata
            if one.weight_class
        )
        keys = sum(len(arm.keys) for place in places for arm in place.arms)
        if self._keys + keys > self._keys_max:
            self._counts = replace(self._counts, refused_full=self._counts.refused_full + keys)
            return
        if places:
            self._keys += keys
            self._slots[slot] = places

    def take(self, label: Label) -> bool:
        """The event followed a request; False if it is left out (late, not randomised). Raises CountsError."""
        check_label(label)
        asked, counts = label.asked, self._counts
        if not asked.weight_class:
            self._counts = replace(counts, not_randomised=counts.not_randomised + 1)
            return False
        if label.received_slot >= asked.slot + 1 + self._wait_s or asked.slot < self._closed_before:
            self._counts = replace(counts, late=counts.late + 1)
            return False
        events = self._events.setdefault(asked.slot, {})
        if asked.request not in events:
            events[asked.request] = label
            self._counts = replace(counts, taken=counts.taken + 1, waiting=counts.waiting + 1)
        return True

    def strata(self, now_slot: int) -> tuple[tuple[int, tuple[Stratum, ...]], ...]:
        """Hand out, once and oldest first, the slots that are closed and have waited long enough."""
        due = sorted(slot for slot in self._slots if slot + 1 + self._wait_s <= now_slot)
        found = tuple((slot, self._judged(slot)) for slot in due)
        self._closed_before = max([self._closed_before, *(slot + 1 for slot in due)])
        for slot in [slot for slot in self._events if slot < self._closed_before]:
            self._counts = replace(self._counts, waiting=self._counts.waiting - len(self._events.pop(slot)))
        return found

    def _judged(self, slot: int) -> tuple[Stratum, ...]:
        places = self._slots.pop(slot)
        self._keys -= sum(len(arm.keys) for place in places for arm in place.arms)
        events = self._events.get(slot, {}).values()
        return tuple(self._stratum(slot, place, events) for place in places)

    def _stratum(self, slot: int, place: _Place, events: Iterable[Label]) -> Stratum:
        where = (place.snapshot, place.weight_class, place.weight_bp)
        of: tuple[list[int], list[int]] = ([], [])
        for label in events:
            asked = label.asked
            if (asked.snapshot, asked.weight_class, asked.weight_bp) == where:
                of[asked.is_candidate].append(asked.key)
        baseline, candidate = (_scores(arm, keys) for arm, keys in zip(place.arms, of, strict=True))
        return Stratum(slot, *where, {}, {}, {self._metric: baseline}, {self._metric: candidate}, place.within)


def _scores(arm: _Arm, keys: Sequence[int]) -> BinCounts:
    """1 for a request that the event followed, 0 for one that it did not."""
    good = [key for key in keys if key in arm.keys]
    followed = min(len(good), arm.requests)
    without = max(arm.requests - followed, len(arm.keys) - len(set(good)))
    bins = {_FOLLOWED: followed} if followed else {}
    firsts = dict.fromkeys(arm.keys, _WITHOUT) | dict.fromkeys(good, _FOLLOWED)
    return BinCounts(bins | ({_WITHOUT: without} if without else {}), firsts)


def _arm(metrics: Mapping[str, MetricCounts]) -> _Arm:
    counts = metrics.get(ERRORS, _NONE)
    return _Arm(counts.observed, counts.keys_ok | counts.keys_bad)
