"""A list in brief says of each rollout what the whole view says, without its details, also after it has moved on."""

import asyncio
from pathlib import Path

from serinus.v1 import admin_pb2
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.unit.controlplane.manifest.samples import SERVICE

DETAILS = ("metrics", "events", "findings", "rejections")


async def both(world: Plane, *, name: str = "") -> list[tuple[admin_pb2.RolloutView, admin_pb2.RolloutView]]:
    """Each rollout in brief and as a whole."""
    answers = [
        (await world.call("Get", admin_pb2.GetRequest(kind="rollout", name=name, brief=brief))).rollouts  # type: ignore[attr-defined]
        for brief in (True, False)
    ]
    return list(zip(*answers, strict=True))


def assert_same(brief: admin_pb2.RolloutView, whole: admin_pb2.RolloutView) -> None:
    assert len(whole.events) > 0
    for name in (*DETAILS, "now_ms"):
        whole.ClearField(name)  # type: ignore[arg-type]
        assert name == "now_ms" or len(getattr(brief, name)) == 0
    brief.ClearField("now_ms")
    assert brief == whole


def test_a_rollout_in_brief_is_the_whole_one_without_its_details_in_every_phase(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = settings(tmp_path)
        async with plane(config) as world:
            await world.apply(SERVICE + "---\n" + PLAN)
            for verb in ("Pause", "Resume", "Abort"):
                await world.call(verb, admin_pb2.OperatorRequest(rollout="chat-v2", actor="ann", reason="because"))
                ((brief, whole),) = await both(world)
                assert_same(brief, whole)
            await world.until(lambda: world.phase().kind == "aborted")
            for _ in range(2):
                ((brief, whole),) = await both(world, name="chat-v2")
                assert brief.terminal
                assert_same(brief, whole)
        async with plane(config) as world:
            ((brief, whole),) = await both(world)
            assert_same(brief, whole)

    asyncio.run(scenario())
