"""What came of both arms lately, for the one finding that has a name (`controlplane.evidence.finding`).

The judge says whether the candidate is worse; this says what it looks like beside: both fail alike, one is overloaded,
nothing comes at all. For people: it moves no rollout. Mutable, bounded, no clock.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from controlplane.evidence.finding import Level
from controlplane.ingest.rows import Row
from serinus.contract.metric import ERRORS
from serinus.contract.outcome import FAILURES

# Seconds of "now", and of "before" that it is compared with: an incident of a minute stands out for a minute.
WINDOW_SLOTS = 30
BEFORE_SLOTS = 120
_LOOKED_AT_SLOTS = WINDOW_SLOTS + BEFORE_SLOTS
# Slots close a follow-up after the newest: room for two and a half minutes of it.
KEPT_SLOTS = 2 * _LOOKED_AT_SLOTS
_FAILURES = {kind.value: kind for kind in FAILURES}


@dataclass(slots=True)
class _Slot:
    n: int = 0
    bad: int = 0
    classes: Counter[str] = field(default_factory=Counter)


class RecentOutcomes:
    """Of one rollout, by version and slot."""

    def __init__(self, *, rollout: str, versions: tuple[str, str]) -> None:
        self._rollout = rollout
        self._by_version: dict[str, dict[int, _Slot]] = {version: {} for version in versions}
        self.last_slot: int | None = None

    def add(self, rows: Iterable[Row], *, before_slot: int) -> None:
        """Rows of slots from `before_slot` on are not believed."""
        for row in rows:
            slots = self._by_version.get(row.version)
            if row.rollout != self._rollout or slots is None or not row.weight_class or row.slot >= before_slot:
                continue
            errors = row.metrics.get(ERRORS)
            if errors is None:
                continue
            slot = slots.setdefault(row.slot, _Slot())
            slot.n += errors.observed
            slot.bad += errors.bad
            slot.classes.update({name: count for name, count in row.classes.items() if name in _FAILURES})
            self.last_slot = max(row.slot, self.last_slot or 0)
        self._forget()

    def _forget(self) -> None:
        if self.last_slot is None:
            return
        for slots in self._by_version.values():
            if len(slots) > 2 * KEPT_SLOTS:
                for number in [number for number in slots if number <= self.last_slot - KEPT_SLOTS]:
                    del slots[number]

    def level(self, version: str, through_slot: int) -> Level:
        """Of the window that ends with `through_slot`, and of the time before it."""
        now, before = _Slot(), _Slot()
        for number, slot in self._by_version[version].items():
            if not through_slot - _LOOKED_AT_SLOTS < number <= through_slot:
                continue
            into = now if number > through_slot - WINDOW_SLOTS else before
            into.n += slot.n
            into.bad += slot.bad
            into.classes.update(slot.classes)
        classes = {_FAILURES[name]: count for name, count in now.classes.items()}
        return Level(now.n, now.bad, before.n, before.bad, classes)
