"""Follows the journals of rollouts whose manifests say `notify`, and puts what is worth telling into the lanes.

It reads what the engine has written and decides nothing: it may be late, or gone, and no rollout moves otherwise. Only
who leads tells. How far it has told is written down (`position.py`) after the receivers took it, so a notice may come
twice after a crash, under the same id, and none is lost but by the bounds of `outbox.py`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controlplane.engine.runner import Engine
from controlplane.errors import SerinusError
from controlplane.manifest.notify import Target, TargetKind
from controlplane.notify.lanes.runner import Lanes, address_of
from controlplane.notify.notice import Notice
from controlplane.notify.outbox import AGE_MS_MAX
from controlplane.notify.position import JOURNAL, Position, position_of, record_of
from controlplane.notify.rules.runner import RuleWatch
from controlplane.notify.watch import HOLD_AFTER_MS, ROLLED_BACK_MS, RolloutWatch
from controlplane.rollout.model import Rollout, ended_at_ms_of
from controlplane.store.port import Record, Store
from controlplane.telemetry.catalogue import NOTIFICATIONS_WAITING
from controlplane.telemetry.exporter import Exporter

log = logging.getLogger("serinus.notify")

LOOK_S = 1.0
# The engine changes twice a second and with every command: many changes are one look.
LOOK_S_MIN = 0.1
SAVE_EVERY_S = 5.0
# Of a journal at first; four times as much until what was seen before is reached.
RECORDS, RECORDS_MAX = 64, 4_096

# Rollouts after which the event loop serves others: one is some 30 us.
ROLLOUTS_AT_ONCE = 50
# In place of a rollout's name, in what is kept of what was told.
RULES = "@rules"

_Version = tuple[int, int, int]


@dataclass(slots=True)
class _Watched:
    watch: RolloutWatch
    version: _Version = (0, 0, 0)  # of the journal, as far as the engine's memory tells


class NotifyRunner:
    def __init__(
        self,
        engine: Engine,
        store: Store,
        exporter: Exporter,
        lanes: Callable[[], Lanes],
        *,
        is_leading: Callable[[], bool] = lambda: True,
        hold_after_ms: int = HOLD_AFTER_MS,
    ) -> None:
        self._engine, self._store, self._exporter = engine, store, exporter
        self._make_lanes, self._is_leading = lanes, is_leading
        self.hold_after_ms = hold_after_ms
        # Without a position nothing was ever told: what happened before this process is nobody's news.
        self._begun_ms = engine.now_ms()
        self._rules = RuleWatch(engine, exporter)
        self._lanes: Lanes | None = None
        self._position: Position | None = None
        self._is_stored = False
        self._watched: dict[str, _Watched] = {}
        self._is_news = False
        self._saved_at_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("nobody is told for now")
            await asyncio.sleep(LOOK_S_MIN)
            await self._engine.changed(LOOK_S - LOOK_S_MIN)

    async def look(self) -> None:
        """Once over all rollouts."""
        if not self._is_leading():
            self._forget()
            return
        is_first = self._position is None
        if self._lanes is None or self._position is None:
            self._position = await self._load()
            self._lanes = self._make_lanes()
        targets: set[Target] = set()
        standing: dict[Target, list[Notice]] = {}
        for number, rollout in enumerate(self._rollouts(), 1):
            if number % ROLLOUTS_AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                notices = await self._notices(rollout, is_first=is_first)
            except SerinusError as error:
                log.error("of rollout %s nobody is told for now: %s", rollout.name, error)
                continue
            watch = self._watched[rollout.name].watch
            for target in rollout.spec.notify:
                targets.add(target)
                if target.kind is TargetKind.ALERTMANAGER:
                    found = watch.standing(rollout, self._engine.now_ms())
                    standing.setdefault(address_of(target), []).extend(
                        each for each in found if each.occasion in target.on
                    )
                else:
                    self._lanes.put(target, [each for each in notices if each.occasion in target.on])
            self._is_news |= bool(notices)
        await self._look_at_rules(targets, standing)
        for target, fires in standing.items():
            self._lanes.stand(target, fires)
        self._lanes.follow(targets)
        self._show(self._lanes)
        if asyncio.get_running_loop().time() - self._saved_at_s >= SAVE_EVERY_S:
            await self.save()

    async def _look_at_rules(self, targets: set[Target], standing: dict[Target, list[Notice]]) -> None:
        """Alert rules are told as rollouts are."""
        assert self._lanes is not None, "they were made"
        targets.update(target for rule in self._engine.world.rules.values() for target in rule.spec.notify)
        for target in targets:
            if target.kind is TargetKind.ALERTMANAGER:
                standing.setdefault(address_of(target), [])
        try:
            told, fires = await self._rules.look()
        except SerinusError as error:
            log.error("alert rules stand still: %s", error)
            return
        self._is_news |= bool(told)
        for target, notices in told.items():
            if target.kind is not TargetKind.ALERTMANAGER:
                self._lanes.put(target, notices)
        for target, found in fires.items():
            if target.kind is TargetKind.ALERTMANAGER:
                standing.setdefault(address_of(target), []).extend(found)

    def _rollouts(self) -> Iterator[Rollout]:
        """Those with receivers; of ended ones, those of which something may still be told."""
        world, now_ms = self._engine.world, self._engine.now_ms()
        for name in [name for name in self._watched if name not in world.rollouts]:
            del self._watched[name]
        for name, entry in list(world.rollouts.items()):
            rollout = entry.rollout
            ended_ms = ended_at_ms_of(rollout)
            if rollout.spec.notify and not (ended_ms and now_ms - ended_ms > AGE_MS_MAX + ROLLED_BACK_MS):
                yield rollout
            else:
                self._watched.pop(name, None)

    async def _notices(self, rollout: Rollout, *, is_first: bool) -> list[Notice]:
        """What is new of one rollout."""
        engine, now_ms = self._engine, self._engine.now_ms()
        watched, last = self._watched.get(rollout.name), engine.last.get(rollout.name)
        is_added = watched is None and not is_first
        if watched is None:
            assert self._position is not None, "it was loaded"
            told = self._position.told.get(rollout.name, ())
            watched = self._watched[rollout.name] = _Watched(RolloutWatch(told, hold_after_ms=self.hold_after_ms))
        notices: list[Notice] = []
        version = (rollout.revision, *((last.written_at_ms, last.holds_written) if last else (0, 0)))
        if version != watched.version:
            records = await self._records(rollout.name, watched.watch.serial)
            notices += watched.watch.take(rollout, records, self._news(records if is_added else []))
            watched.version = version
        tracker = engine.trackers.get(rollout.name)
        drift = {each.subject: each.sentence for each in tracker.drift.annotations()} if tracker else {}
        return notices + watched.watch.look(rollout, now_ms, last.decision if last else None, drift)

    def _news(self, since_apply: list[Record]) -> Callable[[Record], bool]:
        """Whether a record is still to be told. A rollout that was given receivers while we run has told the rest of
        its journal to nobody, and that stays so."""
        assert self._position is not None, "it was loaded"
        floor = max((each.serial for each in since_apply if each.code in ("applied", "edited")), default=0) - 1
        floor = max(floor, self._position.serial)
        since_ms = max(0 if self._is_stored else self._begun_ms, self._engine.now_ms() - AGE_MS_MAX)
        return lambda record: record.serial > floor and record.at_ms >= since_ms

    async def _records(self, name: str, seen: int) -> list[Record]:
        floor, last = max(seen, self._position.serial if self._position else 0), RECORDS
        while True:
            records = await self._engine.records(name, last)
            if len(records) < last or records[0].serial <= floor or last >= RECORDS_MAX:
                return records
            last *= 4

    def _show(self, lanes: Lanes) -> None:
        """For `serinus get` and `explain`, and for Prometheus."""
        notes: dict[str, tuple[str, ...]] = {}
        for rollout in self._rollouts():
            faults = {fault for target in rollout.spec.notify if (fault := lanes.fault(target))}
            if faults:
                notes[rollout.name] = tuple(f"a notification failed: {fault}" for fault in sorted(faults))
        self._engine.notes = notes
        self._exporter.set(NOTIFICATIONS_WAITING, len(lanes.waiting()))

    async def _load(self) -> Position:
        kept = await self._engine.stored(self._store.records, JOURNAL, 1)
        position = position_of(kept[0]) if kept else None
        self._is_stored = position is not None
        self._rules.told = set(position.told.get(RULES, ())) if position is not None else set()
        return position or Position(0)

    async def save(self) -> None:
        """How far receivers have come, if that is news. Raises StoreError."""
        if self._lanes is None or self._position is None or not self._is_news:
            return
        waiting = self._lanes.waiting()
        pending = {each.id for each in waiting}
        seen = max((each.watch.serial for each in self._watched.values()), default=0)
        serial = min((each.serial - 1 for each in waiting if each.serial), default=seen)
        told = {name: tuple(i for i in each.watch.told if i not in pending) for name, each in self._watched.items()}
        told[RULES] = tuple(sorted(self._rules.told - pending))
        position = Position(max(serial, self._position.serial), {name: ids for name, ids in told.items() if ids})
        self._saved_at_s = asyncio.get_running_loop().time()
        if position != self._position:
            await self._engine.stored(self._store.append, record_of(position, self._engine.now_ms()))
            self._position, self._is_stored = position, True
        self._is_news = bool(waiting)

    def _forget(self) -> None:
        """Another leads, and tells."""
        if self._lanes is not None:
            self._lanes.close()
        self._lanes, self._position, self._watched = None, None, {}
        self._engine.notes = {}

    async def close(self) -> None:
        """What receivers have taken by now is not told again. Raises nothing."""
        try:
            await self.save()
        except Exception as error:
            log.warning("how far was told cannot be written, so some may be told again: %s", error)
        self._forget()
