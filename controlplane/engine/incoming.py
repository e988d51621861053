"""The alerts of others that fire now, as they were told, and what they mean for a rollout. Mutable, bounded, no clock.

Kept in the store as a whole, in a journal of its own of which the newest record counts: an alert that was taken is not
lost in a restart, and until the record was read nobody says that none fires.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace

from controlplane.manifest.alerts import STALE_AFTER_MS_MAX, OnFiring
from controlplane.manifest.units import in_time
from controlplane.rollout.events import AlertsFact
from controlplane.rollout.model import Rollout
from controlplane.store.port import Record, StoreError

# No manifest has such a name, and of such a journal the store keeps the newest record.
JOURNAL = "@@alerts"
FORMAT = 1
# Each is some 500 bytes in every record. More alerts than this of releases alone are no sign of anything.
FIRING_MAX = 1_000
NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert. It is about a rollout by its name, or about a service, or a version of one. `action`: "" leaves it to
    the rollout's plan."""

    key: str
    name: str
    rollout: str
    service: str
    version: str
    action: str
    summary: str
    since_ms: int
    seen_ms: int

    def is_about(self, rollout: Rollout) -> bool:
        if self.rollout:
            return self.rollout == rollout.name
        return self.service == rollout.spec.service and self.version in ("", rollout.spec.candidate)


class IncomingAlerts:
    def __init__(self) -> None:
        self._firing: dict[str, Firing] = {}
        self.is_known = False

    @property
    def firing(self) -> tuple[Firing, ...]:
        return tuple(self._firing.values())

    def with_news(self, firing: Iterable[Firing], resolved: Collection[str], now_ms: int) -> tuple[Firing, ...]:
        """What fires after this; what nobody has repeated for a week does not."""
        kept = {
            key: each
            for key, each in self._firing.items()
            if key not in resolved and now_ms - each.seen_ms <= STALE_AFTER_MS_MAX
        }
        return tuple((kept | {each.key: each for each in firing}).values())

    def is_news(self, firing: Iterable[Firing]) -> bool:
        """Whether it is more than a repetition of what is known."""
        return {_lasting(each) for each in firing} != {_lasting(each) for each in self._firing.values()}

    def take(self, firing: Iterable[Firing]) -> None:
        """From now on these fire, and no other."""
        self._firing = {each.key: each for each in firing}
        self.is_known = True

    def fact(self, rollout: Rollout, now_ms: int) -> AlertsFact:
        """For a rollout whose plan listens to them."""
        alerts = rollout.spec.alerts
        if alerts is None:
            return AlertsFact()
        if not self.is_known:
            return AlertsFact(is_unknown=True)
        fires = sorted(
            (
                each
                for each in self._firing.values()
                if each.is_about(rollout) and now_ms - each.seen_ms <= alerts.stale_after_ms
            ),
            key=lambda each: each.since_ms,
        )
        # What fired before the rollout began is not of its making.
        asks = [
            each
            for each in fires
            if alerts.on_firing is OnFiring.ROLLBACK
            and each.action != OnFiring.HOLD
            and each.since_ms >= rollout.started_at_ms
        ]
        return AlertsFact(firing=_in_words(fires, now_ms), rolling_back=_in_words(asks, now_ms))


def record_of(firing: Iterable[Firing], actor: str, now_ms: int) -> Record:
    rows = [asdict(each) for each in firing]
    state = json.dumps({"format": FORMAT, "firing": rows}, sort_keys=True, separators=(",", ":"))
    text = f"{len(rows)} alerts of others fire"
    return Record(JOURNAL, 0, now_ms, False, state, "told", "alerts", text, actor)


def firing_of(record: Record, now_ms: int) -> tuple[Firing, ...]:
    """What fired when it was written, as if it were told now: for how long nobody could tell us more is our own fault.

    Raises StoreError.
    """
    try:
        kept = json.loads(record.state)
        if kept["format"] != FORMAT:
            raise StoreError(
                f"record {record.serial} of {JOURNAL} has format {kept['format']}, this version reads {FORMAT}"
            )
        return tuple(replace(Firing(**row), seen_ms=now_ms) for row in kept["firing"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"record {record.serial} of {JOURNAL} cannot be read: {error}") from error


def _lasting(alert: Firing) -> Firing:
    return replace(alert, seen_ms=0)


def _in_words(fires: list[Firing], now_ms: int) -> str:
    """The oldest first."""
    named = [_named(each, now_ms) for each in fires[:NAMED_MAX]]
    more = len(fires) - NAMED_MAX
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _named(alert: Firing, now_ms: int) -> str:
    lasts = in_time(max(now_ms - alert.since_ms, 0) / 1000)
    return f"alert {alert.name}" + (f" ({alert.summary})" if alert.summary else "") + f", firing for {lasts}"
