"""`audit` and `history` of a real control plane: what people did, kept over a restart, and in nobody's power to change."""

import asyncio
import json
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner

from controlplane.cli.app import app
from controlplane.security.access import mint, render
from controlplane.security.roles import Role
from serinus.v1 import admin_pb2
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.unit.controlplane.manifest.samples import SERVICE

TOKEN, KEPT = mint("ann", Role.ADMIN.word, secret=bytes(32), expires_s=1 << 33)


async def serinus(*args: str) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, app, list(args))
    assert result.exit_code == 0, result.output
    return result.stdout


async def acts(world: Plane, manifest: Path) -> None:
    admin = ("--admin", world.config.admin)
    await serinus("apply", "-f", str(manifest), *admin)
    await serinus("apply", "-f", str(manifest), *admin)  # changes nothing
    for verb in ("pause", "resume"):
        await serinus(verb, "chat-v2", "--reason", f"to {verb}", *admin)
    await serinus("promote", "chat-v2", "--skip-analysis", "--reason", "it is urgent", *admin)
    await serinus("abort", "chat-v2", "--reason", "wrong build", *admin)
    refused = await asyncio.to_thread(CliRunner().invoke, app, ["pause", "chat-v2", *admin])
    assert refused.exit_code == 1


def test_every_act_is_in_the_audit_once_and_a_restart_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERINUS_TOKEN", TOKEN)
    (tmp_path / "tokens").write_text(render([KEPT]))
    (tmp_path / "tokens").chmod(0o600)
    manifest = tmp_path / "chat.yaml"
    manifest.write_text(SERVICE + "---\n" + PLAN)
    config = settings(tmp_path / "state", tokens=tmp_path / "tokens")

    async def scenario() -> tuple[str, str, str, str]:
        async with plane(config) as world:
            await acts(world, manifest)
        async with plane(config) as world:
            admin = ("--admin", world.config.admin)
            everything = await serinus("audit", "-o", "json", *admin)
            some = await serinus("audit", "--rollout", "chat-v2", "--limit", "1", *admin)
            decided = await serinus("history", "chat-v2", "-o", "json", *admin)
            return everything, some, decided, await serinus("history", "chat-v2", "--last", "1", *admin)

    everything, some, decided, last = asyncio.run(scenario())
    entries = json.loads(everything)["entries"]
    assert [(one["verb"], one["actor"], one["reason"], one["address"], one["role"]) for one in entries] == [
        ("Apply", "ann", "", "127.0.0.1", "admin"),
        ("Pause", "ann", "to pause", "127.0.0.1", "admin"),
        ("Resume", "ann", "to resume", "127.0.0.1", "admin"),
        ("Promote", "ann", "it is urgent", "127.0.0.1", "admin"),
        ("Abort", "ann", "wrong build", "127.0.0.1", "admin"),
    ]
    assert entries[0]["objects"] == ["service/chat created", "rollout/chat-v2 created"]
    assert [line.split()[2:4] for line in some.splitlines()[1:]] == [["ann", "Abort"]]
    assert "ann" in {one["actor"] for one in json.loads(decided)["events"]}
    assert len(last.splitlines()) == 2
    secret = TOKEN.rpartition("_")[2].encode()
    assert all(secret not in path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())


def test_the_audit_cannot_be_asked_for_as_a_rollout(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(settings(tmp_path)) as world:
            for method in ("Explain", "Pause", "Abort"):
                kind = admin_pb2.ExplainRequest if method == "Explain" else admin_pb2.OperatorRequest
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await world.call(method, kind(rollout="@audit"))
                assert error.value.code() is grpc.StatusCode.NOT_FOUND

    asyncio.run(scenario())
