"""Keeps the history: what versions did goes to the store a minute at a time, is thinned to hours, and leaves at last.

Beside the engine: nothing waits for it, and what cannot be written now is tried again, within the book's bound. Only
the control plane that leads is told what happened, so only it writes.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from controlplane.engine.history.unusual import Minute, Unusual, minutes_of, unusual
from controlplane.engine.runner import Engine
from controlplane.errors import SerinusError
from controlplane.ingest.history import HOUR_MS, MINUTE_MS, Point, merged, packed, unpacked
from controlplane.store.port import Store, StoredPoint, StoreError

log = logging.getLogger("serinus.history")

EVERY_S = 15.0
# Minutes for two days, to look at an incident closely; hours for thirteen months, to compare with last year's week.
MINUTES_KEPT_MS = 48 * HOUR_MS
KEPT_MS = 400 * 24 * HOUR_MS
THIN_EVERY_S = 600.0
# One turn: some 2 MB; what is left is next.
THINNED_AT_ONCE = 5_000
# What is usual is learned of a day, and asked of the newest minutes.
USUAL_MS = 24 * HOUR_MS
NEWEST_MS = 5 * MINUTE_MS
# A sidecar that was cut off keeps what it has to tell for ten minutes.
LATE_MS = 15 * MINUTE_MS


class HistoryRunner:
    """`is_leading`: who does not lead keeps nothing."""

    def __init__(self, engine: Engine, store: Store, *, is_leading: Callable[[], bool]) -> None:
        self._engine, self._store, self._is_leading = engine, store, is_leading
        self._thinned_s = 0.0
        self._usual: dict[str, Usual] = {}

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(EVERY_S)
            if not self._is_leading():
                self._engine.unusual, self._usual = {}, {}
                continue
            try:
                if await self.keep():
                    await self.look()
                if loop.time() - self._thinned_s >= THIN_EVERY_S:
                    self._thinned_s = loop.time()
                    await self.thin()
            except SerinusError as error:
                log.warning("the history is not kept for now: %s", error)
            except Exception:
                log.exception("the history failed")

    async def keep(self) -> bool:
        """What has ended goes to the store; whether anything had. Raises StoreError; then it is tried again."""
        book = self._engine.registry.history
        points = book.take(self._engine.now_ms())
        if not points:
            return False
        try:
            await self._engine.stored(self._store.save_points, [_stored(point) for point in points])
        except StoreError:
            book.put_back(points)
            raise
        return True

    async def thin(self) -> None:
        """Minutes of before become hours; what is older than all is dropped. Raises StoreError."""
        now_ms = self._engine.now_ms()
        before_ms = (now_ms - MINUTES_KEPT_MS) // HOUR_MS * HOUR_MS
        for _ in range(20):
            old = await self._engine.stored(self._store.old_points, MINUTE_MS, before_ms, THINNED_AT_ONCE)
            if old:
                hours = await asyncio.to_thread(_hours, old)
                await self._engine.stored(self._store.save_points, [_stored(point) for point in hours], old)
            if len(old) < THINNED_AT_ONCE:
                break
        await self._engine.stored(self._store.prune_points, now_ms - KEPT_MS)

    async def look(self) -> None:
        """Note beside running rollouts which of their versions is unlike itself. Raises StoreError."""
        now_ms, found = self._engine.now_ms(), list[Unusual]()
        services = {rollout.spec.service for rollout in self._engine.world.active_rollouts}
        self._usual = {name: self._usual.get(name) or Usual() for name in services}
        for name, usual in self._usual.items():
            kept = await self._engine.stored(self._store.points, name, usual.from_ms(now_ms), now_ms)
            found += await asyncio.to_thread(_looked, usual, kept, now_ms)
        self._engine.unusual = {(each.service, each.version): each for each in found}


class Usual:
    """A day of one service's minutes, read once: each look reads what came since, and the last few minutes again, since
    sidecars may tell late. Mutable."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, int], Minute] = {}
        self._through_ms: int | None = None

    def from_ms(self, now_ms: int) -> int:
        """What is to be read now, on a minute."""
        first_ms = now_ms - USUAL_MS
        from_ms = first_ms if self._through_ms is None else max(self._through_ms - LATE_MS, first_ms)
        return from_ms // MINUTE_MS * MINUTE_MS

    def take(self, points: Sequence[Point], now_ms: int) -> list[Unusual]:
        """`points` since `from_ms`: of each version, the newest minutes that are unlike those before."""
        first_ms = now_ms - USUAL_MS
        new = merged((point for point in points if point.span_ms == MINUTE_MS), MINUTE_MS)
        self._minutes |= {(minute.version, minute.at_ms): minute for minute in minutes_of(new)}
        self._minutes = {key: minute for key, minute in self._minutes.items() if minute.at_ms >= first_ms}
        self._through_ms = now_ms
        of: dict[str, list[Minute]] = {}
        for _, minute in sorted(self._minutes.items()):
            of.setdefault(minute.version, []).append(minute)
        return [each for own in of.values() for each in unusual(own, now_ms - NEWEST_MS)]


def _looked(usual: Usual, kept: Sequence[StoredPoint], now_ms: int) -> list[Unusual]:
    return usual.take(points_of(kept), now_ms)


def points_of(kept: Sequence[StoredPoint]) -> list[Point]:
    """What cannot be read is left out."""
    found = []
    for each in kept:
        try:
            found.append(Point(each.service, each.version, each.at_ms, each.span_ms, unpacked(each.data)))
        except ValueError as error:
            log.warning("point %d of the history: %s", each.serial, error)
    return found


def _stored(point: Point) -> StoredPoint:
    return StoredPoint(point.service, point.version, point.at_ms, point.span_ms, packed(point.counts))


def _hours(old: Sequence[StoredPoint]) -> list[Point]:
    return merged(points_of(old), HOUR_MS)
