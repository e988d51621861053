"""Two control planes over one PostgreSQL: one decides, the other follows, and takes over."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import pytest

from controlplane.engine.leadership.runner import Leadership
from controlplane.rollout.events import Abort, FleetFact
from controlplane.snapshot.resource import ROUTE
from controlplane.store.port import NotLeaderError
from controlplane.store.postgres import PostgresStore
from tests.postgres import execute, postgres
from tests.unit.controlplane.engine.test_runner import Story, rollout, service
from tests.waiting import until


class Member(Story):
    """A control plane; it looks for the lease when the test says so."""

    def __init__(self, address: str) -> None:
        self.store = PostgresStore(address, lease_s=60)
        super().__init__(self.store)
        self.leadership = Leadership(self.engine, self.store)

    def reason(self) -> str:
        last = self.engine.last.get("chat-v2")
        return last.decision.code if last is not None else ""

    async def look(self) -> bool:
        await self.leadership.look()
        return self.leadership.is_leading


@contextlib.asynccontextmanager
async def member(address: str) -> AsyncIterator[Member]:
    made = Member(address)
    try:
        yield made
    finally:
        await made.leadership.close()
        await made.engine.close()


def test_a_follower_publishes_what_the_leader_wrote_and_changes_nothing() -> None:
    async def run(address: str) -> None:
        async with member(address) as leader, member(address) as follower:
            assert await leader.look()
            assert not await follower.look()
            await leader.apply(service("chat"), rollout("chat"))
            assert not await follower.look()
            assert list(follower.engine.world.rollouts) == ["chat-v2"]
            assert follower.fleet.published["default"] == leader.fleet.published["default"]
            with pytest.raises(NotLeaderError):
                await follower.apply(service("talk"))
            with pytest.raises(NotLeaderError):
                await follower.engine.command("chat-v2", Abort(follower.clock.now_ms(), "ada", "no"))
            assert list(follower.engine.world.services) == ["chat"]

    asyncio.run(run(postgres().address()))


def test_steps_wait_for_the_proxies_of_a_follower_too() -> None:
    async def run(address: str) -> None:
        async with member(address) as leader, member(address) as follower:
            await leader.look()
            await follower.look()
            leader.fleet.connect("e1")
            follower.fleet.connect("e2")
            await leader.apply(service("chat"), rollout("chat"))
            seen = leader.engine.publisher
            await follower.look()
            await leader.look()
            assert seen.connected_nodes("chat") == ("e1", "e2")

            def waiting_for_the_others() -> bool:
                # Clusters first, then the routes that name them; the engine goes on twice a second.
                leader.fleet.accept("e1")
                return seen.fleet_fact("chat").waiting == ("e2",)

            await until(waiting_for_the_others)
            for _ in range(3):
                follower.fleet.accept("e2")
                await follower.look()
            assert follower.fleet.published["default"][-1].version == leader.fleet.published["default"][-1].version
            await leader.look()
            assert seen.fleet_fact("chat") == FleetFact(connected=2)
            follower.fleet.reject("e2", ROUTE, "nonsense")
            await follower.look()
            await leader.look()
            assert seen.fleet_fact("chat").rejections == ("e2: nonsense",)
            # It came over: the follower has not told yet that it left.
            leader.fleet.connect("e2")
            leader.fleet.accept("e2")
            assert seen.fleet_fact("chat").waiting == ()

    asyncio.run(run(postgres().address()))


def test_the_proxies_of_a_follower_that_has_ended_are_gone() -> None:
    async def run(address: str) -> None:
        async with member(address) as leader:
            await leader.look()
            await leader.apply(service("chat"), rollout("chat"))
            async with member(address) as follower:
                follower.fleet.connect("e2")
                await follower.look()
                await leader.look()
                assert leader.engine.publisher.fleet_fact("chat").connected == 1
            await leader.look()
            assert leader.engine.publisher.fleet_fact("chat").connected == 0

    asyncio.run(run(postgres().address()))


def test_when_the_leader_goes_the_follower_leads_at_once() -> None:
    async def run(address: str) -> None:
        async with member(address) as follower:
            async with member(address) as leader:
                assert await leader.look()
                assert not await follower.look()
                await leader.apply(service("chat"), rollout("chat"))
            assert await follower.look()
            await follower.engine.command("chat-v2", Abort(follower.clock.now_ms(), "ada", "no"))
            assert [r.code for r in await follower.engine.records("chat-v2")] == ["applied", "aborted"]

    asyncio.run(run(postgres().address()))


def test_a_leader_that_slept_too_long_can_do_nothing_and_follows() -> None:
    async def run(address: str) -> None:
        async with member(address) as sleeper, member(address) as other:
            assert await sleeper.look()
            await sleeper.apply(service("chat"))
            await asyncio.to_thread(execute, address, "UPDATE serinus_lease SET expires_at = '-infinity'")
            assert await other.look()
            with pytest.raises(NotLeaderError):
                await sleeper.apply(service("talk"))
            await other.apply(service("sing"))
            assert not await sleeper.look()
            assert sorted(sleeper.engine.world.services) == ["chat", "sing"]

    asyncio.run(run(postgres().address()))


def test_after_the_database_was_lost_the_leader_reads_everything_again() -> None:
    async def run(address: str) -> None:
        server = postgres()
        async with member(address) as leader:
            assert await leader.look()
            await leader.apply(service("chat"))
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            try:
                with pytest.raises(Exception, match=r"database 127\.0\.0\.1"):
                    await leader.apply(service("talk"))
                assert list(leader.engine.world.services) == ["chat"]
            finally:
                await asyncio.to_thread(server.start)
            world = leader.engine.world
            assert await leader.look()
            assert leader.engine.world is not world
            await leader.apply(service("talk"))
            assert sorted(leader.engine.world.services) == ["chat", "talk"]

    asyncio.run(run(postgres().address()))


def test_without_the_database_a_rollout_holds_and_says_why() -> None:
    async def run(address: str) -> None:
        server = postgres()
        async with member(address) as leader:
            assert await leader.look()
            await leader.apply(service("chat"), rollout("chat"))
            await until(lambda: leader.reason() == "no_proxy")
            await asyncio.to_thread(server.stop)
            try:
                leader.fleet.connect("edge-1")
                await until(lambda: leader.reason() == "store")
                assert "cannot reach the database 127.0.0.1" in leader.engine.last["chat-v2"].decision.text
            finally:
                await asyncio.to_thread(server.start)
            assert await leader.look()
            await until(lambda: leader.reason() not in ("", "store"))

    asyncio.run(run(postgres().address()))
