"""Two control planes over one PostgreSQL, over their real ports: the follower serves reads, refuses changes, takes over."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import grpc
import pytest
from aiohttp import web

from controlplane.rollout.events import FleetFact
from serinus.v1 import admin_pb2
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.e2e.proxy import FakeProxy
from tests.postgres import postgres
from tests.unit.controlplane.manifest.samples import SERVICE
from tests.waiting import until

pytestmark = pytest.mark.e2e


async def readiness(member: Plane) -> int:
    url = f"http://{member.config.http}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def until_leading(member: Plane) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    while await readiness(member) != 200:
        assert time.monotonic() - began < 60
        await asyncio.sleep(0.05)
    return time.monotonic() - began


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
                print(f"took over after {await until_leading(survivor):.1f} s")
                await survivor.call("Abort", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
                with pytest.raises(grpc.aio.AioRpcError):
                    await leader.call("Abort", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
        finally:
            await leader.control.stop()

    asyncio.run(run(postgres().address()))


class Hook:
    """A receiver that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.told.append((body["event"], body["id"]))
        return web.Response()


@asynccontextmanager
async def hook() -> AsyncIterator[Hook]:
    found, app = Hook(), web.Application()
    app.router.add_post("/", found.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield found
    finally:
        await runner.cleanup()


async def until_told(found: Hook, *events: str) -> None:
    await until(lambda: [event for event, _ in found.told] == list(events), f"{events}, not {found.told}", 30.0)


def test_who_takes_over_goes_on_telling_and_tells_nothing_twice(tmp_path: Path) -> None:
    async def run(address: str) -> None:
        leader = Plane(settings(tmp_path / "a", store=address))
        await leader.control.start()
        working = asyncio.create_task(leader.control.run())
        try:
            async with hook() as found, plane(settings(tmp_path / "b", store=address)) as survivor:
                everything = "on: [started, paused, resumed, aborted]"
                await leader.apply(f"{SERVICE}---\n{PLAN}  notify: [{{webhook: '{found.url}', {everything}}}]\n")
                await until_told(found, "started")
                await leader.call("Pause", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
                await until_told(found, "started", "paused")
                # How far it has told is in the store; it hangs then.
                await leader.control.notify.save()
                working.cancel()
                await until_leading(survivor)
                await survivor.call("Resume", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
                await survivor.call("Abort", admin_pb2.OperatorRequest(rollout="chat-v2", actor="test"))
                await until_told(found, "started", "paused", "resumed", "aborted")
                await asyncio.sleep(2.0)
                assert len(found.told) == 4, "nobody tells anything again"
                assert len({notice_id for _, notice_id in found.told}) == 4
        finally:
            await leader.control.stop()

    asyncio.run(run(postgres().address()))
