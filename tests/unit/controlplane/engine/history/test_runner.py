"""What versions did goes into the store, is thinned, and is looked at while a rollout runs."""

import asyncio

import numpy as np
import pytest

from controlplane.engine.history.runner import (
    KEPT_MS,
    LATE_MS,
    MINUTES_KEPT_MS,
    USUAL_MS,
    HistoryRunner,
    Usual,
    points_of,
)
from controlplane.engine.history.unusual import minutes_of
from controlplane.ingest.history import HOUR_MS, MINUTE_MS, Counts, Point, packed
from controlplane.store.memory import MemoryStore
from controlplane.store.port import StoredPoint, StoreError
from tests.unit.controlplane.engine.history.test_unusual import minute, usual
from tests.unit.controlplane.engine.test_runner import T0_MS, Story, rollout, service
from tests.unit.controlplane.ingest.test_history import row

NOW_MINUTE = T0_MS // MINUTE_MS


def runner_of(story: Story, store: MemoryStore) -> HistoryRunner:
    return HistoryRunner(story.engine, store, is_leading=lambda: True)


class FullStore(MemoryStore):
    is_full = True

    def save_points(self, points: list[StoredPoint], gone: object = ()) -> None:  # type: ignore[override]
        if self.is_full:
            raise StoreError("cannot write the state: disk full")
        super().save_points(points)


def test_minutes_that_ended_are_kept_once_and_a_full_disk_loses_none() -> None:
    async def scenario() -> None:
        store = FullStore()
        story = Story(store)
        history = runner_of(story, store)
        story.engine.registry.history.add([row(T0_MS // 1_000)])
        assert not await history.keep(), "the minute is still open"
        story.clock.at_ms += 2 * MINUTE_MS
        with pytest.raises(StoreError):
            await history.keep()
        store.is_full = False
        assert await history.keep()
        assert not await history.keep()
        (point,) = points_of(store.points("chat", 0, 1 << 50))
        assert (point.version, point.counts.requests) == ("v1", 10)

    asyncio.run(scenario())


def test_minutes_become_hours_after_two_days_and_leave_after_thirteen_months() -> None:
    async def scenario() -> None:
        store, chance = MemoryStore(), np.random.default_rng(1)
        story = Story(store)
        hour = (T0_MS - MINUTES_KEPT_MS) // HOUR_MS * HOUR_MS
        first = hour // MINUTE_MS - 60
        minutes = [minute(first + number, chance) for number in range(61)]
        store.save_points([StoredPoint("chat", "v1", p.at_ms, MINUTE_MS, packed(p.counts)) for p in minutes])
        store.save_points([StoredPoint("chat", "v1", T0_MS - KEPT_MS - HOUR_MS, HOUR_MS, packed(minutes[0].counts))])
        await runner_of(story, store).thin()
        points = points_of(store.points("chat", 0, 1 << 50))
        assert [(point.at_ms, point.span_ms) for point in points] == [(hour - HOUR_MS, HOUR_MS), (hour, MINUTE_MS)]
        assert points[0].counts.requests == sum(p.counts.requests for p in minutes[:60])
        await runner_of(story, store).thin()
        assert len(store.points("chat", 0, 1 << 50)) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("slow", [1.0, 20.0])
def test_a_version_that_is_unlike_itself_is_noted_while_a_rollout_runs(slow: float) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        story = Story(store)
        points = [*usual(300), minute(300, np.random.default_rng(9), busy=0.6, slow=slow)]
        shift_ms = (NOW_MINUTE - 302) * MINUTE_MS
        stored = [StoredPoint("chat", "v1", p.at_ms + shift_ms, MINUTE_MS, packed(p.counts)) for p in points]
        store.save_points(stored)
        history = runner_of(story, store)
        await history.look()
        assert story.engine.unusual == {}, "no rollout runs"
        await story.apply(service("chat"), rollout("chat"))
        await history.look()
        assert list(story.engine.unusual) == ([("chat", "v1")] if slow > 1 else [])

    asyncio.run(scenario())


def test_each_look_reads_what_is_new_and_says_what_a_whole_read_would() -> None:
    chance = np.random.default_rng(9)
    points = [*usual(300), *(minute(number, chance, busy=0.6, slow=20.0) for number in range(300, 304))]
    stepwise, said = Usual(), []
    for number in range(200, len(points) + 1):
        now_ms = number * MINUTE_MS + 500
        from_ms = stepwise.from_ms(now_ms)
        assert from_ms % MINUTE_MS == 0
        assert number == 200 or now_ms - from_ms <= LATE_MS + 2 * MINUTE_MS
        said = stepwise.take([point for point in points[:number] if point.at_ms >= from_ms], now_ms)
    whole = Usual().take(points, now_ms)
    assert said == whole
    assert {each.at_ms for each in whole} >= {303 * MINUTE_MS}


def test_what_is_told_late_counts_with_its_minute_once() -> None:
    points, book = usual(100), Usual()
    half = [Point(p.service, p.version, p.at_ms, p.span_ms, Counts(40, p.counts.shares, p.counts.bins)) for p in points]
    book.take(half, 100 * MINUTE_MS)
    book.take(points, 101 * MINUTE_MS)
    assert book._minutes == {(each.version, each.at_ms): each for each in minutes_of(points)}
    book.take([], 100 * MINUTE_MS + USUAL_MS)
    assert book._minutes == {}, "a day later"


def test_what_cannot_be_read_is_left_out() -> None:
    assert points_of([StoredPoint("chat", "v1", 0, MINUTE_MS, "no json")]) == []
