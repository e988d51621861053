"""What looking at bodies costs the user: the time to the first token of streams, and each token's way through Envoy.

Lanes take their turn, round by round, so that differences are of one round each. `bare` is Envoy without tag, log and
observation; `logged` has the log alone, `observed` the log and a copy of every body for the sidecar. Those three ask
nobody before they route, so that what differs is the looking; `as shipped` tags as well. Two lanes let Envoy read the
streams by itself, which tells tokens and no more (`inside.py`).
"""

import asyncio
import statistics
from dataclasses import dataclass, field
from typing import Any

from tests.bench.lanes import Lane, LaneSpec, lanes
from tests.bench.result import Column, Goal, Result, percentile
from tests.bench.worker import Worker

ROUNDS = 12
STREAMS = 50
LOAD_S = 3.0
# The first token after 50 ms, then one each 20 ms: 2,500 tokens a second.
PATH = "/50/20/20"
BARE, LOGGED, OBSERVED, SHIPPED = "bare Envoy", "logged", "logged and observed", "as shipped: tagged, logged, observed"
SSE, MANAGER = "logged, Envoy's sse_to_metadata", "logged, Envoy's ai_protocol_manager"
SPECS = {
    BARE: LaneSpec("bare"),
    LOGGED: LaneSpec("logged", "own", logs=True),
    OBSERVED: LaneSpec("observed", "own", logs=True, observes="100%"),
    SSE: LaneSpec("sse", "own", logs=True, reads="sse_to_metadata"),
    MANAGER: LaneSpec("manager", "own", logs=True, reads="ai_protocol_manager"),
    SHIPPED: LaneSpec("shipped", "own", tags=True, logs=True, observes="100%"),
}


@dataclass
class _Seen:
    """Of one lane, a value a round."""

    first_p50_ms: list[float] = field(default_factory=list)
    first_p95_ms: list[float] = field(default_factory=list)
    way_p50_ms: list[float] = field(default_factory=list)
    way_p95_ms: list[float] = field(default_factory=list)
    sidecar_us: list[float] = field(default_factory=list)
    envoy_us: list[float] = field(default_factory=list)
    streams: int = 0


def run(rounds: int = ROUNDS, load_s: float = LOAD_S) -> Result:
    seen = asyncio.run(_measured(rounds, load_s))
    bare = seen[BARE]
    return Result(
        name="observe",
        title=f"Observed bodies: {STREAMS} concurrent streams, {rounds} rounds",
        columns=[
            Column("lane", "lane"),
            Column("first_p50", "first token p50 ms"),
            Column("first_p95", "p95 ms"),
            Column("added_p50", "added p50 ms"),
            Column("added_p95", "added p95 ms"),
            Column("way_p50", "a token's way p50 ms"),
            Column("way_p95", "p95 ms"),
            Column("sidecar_us", "sidecar CPU µs a token"),
            Column("envoy_us", "Envoy CPU µs a token"),
            Column("streams", "streams"),
        ],
        rows=[_row(name, each, bare) for name, each in seen.items()],
        reading=[
            f"each stream: the first token after 50 ms, then one each 20 ms, 20 of them; {load_s:g} s a round and lane",
            "added: to bare Envoy's percentile in the same round; the median of rounds, in brackets smallest and largest",
            "a token's way: from the server's write to the client's read, one clock",
            "server, client, Envoy and sidecar share two cores",
        ],
        goals=[
            Goal(
                "observed: added time to the first token, p95, median of pairs", _added(seen[OBSERVED], bare), 1.0, "ms"
            )
        ],
    )


def _added(lane: _Seen, bare: _Seen) -> float:
    return statistics.median(a - b for a, b in zip(lane.first_p95_ms, bare.first_p95_ms, strict=True))


def _row(name: str, lane: _Seen, bare: _Seen) -> dict[str, Any]:
    median = statistics.median
    return {
        "lane": name,
        "first_p50": round(median(lane.first_p50_ms), 2),
        "first_p95": round(median(lane.first_p95_ms), 2),
        "added_p50": _spread(lane.first_p50_ms, bare.first_p50_ms),
        "added_p95": _spread(lane.first_p95_ms, bare.first_p95_ms),
        "way_p50": round(median(lane.way_p50_ms), 3),
        "way_p95": round(median(lane.way_p95_ms), 3),
        "sidecar_us": round(median(lane.sidecar_us), 1) if any(lane.sidecar_us) else None,
        "envoy_us": round(median(lane.envoy_us), 1),
        "streams": lane.streams,
    }


def _spread(lane: list[float], bare: list[float]) -> str:
    added = [a - b for a, b in zip(lane, bare, strict=True)]
    return f"{statistics.median(added):.2f} ({min(added):.2f} to {max(added):.2f})"


async def _measured(rounds: int, load_s: float) -> dict[str, _Seen]:
    seen = {name: _Seen() for name in SPECS}
    client = await Worker.start("tests.bench.sse_client")
    async with lanes(list(SPECS.values()), protocol="openai", upstream="tests.bench.sse_upstream") as running:
        by_name = dict(zip(SPECS, running, strict=True))
        for number in range(rounds + 1):
            names = list(SPECS)
            by = number % len(names)
            for name in names[by:] + names[:by]:
                # The first round warms up.
                await _round(client, by_name[name], load_s, seen[name] if number else _Seen())
    await client.stop()
    return seen


async def _round(client: Worker, lane: Lane, load_s: float, into: _Seen) -> None:
    before = await lane.stats()
    await client.ask("open", port=lane.port, count=STREAMS, path=PATH)
    await asyncio.sleep(load_s)
    found = await client.ask("finish")
    after = await lane.stats()
    first_ms, way_ms = found["first_ms"], found["way_ms"]
    into.first_p50_ms.append(percentile(first_ms, 0.5))
    into.first_p95_ms.append(percentile(first_ms, 0.95))
    into.way_p50_ms.append(percentile(way_ms, 0.5))
    into.way_p95_ms.append(percentile(way_ms, 0.95))
    into.sidecar_us.append((after["sidecar_ns"] - before["sidecar_ns"]) / 1_000 / len(way_ms))
    into.envoy_us.append((after["envoy_ns"] - before["envoy_ns"]) / 1_000 / len(way_ms))
    into.streams += found["streams"]
