"""What it costs to serve many proxies: a weight step to N simulated Envoys over real gRPC.

Server and clients are processes of their own on one machine, so they share its cores: a client's share of the work is in
the times, and not in the server's CPU. A step's clock starts at the publication and ends when the last acceptance is booked.
`bare` is the barest push-and-answer loop that grpc.aio can do, with as many bytes: what is left above it is ours.
"""

import asyncio
import statistics
from collections.abc import Sequence
from typing import Any

from controlplane.snapshot.mode import Mode
from tests.bench.result import Column, Goal, Result, percentile
from tests.bench.worker import Worker

SIZES = (10, 100, 1_000, 3_000)
STEPS = 30
# Bytes of one virtual host, which is what a step sends: the reference sends as many.
BARE_BYTES = 2_000
# One client process runs out of steam, and of channels, long before the server.
STREAMS_PER_CLIENT = 1_000
_PAUSE_S = 0.15
GROUP = "edge"
GOAL_SIZE = 1_000
KINDS = (("bare", Mode.DELTA), ("served", Mode.DELTA), ("served", Mode.SOTW))


def run(sizes: Sequence[int] = SIZES, steps: int = STEPS) -> Result:
    """Each size and kind once, in one run."""
    rows = [asyncio.run(_row(kind, mode, size, steps)) for size in sizes for kind, mode in KINDS]
    ours = next((row for row in rows if row["streams"] == GOAL_SIZE and row["kind"] == "served delta"), None)
    return Result(
        name="streams",
        title=f"A weight step to N proxies, {steps} steps each",
        columns=[
            Column("streams", "streams"),
            Column("kind", "server"),
            Column("p50", "last ACK p50 ms"),
            Column("p99", "last ACK p99 ms"),
            Column("cpu_us", "server CPU us a proxy and push"),
            Column("kb", "server KB an idle stream"),
            Column("bytes", "bytes a push"),
        ],
        rows=rows,
        reading=[
            "10 services of 2 versions; `served` is AdsServer with one group, `bare` a loop that writes and reads bytes",
            "clients are other processes on the same cores: with 3,000 of them the machine is what is slow",
        ],
        goals=[
            Goal("1,000 streams, incremental: last ACK p99", _of(ours, "p99"), 300.0, "ms"),
            Goal("1,000 streams, incremental: server CPU a proxy and push", _of(ours, "cpu_us"), 150.0, "us"),
            Goal("1,000 streams, incremental: server memory an idle stream", _of(ours, "kb"), 80.0, "KB"),
        ],
    )


def _of(row: dict[str, Any] | None, key: str) -> float | None:
    return row[key] if row is not None else None


async def _row(kind: str, mode: Mode, streams: int, steps: int) -> dict[str, Any]:
    server = await Worker.start("tests.bench.streams_server", kind, str(BARE_BYTES))
    clients: list[Worker] = []
    try:
        started = await server.ask("start")
        for first in range(0, streams, STREAMS_PER_CLIENT):
            client = await Worker.start("tests.bench.streams_client", mode.value)
            clients.append(client)
            count = min(STREAMS_PER_CLIENT, streams - first)
            await client.ask(
                "connect", port=started["port"], group=GROUP, first=first, streams=count, names=started["names"]
            )
        settled = await server.ask("settle", streams=streams)
        for client in clients:
            await client.ask("count")
        measured = await server.ask("steps", streams=streams, count=steps, pause_s=_PAUSE_S)
        counts = [await client.ask("count") for client in clients]
    finally:
        for client in clients:
            await client.stop()
        await server.stop()
    responses = sum(each["responses"] for each in counts)
    return {
        "streams": streams,
        "kind": kind if kind == "bare" else f"{kind} {mode.value}",
        "p50": percentile(measured["last_ack_ms"], 0.5),
        "p99": percentile(measured["last_ack_ms"], 0.99),
        "cpu_us": statistics.median(measured["cpu_us"]) / streams,
        "kb": (settled["rss_bytes"] - started["rss_bytes"]) / streams / 1_024,
        "bytes": sum(each["response_bytes"] for each in counts) // max(1, responses),
    }
