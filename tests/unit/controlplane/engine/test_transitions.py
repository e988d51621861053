"""What a rollout that begins again needs of the world; evidence of the attempt before is none."""

import asyncio
from dataclasses import replace

import pytest

from controlplane.engine.evidence import tracker_of
from controlplane.engine.transitions import BusyError, with_world
from controlplane.engine.world import NotFoundError, World, plan_apply
from controlplane.manifest.load import load
from controlplane.rollout.events import Abort, Pause, Retry
from controlplane.rollout.model import Aborted, Observing, Preparing, RolledBack
from tests.unit.controlplane.engine.test_evidence import row
from tests.unit.controlplane.engine.test_runner import T0_MS, Story, rollout, service, started

AGAIN = Retry(T0_MS + 1, "ada", "")


def ended() -> World:
    world = plan_apply(World(), load([("a.yaml", service("chat") + "---\n" + rollout("chat"))]), T0_MS).world
    return world.with_rollout(replace(world.rollout("chat-v2"), phase=RolledBack("worse", T0_MS)))


def test_it_is_compared_with_the_version_in_force_now() -> None:
    assert with_world(ended(), "chat-v2", AGAIN) == replace(AGAIN, baseline="v1")
    with pytest.raises(BusyError, match="version v2 is the baseline of service chat already"):
        with_world(ended().with_baseline("chat", "v2"), "chat-v2", AGAIN)
    with pytest.raises(NotFoundError):
        with_world(ended(), "sing-v2", AGAIN)


def test_other_events_and_hooks_of_a_running_rollout_ask_nothing() -> None:
    pause = Pause(T0_MS, "ada", "")
    assert with_world(ended(), "chat-v2", pause) is pause
    running = ended().with_rollout(replace(ended().rollout("chat-v2"), phase=Observing(0, T0_MS)))
    assert with_world(running, "chat-v2", AGAIN) is AGAIN


def test_a_service_that_is_busy_or_has_lost_the_version_refuses() -> None:
    world = ended()
    other = replace(world.rollouts["chat-v2"], rollout=replace(world.rollout("chat-v2"), name="b", phase=Preparing(1)))
    with pytest.raises(BusyError, match="service chat is busy with rollout b; next: wait for it, or serinus abort b"):
        with_world(replace(world, rollouts={**world.rollouts, "b": other}), "chat-v2", AGAIN)
    chat = world.services["chat"]
    without = replace(chat, spec=chat.spec.model_copy(update={"versions": chat.spec.versions[:1]}))
    with pytest.raises(BusyError, match="version v2 is no more in service chat"):
        with_world(replace(world, services={"chat": without}), "chat-v2", AGAIN)


def test_a_retry_begins_a_new_attempt_with_a_judge_that_has_seen_nothing() -> None:
    async def run() -> None:
        async with started() as story:
            await begun_and_aborted(story)
            before = story.engine.trackers["chat-v2"]
            story.clock.at_ms += 60_000
            again = await story.engine.command("chat-v2", replace(AGAIN, now_ms=story.clock.at_ms))
            assert again.phase == Preparing(T0_MS + 60_000)
            assert story.engine.trackers["chat-v2"] is not before
            assert story.engine.world.active("chat") == again

    asyncio.run(run())


async def begun_and_aborted(story: Story) -> None:
    await story.apply(service("chat"), rollout("chat"))
    await story.engine.command("chat-v2", Abort(T0_MS, "ada", ""))
    assert story.phases() == {Aborted}


def test_what_is_told_late_of_the_attempt_before_is_no_evidence() -> None:
    world = ended()
    again = replace(world.rollout("chat-v2"), started_at_ms=20_000, phase=Preparing(20_000))
    tracker = tracker_of(again, world.services["chat"].spec)
    tracker.add([row(19, "v2", None, bad=20)], now_slot=21)
    assert tracker.merge.late_requests == 20
