"""One rollout, watched for what is worth telling: its records, and what lasts. Mutable, no clock, no I/O.

A hold is told when its reasons (any of those that should pass by themselves) have lasted for a while, and again when
they are gone: however often they change in between, that is one hold. What waits for its time, for evidence or for a
person's plan is no hold in this sense. Everything is told once under one id: `told` outlives a restart.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.manifest.notify import Occasion
from controlplane.notify.notice import HOLD_ENDED, Notice, occasion_of, of_record, of_rollout
from controlplane.rollout.model import RolledBack, RollingBack, Rollout
from controlplane.rollout.transition import Decision
from controlplane.store.port import Record

# A push to a slow proxy, a sidecar that is replaced, the first outcome under a weight: these take seconds.
HOLD_AFTER_MS = 30_000
# A rollback counts as an alert for so long after its end, as its series do.
ROLLED_BACK_MS = 3_600_000
# The course of things, or what somebody wanted.
ORDINARY = frozenset(
    {"min_step", "thin_evidence", "evidence_pending", "warm_up", "bake", "hook_running", "queued", "paused", "frozen"}
    | {"approval", "rolling_back", "ended"}
)
# Holds that the journal has not: it cannot be written, or the judge failed.
UNWRITTEN = frozenset({"store", "internal"})
# Each is told after half a minute at the soonest: the last two hours of a rollout that flaps without end.
TOLD_MAX = 256


@dataclass(slots=True)
class _Waiting:
    """Something that lasts, since the record of that serial."""

    id: str
    serial: int
    since_ms: int
    code: str
    text: str


class RolloutWatch:
    def __init__(self, told: Iterable[str] = (), *, hold_after_ms: int = HOLD_AFTER_MS) -> None:
        """`told`: ids that a process before this one has told."""
        self._hold_after_ms = hold_after_ms
        self._told = dict.fromkeys(told)
        self._hold: _Waiting | None = None
        self._approval: _Waiting | None = None
        self._drift: dict[str, _Waiting] = {}
        self.serial = 0

    @property
    def told(self) -> tuple[str, ...]:
        """Ids of what was told and may still last; oldest first. A hold that is over never comes back under its id."""
        now = {each.id for each in (self._hold, self._approval) if each is not None}
        return tuple(each for each in self._told if each in now or "/drift/" in each)

    def take(self, rollout: Rollout, records: Sequence[Record], is_new: Callable[[Record], bool]) -> list[Notice]:
        """The journal, oldest first; what was seen before is passed over. Of records that are not new is told nothing,
        but what they began may still last."""
        notices: list[Notice] = []
        for record in records:
            if record.serial <= self.serial:
                continue
            self.serial = record.serial
            found = [*self._follow(rollout, record)]
            if occasion := occasion_of(record):
                found.append(of_record(rollout, record, occasion))
            if is_new(record):
                notices += found
        return notices

    def _follow(self, rollout: Rollout, record: Record) -> list[Notice]:
        """What begins and ends with this record."""
        if record.code == "approval":
            # While it waits its revision stays: a moment without a proxy in between is no second approval.
            notice_id = f"{rollout.name}/{rollout.started_at_ms}/{record.revision}/approval"
            if self._approval is None or self._approval.id != notice_id:
                self._approval = _Waiting(notice_id, record.serial, record.at_ms, record.code, record.text)
        elif record.moved:
            self._approval = None
        if not record.moved and record.code not in ORDINARY:
            self._hold_on(rollout, record.serial, record.at_ms, record.code, record.text)
            return []
        ended, self._hold = self._hold, None
        if ended is None or ended.id not in self._told:
            return []
        text = f"{ended.code} is over ({record.text})"
        return [self._notice(rollout, ended, Occasion.HOLD, event=HOLD_ENDED, text=text, at_ms=record.at_ms)]

    def _hold_on(self, rollout: Rollout, serial: int, at_ms: int, code: str, text: str) -> None:
        if self._hold is None:
            self._hold = _Waiting(f"{rollout.name}/{serial}/hold", serial, at_ms, code, text)
        self._hold.code, self._hold.text = code, text

    def look(
        self, rollout: Rollout, now_ms: int, decision: Decision | None, drift: Mapping[str, str] | None = None
    ) -> list[Notice]:
        """What lasts and was not told yet. `drift`: by subject, the sentence."""
        if decision is not None and decision.code in UNWRITTEN:
            self._hold_on(rollout, self.serial, now_ms, decision.code, decision.text)
        for subject, text in (drift or {}).items():
            notice_id = f"{rollout.name}/{rollout.started_at_ms}/drift/{subject}"
            if subject not in self._drift or self._drift[subject].id != notice_id:
                self._drift[subject] = _Waiting(notice_id, self.serial, now_ms, subject, text)
        notices = [each for each in self.standing(rollout, now_ms) if each.id not in self._told]
        if self._is_hold_due(now_ms) and self._hold is not None and not rollout.is_terminal:
            notices.append(self._notice(rollout, self._hold, Occasion.HOLD))
        told = [each for each in notices if each.occasion not in (Occasion.DRY_RUN, Occasion.ROLLED_BACK)]
        self._told |= dict.fromkeys(each.id for each in told)
        holds = [each for each in self._told if each.endswith("/hold")]
        for old in holds[: max(len(holds) - TOLD_MAX, 0)]:
            del self._told[old]
        return told

    def _is_hold_due(self, now_ms: int) -> bool:
        hold = self._hold
        return hold is not None and hold.id not in self._told and now_ms - hold.since_ms >= self._hold_after_ms

    def standing(self, rollout: Rollout, now_ms: int) -> list[Notice]:
        """What is so now, for receivers that keep a state: a hold that was told, a wait for an approval, drift, a
        guardrail of a dry run, and for an hour a rollback."""
        if rollout.is_terminal or isinstance(rollout.phase, RollingBack):
            return self._rollback(rollout, now_ms)
        waiting = [(self._approval, Occasion.APPROVAL), *((each, Occasion.DRIFT) for each in self._drift.values())]
        if self._hold is not None and self._hold.id in self._told:
            waiting.append((self._hold, Occasion.HOLD))
        notices = [self._notice(rollout, each, occasion) for each, occasion in waiting if each is not None]
        if metrics := ", ".join(rollout.dry_run_told):
            text = f"dry run: by {metrics} it would have been rolled back"
            since = _Waiting(f"{rollout.name}/{rollout.started_at_ms}/dry_run", 0, rollout.started_at_ms, "", text)
            notices.append(self._notice(rollout, since, Occasion.DRY_RUN))
        return notices

    def _rollback(self, rollout: Rollout, now_ms: int) -> list[Notice]:
        match rollout.phase:
            case RollingBack(reason=text, aborted=False, since_ms=at_ms):
                pass
            case RolledBack(reason=text, ended_at_ms=at_ms) if now_ms - at_ms < ROLLED_BACK_MS:
                pass
            case _:
                return []
        since = _Waiting(f"{rollout.name}/{rollout.started_at_ms}/rolled_back", 0, at_ms, "", text)
        return [self._notice(rollout, since, Occasion.ROLLED_BACK)]

    def _notice(
        self, rollout: Rollout, of: _Waiting, occasion: Occasion, *, event: str = "", text: str = "", at_ms: int = 0
    ) -> Notice:
        return of_rollout(
            rollout,
            f"{of.id}_ended" if event == HOLD_ENDED else of.id,
            occasion,
            event=event,
            reason=of.code,
            text=text or of.text,
            at_ms=at_ms or of.since_ms,
            serial=of.serial,
        )
