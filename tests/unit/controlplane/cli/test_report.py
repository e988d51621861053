"""`report` of a real control plane: one file, with the audit for those who may read it and a word for the others."""

import asyncio
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from controlplane.cli.app import app
from controlplane.security.access import mint, render
from controlplane.security.roles import Role
from tests.e2e.plane import PLAN, plane, settings
from tests.unit.controlplane.dashboard.test_report import Reader
from tests.unit.controlplane.manifest.samples import SERVICE

ADMIN, ADMINS = mint("ann", Role.ADMIN.word, secret=bytes(32), expires_s=1 << 33)
VIEWER, VIEWERS = mint("vera", Role.VIEWER.word, secret=b"v" * 32, expires_s=1 << 33)


def run(token: str, *args: str) -> Result:
    return CliRunner().invoke(app, list(args), env={"SERINUS_TOKEN": token})


def test_the_record_is_one_file_and_tells_what_the_reader_may_know(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(render([ADMINS, VIEWERS]))
    (tmp_path / "tokens").chmod(0o600)
    (tmp_path / "chat.yaml").write_text(SERVICE + "---\n" + PLAN)
    page, text = tmp_path / "chat.html", tmp_path / "chat.md"

    async def scenario() -> list[Result]:
        async with plane(settings(tmp_path / "state", tokens=tmp_path / "tokens")) as world:
            at = ("--admin", world.config.admin)
            calls = (
                (ADMIN, "apply", "-f", str(tmp_path / "chat.yaml"), *at),
                (ADMIN, "pause", "chat-v2", "--reason", "a <b>look</b>", *at),
                (ADMIN, "report", "chat-v2", "--file", str(page), *at),
                (VIEWER, "report", "chat-v2", "--file", str(text), *at),
                (ADMIN, "report", "chat-v2", "--format", "md", *at),
                (ADMIN, "report", "none", *at),
                (ADMIN, "report", "chat-v2", "--file", str(tmp_path / "no" / "dir.html"), *at),
            )
            return [await asyncio.to_thread(run, *call) for call in calls]

    told = asyncio.run(scenario())
    assert [result.exit_code for result in told] == [0, 0, 0, 0, 0, 13, 1], [result.output for result in told]
    assert told[2].stdout.startswith(f"{page}: chat-v2, ")
    html = Reader(page.read_text(encoding="utf-8"))
    assert html.open == []
    assert "b" not in html.seen
    for fact in ("Rollout chat-v2: v2 over v1", "a <b>look</b>", "Pause", "service/chat created", "None is connected."):
        assert fact in html.words
    shas = [row for row in told[4].stdout.splitlines() if row.startswith("| sha256")]
    assert [len(row.split("|")[2].strip()) for row in shas] == [64, 64]
    assert "| Pause |" in told[4].stdout
    assert "| Pause |" not in text.read_text(encoding="utf-8")
    assert "Not in this record: " in text.read_text(encoding="utf-8")
    assert "next: give a --file that you may write to" in told[6].stderr


@pytest.mark.parametrize("form", ["pdf", ""])
def test_another_format_is_refused(form: str) -> None:
    assert run("", "report", "chat-v2", "--format", form).exit_code == 2
