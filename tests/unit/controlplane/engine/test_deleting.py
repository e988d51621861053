"""Objects out of the world: nothing that is needed goes, and a restart knows."""

import asyncio
from dataclasses import replace

import pytest

from controlplane.engine.deleting import InUseError, plan_delete
from controlplane.engine.world import ApplyPlan, NotFoundError, World, plan_apply
from controlplane.manifest.load import load
from controlplane.rollout.events import Abort
from controlplane.rollout.model import Promoted
from controlplane.store.memory import MemoryStore
from tests.unit.controlplane.engine.test_runner import T0_MS, Story, rollout, service
from tests.unit.controlplane.manifest.samples import BOTH

GROUP = """---
apiVersion: serinus/v1
kind: ProxyGroup
metadata: {name: edge}
spec: {listen: "127.0.0.1:8080"}
"""


def world(text: str = BOTH) -> World:
    return plan_apply(World(), load([("a.yaml", text)]), T0_MS).world


def ended(one: World) -> World:
    return one.with_rollout(replace(one.rollout("chat-v2"), phase=Promoted(T0_MS + 1)))


def deleted(one: World, *objects: tuple[str, str]) -> tuple[World, list[str]]:
    plan = plan_delete(ApplyPlan(one, ()), objects)
    return plan.world, [f"{change.kind}/{change.name} {change.change}" for change in plan.changes]


def test_a_service_takes_its_rollouts_with_it() -> None:
    left, changes = deleted(ended(world()), ("Service", "chat"))
    assert (dict(left.services), dict(left.rollouts)) == ({}, {})
    assert changes == ["Service/chat deleted", "Rollout/chat-v2 deleted"]


def test_a_rollout_alone_leaves_its_service() -> None:
    left, changes = deleted(ended(world()), ("Rollout", "chat-v2"))
    assert (set(left.services), dict(left.rollouts), changes) == ({"chat"}, {}, ["Rollout/chat-v2 deleted"])


@pytest.mark.parametrize("named", [("Service", "chat"), ("Rollout", "chat-v2")])
def test_what_runs_stays(named: tuple[str, str]) -> None:
    with pytest.raises(InUseError, match="rollout chat-v2 has not ended") as caught:
        deleted(world(), named)
    assert caught.value.next_step == "serinus abort chat-v2"


def test_a_group_stays_while_a_service_names_it() -> None:
    named = ended(world(BOTH.replace("  baseline: v1", "  proxies: [edge]\n  baseline: v1") + GROUP))
    with pytest.raises(InUseError, match="proxy group edge serves chat"):
        deleted(named, ("ProxyGroup", "edge"))
    left, _ = deleted(named, ("ProxyGroup", "edge"), ("Service", "chat"))
    assert (dict(left.services), dict(left.groups)) == ({}, {})


@pytest.mark.parametrize("named", [("Service", "talk"), ("Rollout", "x"), ("ProxyGroup", "x"), ("Proxy", "edge-1")])
def test_what_is_not_there_is_said(named: tuple[str, str]) -> None:
    with pytest.raises(NotFoundError, match="no "):
        deleted(ended(world()), named)


def test_what_was_deleted_is_gone_after_a_restart_and_may_come_again() -> None:
    async def story() -> None:
        store = MemoryStore()
        first = Story(store)
        await first.engine.start()
        await first.apply(service("chat"), service("sing"), rollout("chat"))
        await first.engine.command("chat-v2", Abort(T0_MS, "ada", "no"))
        gone = [("Service", "chat")]
        planned = await first.engine.apply([], gone, dry_run=True, actor="ada")
        assert [change.change for change in planned] == ["deleted", "deleted"]
        assert "chat" in first.engine.world.services
        await first.engine.apply([], gone, dry_run=False, actor="ada")
        assert set(first.engine.world.services) == {"sing"}
        assert first.engine.trackers == {}
        again = Story(store)
        await again.engine.start()
        assert (set(again.engine.world.services), dict(again.engine.world.rollouts)) == ({"sing"}, {})
        assert len(await again.engine.records("chat-v2")) >= 2
        await again.apply(service("chat"), rollout("chat"))
        third = Story(store)
        await third.engine.start()
        assert third.engine.world.rollout("chat-v2").revision == 1
        assert third.engine.world.running("chat-v2") is not None

    asyncio.run(story())
