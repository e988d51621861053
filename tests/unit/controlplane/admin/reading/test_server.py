"""A list in brief says of each rollout what the whole view says, without its details, also after it has moved on."""

import asyncio
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from controlplane.signals.signal import Signal
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


async def _full(request: web.Request) -> web.Response:
    return web.Response(text="tgi_queue_size 72\ntgi_batch_current_size 4\n")


def test_what_servers_say_reaches_services_rollouts_and_metrics(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = web.Application()
        app.router.add_get("/metrics", _full)
        async with TestServer(app) as server:
            text = SERVICE.replace('["127.0.0.1:8002"]', f'["127.0.0.1:{server.port}"], metrics: {{}}')
            (tmp_path / "chat.yaml").write_text(text)
            config = settings(tmp_path, manifests=(tmp_path / "chat.yaml",))
            async with plane(config) as world:
                engine = world.control.engine
                await world.apply(PLAN + "  capacity: {queue: 50}\n")
                await world.until(lambda: engine.signals.of("chat", "v2", engine.now_ms()).answering > 0)
                ((brief, whole),) = await both(world)
                (service,) = (await world.call("Get", admin_pb2.GetRequest(kind="service"))).services  # type: ignore[attr-defined]
                async with aiohttp.ClientSession() as session, session.get(f"http://{config.http}/metrics") as answer:
                    metrics = await answer.text()
        (v2,) = whole.servers
        assert not brief.servers
        assert (v2.version, v2.queue_depth, v2.full) == ("v2", 72.0, True)
        assert v2.resident_memory_bytes > 0, "the process on this machine"
        assert [(each.version, each.sources) for each in service.servers] == [("v1", 0), ("v2", 1)]
        assert f'serinus_server_{Signal.QUEUE}{{service="chat",version="v2"}} 72.0' in metrics
        assert "serinus_server_connections" in metrics

    asyncio.run(scenario())
