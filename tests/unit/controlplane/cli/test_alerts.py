"""`alerts`, `ack` and `silence` of a real control plane: seen, quiet for a while, who said so, and kept over a restart."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from controlplane.cli.app import app
from controlplane.security.access import mint, render
from controlplane.security.roles import Role
from tests.e2e.plane import Plane, plane, settings
from tests.unit.controlplane.manifest.samples import SERVICE
from tests.unit.controlplane.manifest.test_alert_rule import rule_text

TOKEN, KEPT = mint("ann", Role.ADMIN.word, secret=bytes(32), expires_s=1 << 33)
RULE = rule_text("{metric: proxies, below: 1}", "  for: 0s\n  summary: no proxy\n")


async def run(world: Plane, *args: str) -> tuple[int, str]:
    result = await asyncio.to_thread(CliRunner().invoke, app, [*args, "--admin", world.config.admin])
    return result.exit_code, result.output


async def listed(world: Plane) -> dict[str, Any]:
    code, text = await run(world, "alerts", "-o", "json")
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


async def until_firing(world: Plane) -> dict[str, Any]:
    for _ in range(200):
        (rule,) = (await listed(world))["rules"]
        if rule["state"] == "firing":
            return dict(rule)
        await asyncio.sleep(0.1)
    raise AssertionError("it never fired")


async def people_act(world: Plane, manifest: Path) -> None:
    assert (await run(world, "alerts"))[1].startswith("no alert rule")
    assert (await run(world, "apply", "-f", str(manifest)))[0] == 0
    rule = await until_firing(world)
    assert (rule["service"], rule["text"]) == ("chat", "proxies of the candidate 0 (below 1)")
    assert (await run(world, "ack", "chat-errors", "--reason", "on it"))[0] == 0
    code, text = await run(world, "silence", "chat-errors", "--for", "2h", "--reason", "deploy")
    assert code == 0
    assert "SILENCE OF" in text
    code, text = await run(world, "silence", "chat-errors", "--for", "soon")
    assert (code, "is not a duration" in text) == (2, True)
    code, text = await run(world, "silence", "nothing", "--for", "2h")
    assert code != 0
    assert "no alert rule nothing; rules: chat-errors" in text
    code, text = await run(world, "silence", "--for", "721h")
    assert code != 0
    assert "at most 720h" in text


def test_what_people_say_of_alerts_is_shown_kept_and_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERINUS_TOKEN", TOKEN)
    (tmp_path / "tokens").write_text(render([KEPT]))
    (tmp_path / "tokens").chmod(0o600)
    manifest = tmp_path / "chat.yaml"
    manifest.write_text(SERVICE + "---\n" + RULE)
    config = settings(tmp_path / "state", tokens=tmp_path / "tokens")

    async def scenario() -> tuple[dict[str, Any], str]:
        async with plane(config) as world:
            await people_act(world, manifest)
        async with plane(config) as world:
            await until_firing(world)
            found = await listed(world)
            audited = (await run(world, "audit", "-o", "json"))[1]
            await run(world, "silence", "chat-errors", "--for", "0s")
            assert (await listed(world)).get("silences", []) == []
            return found, audited

    found, audited = asyncio.run(scenario())
    (rule,), (silence,) = found["rules"], found["silences"]
    assert (rule["acknowledged_by"], rule["acknowledged_reason"]) == ("ann", "on it")
    assert rule["silenced_by"] == silence["author"] == "ann"
    assert (silence["rule"], silence["reason"]) == ("chat-errors", "deploy")
    acts = [(one["verb"], one["objects"], one["reason"]) for one in json.loads(audited)["entries"]]
    assert ("Acknowledge", ["alertrule/chat-errors"], "on it") in acts
    assert ("Silence", ["alertrule/chat-errors"], "deploy") in acts
    assert not [act for act in acts if act[1] == ["every alertrule"]], "what was refused is no act"
