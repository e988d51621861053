"""The engine with a fleet and sidecars that the test plays, and its own clock. What needs streams is in tests/e2e."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.runner import Engine
from controlplane.ingest.rows import Batch, ClusterHealth, Hello, ProxyCounters
from controlplane.manifest.errors import ManifestError
from controlplane.rollout.events import Abort, Promote
from controlplane.rollout.model import Aborted, Preparing, Publishing, Queued, RollingBack
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import ROUTE
from controlplane.store.memory import MemoryStore
from controlplane.store.port import Record, Store, StoredObject
from controlplane.telemetry.exporter import Exporter
from tests.unit.controlplane.engine.fleet import PlayedFleet
from tests.unit.controlplane.engine.test_steps import SECONDS_MIN, T0, seen
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

T0_MS = 1_700_000_000_000
NAMES = ("chat", "sing", "talk")


@dataclass
class ManualClock:
    at_ms: int = T0_MS

    def now_ms(self) -> int:
        return self.at_ms


def service(name: str) -> str:
    return SERVICE.replace("name: chat}", f"name: {name}}}").replace('hosts: ["*"]', f"hosts: [{name}]")


def rollout(name: str) -> str:
    return ROLLOUT.replace("chat-v2", f"{name}-v2").replace("service: chat", f"service: {name}")


class Story:
    def __init__(self, store: Store) -> None:
        self.fleet = PlayedFleet()
        self.clock = ManualClock()
        self.exporter = Exporter()
        self.engine = Engine(
            store=store,
            ads=self.fleet,  # type: ignore[arg-type]
            clock=self.clock,
            gateway=Gateway(),
            exporter=self.exporter,
        )

    async def apply(self, *texts: str) -> None:
        await self.engine.apply([("a.yaml", "---\n".join(texts))], dry_run=False, actor="ada")

    async def all_is_well(self) -> None:
        """One proxy that has everything, and its sidecar, which has the policy and sees every version healthy."""
        self.fleet.connect("edge-1")
        self.fleet.accept("edge-1")
        hello = Hello("edge-1", 1, "default")
        await self.engine.hello(hello)
        await self.engine.policy_ack(hello, self.engine.policy().version, "")
        health = tuple(ClusterHealth(f"{name}/v2", 1, 1) for name in NAMES)
        batch = Batch(1, T0_MS // 1000 - 1, (), ProxyCounters(0, 0, 0, 0, health), 0)
        await self.engine.batch(hello, batch, b"")

    def phases(self) -> set[type]:
        return {type(entry.rollout.phase) for entry in self.engine.world.rollouts.values()}

    @property
    def count(self) -> int:
        return len(self.fleet.published["default"])


@contextlib.asynccontextmanager
async def started(store: MemoryStore | None = None) -> AsyncIterator[Story]:
    story = Story(store or MemoryStore())
    await story.engine.start()
    try:
        yield story
    finally:
        await story.engine.close()


def told(tell: Callable[[Story], Awaitable[Any]]) -> None:
    async def run() -> None:
        async with started() as story:
            await tell(story)

    asyncio.run(run())


def test_many_transitions_of_one_tick_are_one_publication() -> None:
    async def tell(story: Story) -> None:
        await story.apply(*map(service, NAMES), *map(rollout, NAMES))
        await story.all_is_well()
        before = story.count
        await story.engine._tick()
        assert story.phases() == {Publishing}
        assert story.count == before + 1

    told(tell)


def test_a_rollback_is_published_before_anything_is_written_about_another_rollout() -> None:
    class Watching(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.published: Callable[[], int] = lambda: 0
            self.seen: list[int] = []

        def apply(self, objects: Sequence[StoredObject], records: Sequence[Record]) -> None:
            self.seen.append(self.published())
            super().apply(objects, records)

    async def run() -> None:
        store = Watching()
        async with started(store) as story:
            late = [rollout(name).replace("3s}", "3s, deadline: 1h, on_deadline: rollback}") for name in NAMES]
            await story.apply(*map(service, NAMES), *late)
            await story.all_is_well()
            await story.engine._tick()
            assert story.phases() == {Publishing}
            store.seen, store.published = [], lambda: story.count
            story.clock.at_ms += 3_600_000
            before = story.count
            await story.engine._tick()
            assert story.phases() == {RollingBack}
            assert store.seen == [before, before + 1, before + 2]

    asyncio.run(run())


def test_an_abort_is_published_before_it_is_answered() -> None:
    async def tell(story: Story) -> None:
        await story.apply(service("chat"), rollout("chat"))
        await story.all_is_well()
        await story.engine._tick()
        before = story.fleet.published["default"][-1].versions[ROUTE]
        await story.engine.command("chat-v2", Abort(T0_MS, "ada", "x"))
        assert story.fleet.published["default"][-1].versions[ROUTE] != before

    told(tell)


def test_an_apply_that_cannot_be_built_is_recorded_nowhere() -> None:
    async def tell(story: Story) -> None:
        with pytest.raises(ManifestError, match="there is no directory of secrets"):
            await story.apply(service("chat").replace("health: {path: /health}}", "auth: {file: token}}"))
        assert story.engine.world.services == {}
        assert story.engine.store.objects() == []

    told(tell)


def test_what_was_applied_is_there_after_a_restart_with_its_groups_and_its_weights() -> None:
    async def run() -> None:
        store = MemoryStore()
        group = "apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {name: edge}\nspec: {listen: '127.0.0.1:80'}\n"
        async with started(store) as story:
            await story.apply(service("chat"), rollout("chat"), group)
            await story.engine.command("chat-v2", Promote(T0_MS, "ada", "x", skip_analysis=True))
            sent = story.fleet.published["edge"][-1].version
        async with started(store) as story:
            assert story.fleet.book.groups == {"edge": ()}
            assert story.fleet.published["edge"][-1].version == sent

    asyncio.run(run())


def test_steps_that_come_from_traffic_are_kept_as_they_were_derived() -> None:
    """By the running engine, by its store, and against the same file on another day."""
    auto = rollout("chat").replace("[10%, 50%, 100%]", "auto")

    async def scenario() -> None:
        store = MemoryStore()
        async with started(store) as story:
            await story.apply(service("chat"))
            with pytest.raises(ManifestError, match="had no request so far"):
                await story.apply(auto)
            story.engine.registry.traffic = seen(100_000)
            story.clock.at_ms = (T0 + SECONDS_MIN - 1) * 1000
            changes = await story.engine.apply([("a.yaml", auto)], dry_run=False, actor="ada")
            assert changes[0].note.startswith("steps [5%, ")
            steps_bp = story.engine.world.rollout("chat-v2").spec.steps_bp
        async with started(store) as story:
            (change,) = await story.engine.apply([("a.yaml", auto)], dry_run=False, actor="ada")
            assert change.change == "unchanged"
            assert story.engine.world.rollout("chat-v2").spec.steps_bp == steps_bp
            assert steps_bp[0] == 500

    asyncio.run(scenario())


def test_a_rollout_that_cannot_be_judged_holds_and_is_counted_once() -> None:
    class Broken(EvidenceTracker):
        def routing_fact(self, snapshot: str) -> Any:
            raise RuntimeError("broken")

    async def tell(story: Story) -> None:
        await story.apply(service("chat"), rollout("chat"), service("talk"), rollout("talk"))
        await story.all_is_well()
        spec = story.engine.world.rollout("chat-v2").spec
        story.engine.trackers["chat-v2"] = Broken(spec, rollout="chat-v2", baseline="v1")
        for _ in range(3):
            await story.engine._tick()
        assert story.engine.last["chat-v2"].decision.code == "internal"
        assert isinstance(story.engine.world.rollout("chat-v2").phase, Preparing)
        assert isinstance(story.engine.world.rollout("talk-v2").phase, Publishing), "the others go on"
        series = 'serinus_decisions_total{action="hold",reason="internal",rollout="chat-v2",service="chat"} 1.0'
        assert series in story.exporter.text().decode()
        await story.engine.command("chat-v2", Abort(T0_MS, "ada", "x"))
        assert isinstance(story.engine.world.rollout("chat-v2").phase, Aborted)

    told(tell)


def test_a_queued_rollout_outlives_a_restart_and_begins_when_the_service_is_free() -> None:
    store = MemoryStore()
    third = '    - {name: v3, endpoints: ["127.0.0.1:8003"], health: {path: /health}}\n  baseline: v1\n'
    queued = rollout("chat").replace("{name: chat-v2}", "{name: chat-v3}").replace("candidate: v2", "candidate: v3")

    async def scenario() -> None:
        async with started(store) as story:
            await story.apply(service("chat").replace("  baseline: v1\n", third), rollout("chat"))
            await story.apply(queued + "  when_busy: queue\n")
        async with started(store) as story:
            await story.engine._tick()
            waiting = story.engine.world.rollout("chat-v3")
            assert waiting.phase == Queued(T0_MS, "chat-v2")
            await story.engine.command("chat-v2", Abort(T0_MS, "ada", "x"))
            story.clock.at_ms += 1_000
            await story.engine._tick()
            begun = story.engine.world.rollout("chat-v3")
            assert begun.phase == Preparing(T0_MS + 1_000)
            assert begun.started_at_ms == T0_MS + 1_000
            texts = [record.text for record in await story.engine.records("chat-v3")]
            assert texts[0] == "rollout of v3 over v1 asked for by ada; queued behind chat-v2"
            assert texts[1] == "begun, v3 over v1, by serinus: service chat is free"
            assert "chat-v3" in story.engine.trackers

    asyncio.run(scenario())
