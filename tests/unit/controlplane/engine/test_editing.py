"""An apply that changes a running plan: recorded, published, judged anew, and the same after a restart."""

import asyncio
from dataclasses import replace

import pytest

from controlplane.engine.recover import begins_of
from controlplane.manifest.errors import ManifestError
from controlplane.rollout.model import Observing, Paused, Preparing, Publishing, weight_bp_of
from controlplane.store.memory import MemoryStore
from tests.unit.controlplane.engine.test_runner import Story, rollout, service, started

SMALLER = rollout("chat").replace("[10%, 50%, 100%]", "[5%, 30%, 100%]")


async def observing(story: Story) -> None:
    """At 50 %, as if the steps before had been taken."""
    await story.apply(service("chat"), rollout("chat"))
    engine = story.engine
    at = replace(engine.world.rollout("chat-v2"), phase=Observing(1, story.clock.at_ms))
    engine.world = engine.world.with_rollout(at)
    story.clock.at_ms += 5_000


def test_the_weight_goes_back_at_once_and_the_judge_begins_anew() -> None:
    async def run() -> None:
        store = MemoryStore()
        async with started(store) as story:
            await observing(story)
            tracker = story.engine.trackers["chat-v2"]
            count = story.count
            await story.apply(SMALLER)
            now = story.engine.world.rollout("chat-v2")
            assert (now.phase, weight_bp_of(now)) == (Publishing(1, story.clock.at_ms), 3_000)
            assert story.engine.trackers["chat-v2"] is not tracker
            assert story.count > count
            record = (await story.engine.records("chat-v2"))[-1]
            assert (record.code, record.actor) == ("edited", "ada")
            assert record.text == "plan edited by ada: goes back from 50% to 30%, judged anew"
        async with started(store) as story:
            again = story.engine.world.rollout("chat-v2")
            assert again == now
            assert begins_of(again, store.records("chat-v2")) == []

    asyncio.run(run())


def test_a_change_of_who_is_told_keeps_the_evidence_also_over_a_restart() -> None:
    async def run() -> None:
        store = MemoryStore()
        async with started(store) as story:
            await observing(story)
            tracker, before = story.engine.trackers["chat-v2"], story.engine.world.rollout("chat-v2")
            told = rollout("chat").rstrip() + '\n  notify: [{webhook: "http://127.0.0.1:9000/hook"}]\n'
            await story.apply(told)
            now = story.engine.world.rollout("chat-v2")
            assert story.engine.trackers["chat-v2"] is tracker
            assert (now.phase, now.started_at_ms) == (before.phase, before.started_at_ms)
            record = (await story.engine.records("chat-v2"))[-1]
            assert record.text == "plan edited by ada: who is told, or what holds it from outside; nothing else changes"
        async with started(store) as story:
            assert story.engine.world.rollout("chat-v2") == now

    asyncio.run(run())


def test_a_change_that_cannot_be_is_refused_with_its_line_and_changes_nothing() -> None:
    async def run() -> None:
        async with started() as story:
            await observing(story)
            before = story.engine.world
            with pytest.raises(ManifestError, match=r"a\.yaml:4: spec: .*stands at 50%, and the first step"):
                await story.apply(rollout("chat").replace("[10%, 50%, 100%]", "[60%, 100%]"))
            assert story.engine.world is before

    asyncio.run(run())


def test_an_apply_of_the_same_plan_still_changes_nothing() -> None:
    async def run() -> None:
        async with started() as story:
            await observing(story)
            before = story.engine.world.rollout("chat-v2")
            await story.apply(service("chat"), rollout("chat"))
            assert story.engine.world.rollout("chat-v2") == before
            assert not isinstance(before.phase, Preparing | Paused)

    asyncio.run(run())
