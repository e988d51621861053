"""`serinus up` as its user runs it: one command in front of their servers, Ctrl-C drains, nothing is left."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.local.addresses import require_free
from controlplane.local.settings import StackSettings
from tests.e2e.harness import service_text, wait_for
from tests.e2e.load import Client
from tests.e2e.upstream import ModelUpstream

pytestmark = pytest.mark.e2e


class Up:
    """The command in a session of its own, as a terminal gives it; `said` is what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process, settings: StackSettings, out: Path) -> None:
        self.process = process
        self.settings = settings
        self._out = out

    @property
    def said(self) -> str:
        return self._out.read_text()

    async def until_said(self, text: str) -> None:
        await wait_for(lambda: text in self.said, timeout_s=60, what=f"{text!r} on screen")

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]


def alive(pids: list[int]) -> list[int]:
    """Those that still run; one that has ended and waits to be collected does not."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            found += [pid] if state != "Z" else []
    return found


@contextlib.asynccontextmanager
async def running(tmp_path: Path, manifest: str) -> AsyncIterator[Up]:
    file = tmp_path / "chat.yaml"
    file.write_text(manifest)
    settings = StackSettings.ephemeral(tmp_path / "state")
    flags = [word for flag, address in settings.addresses.items() for word in (flag, address)]
    command = [sys.executable, "-m", "controlplane", "up", "-f", str(file), "--state", str(settings.state_dir), *flags]
    out = tmp_path / "out"
    with out.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, start_new_session=True, env={**os.environ, "COLUMNS": "200"}
        )
    up = Up(process, settings, out)
    try:
        yield up
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def test_ctrl_c_lets_a_stream_in_flight_finish_and_leaves_nothing_running(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def story() -> None:
        model = ModelUpstream("v1", chunk_gap_ms=50, hold=asyncio.Event())
        await model.start()
        async with running(tmp_path, service_text("chat", {"v1": model.address}, host="*")) as up:
            await up.until_said("Ctrl-C drains")
            children = up.children()
            client = Client(up.settings.listen)
            stream = asyncio.create_task(client.ask("user-1", stream=True))
            await wait_for(lambda: model.open_streams == 1, timeout_s=10, what="an open stream")
            os.killpg(up.process.pid, signal.SIGINT)  # as the terminal does: to the whole foreground group
            await up.until_said("requests in flight may finish")
            await asyncio.sleep(0.5)
            assert model.hold is not None
            model.hold.set()
            reply = await stream
            assert (reply.status, reply.version, reply.is_done) == (200, "v1", True)
            assert await asyncio.wait_for(up.process.wait(), 30) == 0
            await client.close()
        assert len(children) == 3
        assert alive(children) == []
        require_free(up.settings.addresses)
        await model.stop()

    runner.run(asyncio.wait_for(story(), 120))


def test_a_killed_parent_takes_its_processes_along(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, service_text("chat", {"v1": "127.0.0.1:9"}, host="*")) as up:
            await up.until_said("Ctrl-C drains")
            children = up.children()
            up.process.kill()
            await up.process.wait()
            await wait_for(lambda: not alive(children), timeout_s=20, what="all three have ended")
        require_free(up.settings.addresses)

    runner.run(asyncio.wait_for(story(), 120))


def test_a_mistake_in_the_manifest_is_told_before_anything_starts(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def story() -> None:
        wrong = service_text("chat", {"v1": "127.0.0.1:9"}, host="*").replace("baseline: v1", "baseline: v9")
        async with running(tmp_path, wrong) as up:
            assert await asyncio.wait_for(up.process.wait(), 60) == 1
        assert "v9" in up.said
        assert "chat.yaml:" in up.said

    runner.run(asyncio.wait_for(story(), 120))
    assert not (tmp_path / "state").exists()
