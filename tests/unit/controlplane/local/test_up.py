"""`run_up` in a process of its own, with stub programs: signals, exit codes, what is said on screen."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.controlplane.local.stubs import log_text

MAIN = """
import asyncio, sys
from pathlib import Path
from controlplane.local.settings import StackSettings
from controlplane.local.stack import Stack
from controlplane.local.up import run_up
from tests.unit.controlplane.local.stubs import StubCommands
async def main():
    settings = StackSettings.ephemeral(Path(sys.argv[1]), manifests=tuple(map(Path, sys.argv[3:])))
    fail = tuple(filter(None, [sys.argv[2]]))
    return await run_up(settings, stack=Stack(settings, commands=StubCommands(fail=fail), notify=print))
sys.exit(asyncio.run(main()))
"""
MANIFEST = """
apiVersion: serinus/v1
kind: Service
metadata: {name: chat}
spec:
  protocol: http
  hosts: ["*"]
  sticky: {header: x-user-id}
  versions: [{name: v1, endpoints: ["127.0.0.1:8001"]}]
  baseline: v1
"""


class Up:
    """The process; `said` grows as it prints."""

    def __init__(self, tmp_path: Path, *manifests: Path, fail: str = "") -> None:
        self.state = tmp_path / "state"
        self._out = tmp_path / "out"
        with self._out.open("wb") as out:
            command = [sys.executable, "-c", MAIN, str(self.state), fail, *map(str, manifests)]
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, start_new_session=True, env={**os.environ, "COLUMNS": "200"}
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    def until_said(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.02)

    def __enter__(self) -> "Up":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def test_ctrl_c_drains_and_exits_with_0_and_the_summary_says_what_runs_where(tmp_path: Path) -> None:
    manifest = tmp_path / "chat.yaml"
    manifest.write_text(MANIFEST)
    with Up(tmp_path, manifest) as up:
        up.until_said("Ctrl-C drains")
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(30) == 0
    for text in ("gateway", "chat: * / -> v1 (127.0.0.1:8001)", "serinus watch ROLLOUT", "/metrics", str(up.state)):
        assert text in up.said
    assert "requests in flight may finish" in up.said
    assert all("told to end" in log_text(up.state, name) for name in ("envoy", "extproc", "controlplane"))


def test_a_hangup_hands_the_sidecar_over_and_sigterm_ends(tmp_path: Path) -> None:
    with Up(tmp_path) as up:
        up.until_said("no service yet")
        up.process.send_signal(signal.SIGHUP)
        up.until_said("the sidecar was restarted")
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(30) == 0
    assert log_text(up.state, "extproc").count("here") == 2


def test_a_process_that_does_not_start_exits_with_1_and_its_last_words(tmp_path: Path) -> None:
    with Up(tmp_path, fail="extproc") as up:
        assert up.process.wait(30) == 1
    assert "error: extproc (127.0.0.1:" in up.said
    assert "extproc has no luck" in up.said


def test_a_mistake_in_a_manifest_is_told_with_its_line_before_anything_starts(tmp_path: Path) -> None:
    manifest = tmp_path / "chat.yaml"
    manifest.write_text(MANIFEST.replace("sticky:", "stickey:"))
    with Up(tmp_path, manifest) as up:
        assert up.process.wait(30) == 1
    assert f"{manifest}:8" in up.said
    assert "stickey" in up.said
    assert not up.state.exists()


GROUP = "apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {name: NAME}\nspec: {listen: '127.0.0.1:1'}\n"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("edge", "groups.yaml:4: spec: serinus up runs one proxy, of group default"),
        ("default", "groups.yaml:4: spec.listen: serinus up listens on"),
    ],
)
def test_a_group_that_its_one_proxy_is_not_of_ends_it_before_anything_starts(
    tmp_path: Path, name: str, part: str
) -> None:
    manifest = tmp_path / "groups.yaml"
    manifest.write_text(GROUP.replace("NAME", name))
    with Up(tmp_path, manifest) as up:
        assert up.process.wait(30) == 1
        assert part in up.said
    assert not (tmp_path / "state").exists()
