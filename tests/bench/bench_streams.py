"""What it costs to serve many proxies: a weight step to N simulated Envoys over real gRPC.

Servers and clients are processes of their own on one machine, so they share its cores: the clients' share is in the
times, and not in the servers' CPU. A step's clock starts at the publication and ends when the last acceptance is booked.
`bare` is the barest push-and-answer loop that grpc.aio can do, with as many bytes: what is left above it is ours. The
kinds take their steps in turn, so that whatever else the machine does meets all of them.
"""

import asyncio
import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.snapshot.mode import Mode
from tests.bench.result import Column, Goal, Result, percentile
from tests.bench.worker import Worker

SIZES = (10, 100, 1_000, 3_000)
STEPS = 60
# About what a step sends an incremental stream: one virtual host, in its response.
BARE_BYTES = 1_400
GROUP = "edge"
GOAL_SIZE = 1_000
_STEPS_BETWEEN = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """`waves`: the streams come in so many parts, with a weight step between them, so that their ages differ."""

    title: str
    server: str
    mode: Mode
    waves: int = 1


KINDS = (
    Kind("bare", "bare", Mode.DELTA),
    Kind("incremental", "served", Mode.DELTA),
    Kind("incremental, of 10 ages", "served", Mode.DELTA, waves=10),
    Kind("state of the world", "served", Mode.SOTW),
)
_GOAL_KIND = "incremental"


@dataclass
class _Pair:
    """A server, its clients, and what was found of them."""

    kind: Kind
    streams: int
    server: Worker
    client: Worker
    kb: float
    last_ack_ms: list[float]
    cpu_us: list[float]
    client_us: float = 0.0
    response_bytes: float = 0.0

    @classmethod
    async def start(cls, kind: Kind, streams: int, stack: contextlib.AsyncExitStack) -> "_Pair":
        server = await Worker.start("tests.bench.streams_server", kind.server, str(BARE_BYTES))
        stack.push_async_callback(server.stop)
        client = await Worker.start("tests.bench.streams_client", kind.mode.value)
        stack.push_async_callback(client.stop)
        started = await server.ask("start")
        settled = started
        first = 0
        for wave in range(kind.waves):
            last = streams * (wave + 1) // kind.waves
            how = {"port": started["port"], "group": GROUP, "names": started["names"]}
            await client.ask("connect", first=first, streams=last - first, **how)
            settled = await server.ask("settle", streams=last)
            if last < streams:
                await server.ask("steps", streams=last, count=_STEPS_BETWEEN)
            first = last
        # The first step to all finds nothing in caches.
        await server.ask("steps", streams=streams)
        await client.ask("count")
        return cls(
            kind, streams, server, client, (settled["rss_bytes"] - started["rss_bytes"]) / streams / 1_024, [], []
        )

    async def step(self) -> None:
        found = await self.server.ask("steps", streams=self.streams)
        self.last_ack_ms += found["last_ack_ms"]
        self.cpu_us += found["cpu_us"]

    async def count(self) -> None:
        counted = await self.client.ask("count")
        self.client_us = counted["cpu_us"] / counted["responses"]
        self.response_bytes = counted["response_bytes"] / counted["responses"]

    def row(self, bare_us: float) -> dict[str, Any]:
        cpu_us = statistics.median(self.cpu_us) / self.streams
        return {
            "streams": self.streams,
            "kind": self.kind.title,
            "p50": percentile(self.last_ack_ms, 0.5),
            "p99": percentile(self.last_ack_ms, 0.99),
            "cpu_us": cpu_us,
            "ratio": cpu_us / bare_us,
            "kb": self.kb,
            "bytes": round(self.response_bytes),
            "client_us": self.client_us,
        }


def run(sizes: Sequence[int] = SIZES, steps: int = STEPS) -> Result:
    """Each size once, all kinds of it side by side."""
    rows = [row for size in sizes for row in asyncio.run(_rows(size, steps))]
    ours = next((row for row in rows if row["streams"] == GOAL_SIZE and row["kind"] == _GOAL_KIND), {})
    return Result(
        name="streams",
        title=f"A weight step to N proxies, {steps} steps each",
        columns=[
            Column("streams", "streams"),
            Column("kind", "server"),
            Column("p50", "last ACK p50 ms"),
            Column("p99", "last ACK p99 ms"),
            Column("cpu_us", "server CPU us a proxy and push"),
            Column("ratio", "of bare"),
            Column("kb", "server KB an idle stream"),
            Column("bytes", "bytes a push"),
            Column("client_us", "client CPU us a proxy and push"),
        ],
        rows=rows,
        reading=[
            "10 services of 2 versions; AdsServer with one group in a process of its own, as the control plane runs it",
            "`bare` writes as many bytes, reads an answer and knows nothing; it has the same options and event loop",
            "a stream is a TCP connection of its own; all clients of a kind are one process, which shares the two cores",
            "of 10 ages: a tenth of the streams each came between two weight steps, as after proxies were restarted",
            "memory: growth of the resident set from no stream to all of them, a second after the last one has settled",
        ],
        goals=[
            Goal("1,000 streams, incremental: last ACK p99", ours.get("p99"), 300.0, "ms"),
            Goal("1,000 streams, incremental: server CPU a proxy and push, median", ours.get("cpu_us"), 150.0, "us"),
            Goal("1,000 streams, incremental: server memory an idle stream", ours.get("kb"), 80.0, "KB"),
        ],
    )


async def _rows(streams: int, steps: int) -> list[dict[str, Any]]:
    async with contextlib.AsyncExitStack() as stack:
        pairs = [await _Pair.start(kind, streams, stack) for kind in KINDS]
        for _ in range(steps):
            for pair in pairs:
                await pair.step()
        for pair in pairs:
            await pair.count()
    bare_us = next(statistics.median(pair.cpu_us) for pair in pairs if pair.kind.server == "bare") / streams
    return [pair.row(bare_us) for pair in pairs]
