"""A thousand slow streams at once, of which all, a tenth or none are observed: what the sidecar pays for them.

Streams of ten tokens a second that outlast the measurement. CPU is what the scheduler counted for the sidecar and for
Envoy while they ran; memory is what the sidecar's resident set has grown by since before the first stream.
"""

import asyncio
import statistics
from typing import Any

from tests.bench.lanes import Lane, LaneSpec, lanes
from tests.bench.result import Column, Goal, Result
from tests.bench.worker import Worker

STREAMS, TOKENS_A_SECOND = 1_000, 10
ROUNDS = 3
LOAD_S = 12.0
# Streams begin within half a second; then connections and caches settle.
SETTLE_S = 3.0
NONE, TENTH, ALL = "0%", "10%", "100%"


def run(rounds: int = ROUNDS, load_s: float = LOAD_S, streams: int = STREAMS) -> Result:
    found = asyncio.run(_measured(rounds, load_s, streams))
    rows = [_row(sample, each) for sample, each in found.items()]
    tenth, none, every = (next(row for row in rows if row["sample"] == sample) for sample in (TENTH, NONE, ALL))
    return Result(
        name="held",
        title=f"{streams:,} slow streams, {TOKENS_A_SECOND} tokens/s each, {rounds} rounds",
        columns=[
            Column("sample", "observe.sample"),
            Column("sidecar_percent", "sidecar CPU, % of a core"),
            Column("over_none", "above 0%"),
            Column("envoy_percent", "Envoy CPU, % of a core"),
            Column("kb", "sidecar KB a stream"),
            Column("tokens_a_s", "tokens/s read"),
        ],
        rows=rows,
        reading=[
            f"medians of rounds of {load_s:g} s; a lane's Envoy and sidecar are its own, one lane under load at a time",
            "the access log is on: Envoy writes an entry a second of a request that runs, which the sidecar reads",
            "memory: growth of the resident set in the first round over all streams, observed or not",
        ],
        goals=[
            Goal("a tenth observed: sidecar CPU", tenth["sidecar_percent"], 5.0, "% of a core"),
            Goal("sidecar memory a stream, all observed", every["kb"], 10.0, "KB"),
            Goal("sidecar memory a stream, none observed", none["kb"], 1.0, "KB"),
        ],
    )


def _row(sample: str, found: list[dict[str, float]]) -> dict[str, Any]:
    def middle(name: str) -> float:
        return round(statistics.median(each[name] for each in found), 1)

    return {
        "sample": sample,
        "sidecar_percent": middle("sidecar_percent"),
        "over_none": middle("over_none"),
        "envoy_percent": middle("envoy_percent"),
        # What a process has had once it keeps: later rounds find room in it.
        "kb": round(found[0]["kb"], 1),
        "tokens_a_s": round(middle("tokens_a_s")),
    }


async def _measured(rounds: int, load_s: float, streams: int) -> dict[str, list[dict[str, float]]]:
    samples = (NONE, TENTH, ALL)
    found: dict[str, list[dict[str, float]]] = {sample: [] for sample in samples}
    specs = [LaneSpec(f"s{sample[:-1]}", "own", logs=True, observes=sample) for sample in samples]
    client = await Worker.start("tests.bench.sse_client")
    async with lanes(specs, protocol="openai", upstream="tests.bench.sse_upstream") as running:
        for _ in range(rounds):
            for sample, lane in zip(samples, running, strict=True):
                each = await _round(client, lane, load_s, streams)
                base = found[NONE][-1] if found[NONE] else each
                found[sample].append(each | {"over_none": each["sidecar_percent"] - base["sidecar_percent"]})
    await client.stop()
    return found


async def _round(client: Worker, lane: Lane, load_s: float, streams: int) -> dict[str, float]:
    rss_bytes = lane.sidecar_rss_bytes()
    path = f"/100/{1_000 // TOKENS_A_SECOND}/{round((load_s + 60) * TOKENS_A_SECOND)}"
    await client.ask("open", port=lane.port, count=streams, path=path, timing=False)
    await asyncio.sleep(SETTLE_S)
    await client.ask("count")
    before, loop = await lane.stats(), asyncio.get_running_loop()
    began_s = loop.time()
    await asyncio.sleep(load_s)
    after, took_s = await lane.stats(), loop.time() - began_s
    tokens = (await client.ask("count"))["tokens"]
    grown_bytes = lane.sidecar_rss_bytes() - rss_bytes
    await client.ask("leave")
    # Envoy resets what was observed; the sidecar counts what it saw.
    await asyncio.sleep(SETTLE_S)
    return {
        "sidecar_percent": (after["sidecar_ns"] - before["sidecar_ns"]) / took_s / 1e7,
        "envoy_percent": (after["envoy_ns"] - before["envoy_ns"]) / took_s / 1e7,
        "kb": grown_bytes / streams / 1_024,
        "tokens_a_s": tokens / took_s,
    }
