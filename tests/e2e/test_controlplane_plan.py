"""A plan with everything in it, over the real ports: hooks that are asked, an approval, a bake, and the end."""

import asyncio
from pathlib import Path

import grpc
import pytest
from aiohttp import web

from controlplane.rollout.hooks import hook_of
from controlplane.rollout.model import Promoted
from serinus.v1 import admin_pb2
from tests.e2e.fleet import FakeSidecar, running
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.e2e.proxy import FakeProxy
from tests.unit.controlplane.manifest.samples import SERVICE

pytestmark = pytest.mark.e2e


class Gate:
    """Says no to the first call and yes to the rest."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int]] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls.append((body["hook"], body["weight_bp"], body["next_weight_bp"]))
        return web.Response(status=409 if len(self.calls) == 1 else 200, text="closed")


def code(control: Plane) -> str:
    last = control.control.engine.last.get("chat-v2")
    return last.decision.code if last else ""


def plan(port: int) -> str:
    hook = f"[{{url: 'http://127.0.0.1:{port}/gate'}}]"
    hooks = ", ".join(f"{kind}: {hook}" for kind in ("before_start", "before_step", "after_promote"))
    return (
        PLAN.replace("[10%, 50%, 100%]", "[50%, 100%]")
        + f"  bake: {{for: 1s, holdback: 2%}}\n  approvals: {{before: [100%]}}\n  hooks: {{{hooks}}}\n"
    )


async def told(control: Plane) -> None:
    await control.until(lambda: code(control) == "hook_failed")
    await control.call("Retry", admin_pb2.OperatorRequest(rollout="chat-v2", actor="ada", reason="open"))
    await control.until(lambda: code(control) == "approval", timeout_s=60)
    yes = admin_pb2.ApproveRequest(rollout="chat-v2", actor="ada", step_bp=10_000)
    await control.call("Approve", yes)
    with pytest.raises(grpc.aio.AioRpcError, match="nothing was changed"):
        await control.call("Approve", yes)
    await control.until(lambda: isinstance(control.phase(), Promoted), timeout_s=60)

    def is_over() -> bool:
        run = hook_of(control.phase())
        return run is not None and run.outcome == "passed"

    await control.until(is_over)


def test_a_plan_with_hooks_an_approval_and_a_bake_is_promoted_step_by_step(tmp_path: Path) -> None:
    async def story() -> None:
        gate, app = Gate(), web.Application()
        app.router.add_post("/gate", gate.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with plane(settings(tmp_path)) as control:
                proxy = FakeProxy(control.config.xds)
                async with running(proxy, FakeSidecar(control.config.xds, control.rows())):
                    await control.apply(SERVICE + "---\n" + plan(runner.addresses[0][1]))
                    await told(control)
                records = await control.control.engine.records("chat-v2")
        finally:
            await runner.cleanup()
        moved = [record.code for record in records if record.moved]
        assert moved == [
            *("applied", "hook_started", "hook_failed", "hook_retried", "hook_passed"),
            *("hook_started", "hook_passed", "prepared", "step_started"),
            *("approved", "hook_started", "hook_passed", "good_enough", "step_started"),
            *("bake_started", "promoted", "hook_passed"),
        ]
        start, first, last = ("before_start", 0, 5_000), ("before_step", 0, 5_000), ("before_step", 5_000, 9_800)
        assert gate.calls == [start, start, first, last, ("after_promote", 10_000, 10_000)]

    asyncio.run(story())
