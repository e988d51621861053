"""The history on the pages of a whole control plane: lines where something is known, and words where nothing is."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from controlplane.ingest.history import MINUTE_MS, packed
from controlplane.store.port import StoredPoint
from tests.e2e.plane import settings
from tests.unit.controlplane.dashboard.web.test_server import ROLLOUT, Visitor, told
from tests.unit.controlplane.engine.history.test_unusual import minute


def points() -> list[StoredPoint]:
    """An hour until now, and on: the rollout begins in it."""
    chance, last = np.random.default_rng(1), time.time_ns() // 1_000_000 // MINUTE_MS
    made = [minute(last + number, chance) for number in range(-60, 1)]
    v1 = [StoredPoint("chat", "v1", p.at_ms, p.span_ms, packed(p.counts)) for p in made]
    return [*v1, *(replace(point, version="v2") for point in v1)]


def test_the_history_is_drawn_by_version(tmp_path: Path) -> None:
    async def look(visitor: Visitor) -> None:
        assert "Nothing yet: two minutes of traffic" in await visitor.page("/services/chat")
        assert "None yet: a minute" in await visitor.page(ROLLOUT)
        engine = visitor.world.control.engine
        await engine.stored(engine.store.save_points, points())
        service = await visitor.page("/services/chat")
        for title in ("requests a second", "errors", "time to first token, p95", "latency, p95", "Distributions"):
            assert title in service
        assert service.count("<polyline") == 2 * (4 + 2), "two versions; four metrics over time, two distributions"
        assert 'aria-label="requests a second: v1 ' in service
        assert "median " in service

    told(settings(tmp_path / "state"), look)


def test_a_rollouts_page_shows_what_came_since_it_began(tmp_path: Path) -> None:
    async def look(visitor: Visitor) -> None:
        engine = visitor.world.control.engine
        began_ms = engine.world.rollout("chat-v2").started_at_ms
        before, after = points()[0], points()[-1]
        await engine.stored(engine.store.save_points, [before, replace(after, at_ms=began_ms)])
        page = await visitor.page(ROLLOUT)
        assert page.count('<polyline class="v') == 2, "of the version that was seen since"

    told(settings(tmp_path / "state"), look)
