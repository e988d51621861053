"""A control plane in this process, over its real ports, and an operator who calls its admin API."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from controlplane.app import ControlPlane
from controlplane.rollout.model import Phase, weight_bp_of
from controlplane.settings import ControlPlaneSettings
from serinus.v1 import admin_pb2, admin_pb2_grpc, outcomes_pb2
from tests.e2e.fleet import rows_of
from tests.ports import free_port
from tests.unit.controlplane.manifest.samples import ROLLOUT

# The sample's rollout, faster, and judged by errors alone.
PLAN = ROLLOUT.replace("min_step: 5s, follow_up: 3s", "min_step: 1s, follow_up: 1s").replace(
    "    - {metric: finish_reason, of: length, margin: 20pp}\n", ""
)


def settings(state_dir: Path, **more: Any) -> ControlPlaneSettings:
    admin, xds, http, listen = (f"127.0.0.1:{free_port()}" for _ in range(4))
    return ControlPlaneSettings(state_dir=state_dir, admin=admin, xds=xds, http=http, listen=listen, **more)


class Plane:
    """A control plane in this process, and its admin API."""

    def __init__(self, config: ControlPlaneSettings) -> None:
        self.config = config
        self.control = ControlPlane(config)

    async def apply(self, text: str) -> admin_pb2.ApplyResponse:
        file = admin_pb2.ManifestFile(name="chat.yaml", text=text)
        return await self.call("Apply", admin_pb2.ApplyRequest(files=[file], actor="test"))

    async def call(self, method: str, request: object) -> object:  # type: ignore[no-untyped-def]
        async with grpc.aio.insecure_channel(self.config.admin) as channel:
            return await getattr(admin_pb2_grpc.AdminStub(channel), method)(request, timeout=5)

    def phase(self) -> Phase:
        return self.control.engine.world.rollout("chat-v2").phase

    async def until(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            last = self.control.engine.last.get("chat-v2")
            assert time.monotonic() < deadline, f"{self.phase()}: {last}"
            await asyncio.sleep(0.05)

    def rows(self, bad: Callable[[str, int], bool] = lambda *_: False) -> Callable[[int], list[outcomes_pb2.SlotRow]]:
        """Rows of the weight in force, as a sidecar would see them."""

        def make(slot: int) -> list[outcomes_pb2.SlotRow]:
            engine = self.control.engine
            if "chat-v2" not in engine.world.rollouts:
                return []
            weight_bp = weight_bp_of(engine.world.rollout("chat-v2"))
            return rows_of(slot, snapshot=engine.publisher.route_snapshot("chat"), weight_bp=weight_bp, bad=bad)

        return make


@asynccontextmanager
async def plane(config: ControlPlaneSettings) -> AsyncIterator[Plane]:
    started = Plane(config)
    await started.control.start()
    task = asyncio.create_task(started.control.run())
    try:
        yield started
    finally:
        task.cancel()
        await started.control.stop()
