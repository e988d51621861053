"""`trends` of a real control plane: what is in its store, as a table and as JSON, and what it refuses."""

import asyncio
import json
import time
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from controlplane.cli.app import app
from controlplane.cli.trends import spark
from controlplane.ingest.history import HOUR_MS, MINUTE_MS, packed
from controlplane.store.port import StoredPoint
from serinus.v1 import admin_pb2
from tests.e2e.plane import Plane, plane, settings
from tests.unit.controlplane.engine.history.test_unusual import minute
from tests.unit.controlplane.manifest.samples import SERVICE

MINUTES = 300


async def run(world: Plane, *args: str) -> tuple[int, str]:
    result = await asyncio.to_thread(CliRunner().invoke, app, ["trends", *args, "--admin", world.config.admin])
    return result.exit_code, result.output


def filled(now_ms: int) -> list[StoredPoint]:
    """The newest minute is slow though quiet; the one before it was told in two parts."""
    chance, last = np.random.default_rng(1), now_ms // MINUTE_MS - 2
    points = [minute(last - MINUTES + number, chance) for number in range(MINUTES)]
    points += [points[-1], minute(last, chance, busy=0.6, slow=20.0)]
    return [StoredPoint("chat", "v1", p.at_ms, p.span_ms, packed(p.counts)) for p in points]


async def look(world: Plane) -> None:
    now_ms = time.time_ns() // 1_000_000
    assert "nothing is known of chat in the last 24h; next: " in (await run(world, "chat"))[1]
    points = filled(now_ms)
    engine = world.control.engine
    await engine.stored(engine.store.save_points, points)

    code, text = await run(world, "chat", "--since", "24h", "--every", "1m", "-o", "json")
    assert code == 0, text
    found = json.loads(text)
    assert (len(found["rows"]), found["every_ms"]) == (MINUTES + 1, MINUTE_MS)
    assert found["rows"][-2]["requests"] == 2 * json.loads(points[-2].data)["n"]
    # The doubled minute may be named too: nobody sends twice as much.
    assert found["rows"][-1]["unusual"], found["rows"][-1]
    assert sum(bool(row["unusual"]) for row in found["rows"]) <= 2
    assert found["rows"][0]["ttft_p50_seconds"] > 0
    assert "time_per_output_token_p50_seconds" not in found["rows"][0], "what was not observed is not told as 0"

    # Five hours are known of the day that is asked for: rows as fit these.
    found = json.loads((await run(world, "chat", "-o", "json"))[1])
    assert (found["every_ms"], MINUTES // 10 <= len(found["rows"]) <= MINUTES // 10 + 2) == (10 * MINUTE_MS, True)

    code, text = await run(world, "chat", "--every", "1h")
    assert (code, "VERSION" in text, "LAST" in text) == (0, True, True), text

    # Where only hours are left, minutes are not made up.
    await engine.stored(
        engine.store.save_points, [StoredPoint("chat", "v1", now_ms - 50 * HOUR_MS, HOUR_MS, points[0].data)]
    )
    found = json.loads((await run(world, "chat", "--since", "72h", "--every", "1m", "-o", "json"))[1])
    assert found["every_ms"] == HOUR_MS

    request = admin_pb2.TrendsRequest(service="chat", total=True, from_ms=now_ms - HOUR_MS)
    (total,) = (await world.call("Trends", request)).rows  # type: ignore[attr-defined]
    ttft = next(each for each in total.distributions if each.metric == "ttft")
    assert (ttft.unit, ttft.ratio[-1], list(ttft.upper)) == ("s", 1.0, sorted(ttft.upper))
    assert 58 * 250 < total.requests < 62 * 950, "of the last hour alone"

    for args, words in (
        (("nothing",), "no service nothing; services: chat"),
        (("chat", "--since", "soon"), "is not a duration"),
        (("chat", "--every", "90s"), "no whole minutes"),
        (("chat", "--since", "800h", "--every", "1m"), "more than 10000 spans"),
    ):
        code, text = await run(world, *args)
        assert (code != 0, words in text) == (True, True), text


def test_the_history_of_a_service_is_shown(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(settings(tmp_path / "state")) as world:
            await world.apply(SERVICE)
            await look(world)

    asyncio.run(scenario())


def test_a_line_of_bars_goes_from_the_lowest_to_the_highest() -> None:
    assert spark([1, 2, 3, 8]) == "▁▂▃█"
    assert spark([5, 5]) == "▁▁"
