"""Two control planes over one PostgreSQL, over their real ports: the follower serves reads, refuses changes, takes over."""

import asyncio
import time
from pathlib import Path

import aiohttp
import grpc
import pytest

from controlplane.rollout.events import FleetFact
from serinus.v1 import admin_pb2
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.e2e.proxy import FakeProxy
from tests.postgres import postgres
from tests.unit.controlplane.manifest.samples import SERVICE

pytestmark = pytest.mark.e2e


async def readiness(member: Plane) -> int:
    url = f"http://{member.config.http}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


def test_a_follower_reads_along_and_takes_over_from_a_leader_that_hangs(tmp_path: Path) -> None:
    async def run(address: str) -> None:
        leader = Plane(settings(tmp_path / "a", store=address))
        await leader.control.start()
        working = asyncio.create_task(leader.control.run())
        try:
            async with plane(settings(tmp_path / "b", store=address)) as survivor:
                assert await readiness(leader) == 200
                assert await readiness(survivor) == 503
                await leader.apply(SERVICE + "---\n" + PLAN)
                await survivor.until(lambda: "chat-v2" in survivor.control.engine.world.rollouts)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await survivor.call("Abort", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
                assert "does not lead" in (refused.value.details() or "")
                # A proxy of the follower gets what the leader decided, and the leader hears how far it is.
                proxy = FakeProxy(survivor.config.xds)
                serving = asyncio.create_task(proxy.run())
                publisher = leader.control.engine.publisher
                await leader.until(lambda: publisher.fleet_fact("chat") == FleetFact(connected=1))
                assert proxy.clusters >= {"chat/v1", "chat/v2"}
                assert proxy.faults == []
                serving.cancel()
                # It hangs: its lease is neither renewed nor given back. 5 s later it is over, and the follower looks
                # every second; the bound is wide for the sake of loaded machines.
                working.cancel()
                began = time.monotonic()
                while await readiness(survivor) != 200:
                    assert time.monotonic() - began < 60
                    await asyncio.sleep(0.05)
                print(f"took over after {time.monotonic() - began:.1f} s")
                await survivor.call("Abort", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
                with pytest.raises(grpc.aio.AioRpcError):
                    await leader.call("Abort", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
        finally:
            await leader.control.stop()

    asyncio.run(run(postgres().address()))
