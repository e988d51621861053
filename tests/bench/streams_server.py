"""The served side of `bench_streams`: AdsServer as the control plane runs it, or the barest push-and-ACK loop that
grpc.aio can do. Publishes weight steps and measures its own clock, CPU and memory.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import uvloop

from controlplane.app import calm_collector
from controlplane.manifest.schema import ServiceSpec
from controlplane.security.server import SERVER_OPTIONS
from controlplane.snapshot.assemble import BuildCache, build
from controlplane.snapshot.model import Gateway, RolloutRoute, ServiceRoute
from controlplane.snapshot.resource import ENDPOINT, EXTENSION
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.groups import GroupBook
from controlplane.xds.server import METHODS, SERVICE, AdsServer
from tests.bench.cpu import rss_bytes
from tests.bench.sampler import Sampler
from tests.bench.worker import Answer, allow_files, answer_all

GROUP = "edge"
# A small installation: what matters to a push is how much changes, and what is there is measured by `bench_build`.
SERVICES = 10
_SETTLE_TIMEOUT_S = 120.0


class Content:
    """Snapshots that differ by one weight."""

    def __init__(self) -> None:
        self._cache = BuildCache()
        self._services = [_service(f"s{index}") for index in range(SERVICES)]
        self._number = 0

    def next(self) -> Snapshot:
        self._number += 1
        weight_bp = 100 + self._number % 9_000
        self._services[0] = replace(self._services[0], rollout=RolloutRoute("s0-v2", "v2", weight_bp))
        snapshot = build(self._services, Gateway(), self._cache)
        assert snapshot.version
        assert snapshot.incremental.version
        return snapshot


def _service(name: str) -> ServiceRoute:
    versions = [
        {"name": version, "endpoints": [f"10.0.{arm}.{each}:8000" for each in range(3)], "health": {"path": "/health"}}
        for arm, version in enumerate(("v1", "v2"))
    ]
    spec = ServiceSpec.model_validate(
        {
            "protocol": "openai",
            "hosts": [f"{name}.models.example.com"],
            "sticky": {"header": "x-user-id"},
            "versions": versions,
            "baseline": "v1",
        }
    )
    return ServiceRoute(name, spec, "v1", f"{name}-v2", RolloutRoute(f"{name}-v2", "v2", 100))


class Served:
    """AdsServer with one group."""

    def __init__(self) -> None:
        self._content = Content()
        self._snapshot = self._content.next()
        self._changes = 0
        self._awaited = 0
        self._all_changed = asyncio.Event()
        self._ads = AdsServer(self._changed)
        self._ads.set_groups(GroupBook({GROUP: ()}))
        self._ads.publish(GROUP, self._snapshot)

    def add_to(self, server: grpc.aio.Server) -> None:
        self._ads.add_to(server)

    @property
    def names(self) -> dict[str, list[str]]:
        """What an Envoy would ask for by name."""
        return {kind: sorted(self._snapshot.of_type(kind).names) for kind in (ENDPOINT, EXTENSION)}

    def _changed(self) -> None:
        self._changes += 1
        if self._changes == self._awaited:
            self._all_changed.set()

    def is_settled(self, streams: int) -> bool:
        fleet = self._ads.fleet(GROUP)
        return len(fleet.connected) == streams and fleet.has_accepted(self._snapshot)

    def prepare(self) -> None:
        """Builds the next step, off the clock."""
        self._snapshot = self._content.next()

    async def push(self, streams: int) -> None:
        """Publishes it, until the last of the streams has accepted it: one change of the fleet each."""
        self._all_changed.clear()
        self._awaited = self._changes + streams
        self._ads.publish(GROUP, self._snapshot)
        await self._all_changed.wait()
        assert self._ads.fleet(GROUP).has_accepted(self._snapshot)


class Bare:
    """The reference: everyone is sent the same bytes and answers; nothing is parsed, decided or remembered."""

    def __init__(self, payload_bytes: int) -> None:
        self._payload = b"x" * payload_bytes
        self._wakes: list[asyncio.Event] = []
        self._answers = 0
        self._awaited = 0
        self._all_answered = asyncio.Event()

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers = {method: grpc.stream_stream_rpc_method_handler(self._serve) for method in METHODS}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    @property
    def names(self) -> dict[str, list[str]]:
        return {}

    async def _serve(self, _requests: object, context: Any) -> None:
        wake = asyncio.Event()
        self._wakes.append(wake)
        await context.read()
        while True:
            await wake.wait()
            wake.clear()
            await context.write(self._payload)
            if await context.read() is grpc.aio.EOF:
                return
            self._answers += 1
            if self._answers == self._awaited:
                self._all_answered.set()

    def is_settled(self, streams: int) -> bool:
        return len(self._wakes) == streams

    def prepare(self) -> None:
        """The bytes are always the same."""

    async def push(self, streams: int) -> None:
        self._all_answered.clear()
        self._awaited = self._answers + streams
        for wake in self._wakes:
            wake.set()
        await self._all_answered.wait()


class Bench:
    """What the bench asks of either."""

    def __init__(self, served: Served | Bare) -> None:
        self._served = served
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        served.add_to(self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    async def start(self) -> Answer:
        calm_collector()  # as the control plane does when its state is read
        await self._server.start()
        return {"port": self._port, "names": self._served.names, "rss_bytes": rss_bytes(os.getpid())}

    async def settle(self, streams: int) -> Answer:
        """Everyone is there and runs everything; the memory that it took."""
        async with asyncio.timeout(_SETTLE_TIMEOUT_S):
            while not self._served.is_settled(streams):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        # What a stream needs to be set up is given back by then.
        await asyncio.sleep(1.0)
        return {"rss_bytes": rss_bytes(os.getpid())}

    async def steps(self, streams: int, count: int = 1, pause_s: float = 0.05) -> Answer:
        """Weight steps, one after the other: of each the ms to the last answer, and the CPU of this process in us."""
        last_ack_ms, cpu_us = [], []
        for _ in range(count):
            self._served.prepare()
            await asyncio.sleep(pause_s)
            cpu_s, began_s = time.process_time(), time.perf_counter()
            await self._served.push(streams)
            last_ack_ms.append((time.perf_counter() - began_s) * 1_000)
            cpu_us.append((time.process_time() - cpu_s) * 1_000_000)
        return {"last_ack_ms": last_ack_ms, "cpu_us": cpu_us}

    async def profile(self, streams: int, count: int) -> Answer:
        """Where the event loop's thread spends its time in steps."""
        with Sampler() as sampler:
            await self.steps(streams, count)
        return {"text": sampler.text}

    def answers(self) -> dict[str, Callable[..., Any]]:
        return {"start": self.start, "settle": self.settle, "steps": self.steps, "profile": self.profile}


async def main(kind: str, payload_bytes: int) -> None:
    allow_files()
    await answer_all(Bench(Bare(payload_bytes) if kind == "bare" else Served()).answers())


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
