"""`Trends` of the admin API: the history of a service from the store, added up to the span that was asked for."""

import asyncio
from collections.abc import Sequence

from controlplane.admin.reading.server import InvalidRequestError, NoSuchServiceError
from controlplane.admin.trends.wire import total_response, trends_response
from controlplane.engine.history.runner import points_of
from controlplane.engine.history.unusual import Unusual, minutes_of, unusual
from controlplane.engine.runner import Engine
from controlplane.ingest.history import HOUR_MS, MINUTE_MS, Point, merged, versions_of
from controlplane.store.port import StoredPoint
from serinus.v1 import admin_pb2

DAY_MS = 24 * HOUR_MS
# Rows of one answer: some 120 bytes each, far below gRPC's 4 MiB.
ROWS_MAX = 10_000
SPANS_AIM = 60  # without `every`: what a screen and a person can take in
SPANS = (1, 5, 10, 30, 60, 180, 360, 720, 1_440, 10_080)  # minutes
# Reading is a thousand points a 30 ms; more is asked for in parts.
AT_ONCE_MS = 31 * DAY_MS
AT_MS_MAX = 1 << 53


class TrendTeller:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def tell(self, request: admin_pb2.TrendsRequest) -> admin_pb2.TrendsResponse:
        """Raises NoSuchServiceError, InvalidRequestError, StoreError."""
        engine = self._engine
        if request.service not in engine.world.services:
            raise NoSuchServiceError(request.service[:80], sorted(engine.world.services))
        until_ms = request.until_ms or engine.now_ms()
        from_ms = request.from_ms or until_ms - DAY_MS
        if not 0 <= from_ms < until_ms <= AT_MS_MAX:
            raise InvalidRequestError("the time begins after its end", next_step="give --since as a time ago: 24h")
        every_ms = HOUR_MS if request.total else request.every_ms or _span_of(until_ms - from_ms)
        if every_ms % MINUTE_MS or every_ms < MINUTE_MS:
            raise InvalidRequestError("the span is no whole minutes", next_step="give --every 1m, 10m, 1h …")
        if until_ms - from_ms > 400 * AT_ONCE_MS or (until_ms - from_ms) // every_ms > ROWS_MAX:
            raise InvalidRequestError(
                f"that is more than {ROWS_MAX} spans", next_step="ask for a shorter time, or for longer spans"
            )
        found = await self._points(request.service, from_ms, until_ms)
        if request.version:
            found = [point for point in found if point.version == request.version]
        if request.total:
            return await asyncio.to_thread(_total, found)
        if not request.every_ms and found:
            # Of a service of an hour ago, spans that fit a day would show two points.
            every_ms = min(every_ms, _span_of(until_ms - min(point.at_ms for point in found)))
        return await asyncio.to_thread(_answer, found, every_ms)

    async def _points(self, service: str, from_ms: int, until_ms: int) -> list[Point]:
        """What is in the store, and the minutes that are not there yet are not told."""
        kept: list[StoredPoint] = []
        for begin_ms in range(from_ms // MINUTE_MS * MINUTE_MS, until_ms, AT_ONCE_MS):
            end_ms = min(until_ms, begin_ms + AT_ONCE_MS)
            kept += await self._engine.stored(self._engine.store.points, service, begin_ms, end_ms)
        return await asyncio.to_thread(points_of, kept)


def _span_of(asked_ms: int) -> int:
    """The shortest span of the clock of which at most `SPANS_AIM` fit; a week is the longest."""
    minutes = (span for span in SPANS if asked_ms / (span * MINUTE_MS) <= SPANS_AIM)
    return next(minutes, SPANS[-1]) * MINUTE_MS


def _answer(found: Sequence[Point], every_ms: int) -> admin_pb2.TrendsResponse:
    """Where only hours are left of what was asked for, all rows are of hours: a mixture would show false steps."""
    every_ms = max(every_ms, *(point.span_ms for point in found), 0)
    rows = merged(found, every_ms)
    strange: dict[tuple[str, int], Unusual] = {}
    if every_ms == MINUTE_MS:
        strange = {(each.version, each.at_ms): each for each in _strange(rows)}
    return trends_response(rows[-ROWS_MAX:], every_ms, strange)


def _total(found: Sequence[Point]) -> admin_pb2.TrendsResponse:
    return total_response(merged(found, AT_MS_MAX), AT_MS_MAX)


def _strange(minutes: Sequence[Point]) -> list[Unusual]:
    """Of the newer half of each version's minutes, those that are unlike the older half."""
    found: list[Unusual] = []
    for version in versions_of(minutes):
        own = [point for point in minutes if point.version == version]
        found += unusual(minutes_of(own), own[len(own) // 2].at_ms)
    return found
