"""Keeps the history: what versions did goes to the store a minute at a time, is thinned to hours, and leaves at last.

Beside the engine: nothing waits for it, and what cannot be written now is tried again, within the book's bound. Only
the control plane that leads is told what happened, so only it writes.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from controlplane.engine.history.unusual import Unusual, unusual
from controlplane.engine.runner import Engine
from controlplane.errors import SerinusError
from controlplane.ingest.history import HOUR_MS, MINUTE_MS, Point, merged, packed, unpacked, versions_of
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


class HistoryRunner:
    """`is_leading`: who does not lead keeps nothing."""

    def __init__(self, engine: Engine, store: Store, *, is_leading: Callable[[], bool]) -> None:
        self._engine, self._store, self._is_leading = engine, store, is_leading
        self._thinned_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(EVERY_S)
            if not self._is_leading():
                self._engine.unusual = {}
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
        for rollout in self._engine.world.active_rollouts:
            kept = await self._engine.stored(self._store.points, rollout.spec.service, now_ms - USUAL_MS, now_ms)
            found += await asyncio.to_thread(newest_unusual, points_of(kept), now_ms - NEWEST_MS)
        self._engine.unusual = {(each.service, each.version): each for each in found}


def newest_unusual(points: Sequence[Point], since_ms: int) -> list[Unusual]:
    """Of each version of one service, the minutes from `since_ms` on that are unlike those before."""
    minutes = merged((point for point in points if point.span_ms == MINUTE_MS), MINUTE_MS)
    return [
        each
        for version in versions_of(minutes)
        for each in unusual([point for point in minutes if point.version == version], since_ms)
    ]


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
