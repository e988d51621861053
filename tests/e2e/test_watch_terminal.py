"""`serinus watch` as a person has it before them: in a terminal (tmux) that is resized, and left with Ctrl-C."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from serinus.v1 import admin_pb2, admin_pb2_grpc
from tests import skips
from tests.unit.controlplane.cli.test_view import event, metric, rollout

pytestmark = pytest.mark.e2e

HEAD = "chat-v2  ● OBSERVING  step 2/3  weight 50% (observed 49.6% of 412 users)"
DEADLINE_S = 60.0
TICK_S = 0.1
SERINUS = str(Path(sys.executable).with_name("serinus"))


class Ticking(admin_pb2_grpc.AdminServicer):
    """A rollout that changes ten times a second, for as long as anybody looks; one of the name "over" has ended."""

    def Watch(self, request: admin_pb2.WatchRequest, context: grpc.ServicerContext) -> Iterator[admin_pb2.RolloutView]:
        gone = threading.Event()
        if request.rollout == "over":
            yield rollout(name="over", phase="promoted", terminal=True, step_index=2)
            return
        tick = 0
        listens = context.add_callback(gone.set)
        while listens and not gone.wait(TICK_S):
            tick += 1
            events = [event(1_000_000 + at, f"event {at} at tick {tick} {'and words ' * 30}") for at in range(60)]
            yield rollout(now_ms=1_000_000 + 1_000 * tick, metrics=[metric(), metric("ttft")], events=events)


class Terminal:
    """A tmux of its own, with a shell in it."""

    def __init__(self, directory: Path) -> None:
        self._tmux = ["tmux", "-S", str(directory / "tmux"), "-f", "/dev/null"]
        self.ask("new-session", "-d", "-x", "80", "-y", "24", "env PS1='READY> ' sh")
        self.until("READY>")

    def ask(self, *args: str) -> str:
        # Test runners say how wide they are; the terminal is as wide as it is.
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environ = {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        done = subprocess.run([*self._tmux, *args], capture_output=True, text=True, env=environ, check=True, timeout=60)
        return done.stdout

    def type(self, line: str) -> None:
        self.ask("send-keys", "-l", line)
        self.ask("send-keys", "Enter")

    def lines(self, *more: str) -> list[str]:
        return self.ask("capture-pane", "-p", *more).rstrip("\n").split("\n")

    def until(self, words: str) -> list[str]:
        """What is seen once these words are."""
        deadline = time.monotonic() + DEADLINE_S
        while words not in (seen := "\n".join(self.lines())):
            assert time.monotonic() < deadline, f"{words!r} is not seen:\n{seen}"
            time.sleep(TICK_S)
        return seen.split("\n")

    def state(self) -> str:
        return self.ask("display-message", "-p", "cursor #{cursor_flag} other screen #{alternate_on}").strip()


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=[("grpc.so_reuseport", 0)])
    admin_pb2_grpc.add_AdminServicer_to_server(Ticking(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        skips.skip("tmux is missing", next_step="install Debian's package tmux")
    opened = Terminal(tmp_path)
    yield opened
    opened.ask("kill-server")


def test_the_screen_is_whole_at_every_size_and_ctrl_c_leaves_the_terminal_clean(
    terminal: Terminal, address: str
) -> None:
    terminal.type(f"export SERINUS_ADMIN={address}")
    terminal.type(f"{SERINUS} watch chat-v2; echo code=$?")
    seen = terminal.until("event 59")
    assert seen[0] == HEAD
    assert len(seen) <= 24
    assert max(map(len, seen)) <= 80
    assert "? not enough evidence" in "\n".join(seen)

    for width, height in ((132, 43), (60, 20), (80, 24)):
        before = len("".join(seen))
        terminal.ask("resize-window", "-x", str(width), "-y", str(height))
        deadline = time.monotonic() + DEADLINE_S
        while len("".join(seen := terminal.lines())) == before or seen[0] != HEAD[:width].rstrip():
            assert time.monotonic() < deadline, "\n".join(seen)
            time.sleep(TICK_S)
        assert sum("OBSERVING" in line for line in seen) == 1
        assert len(seen) <= height
    assert terminal.state() == "cursor 0 other screen 1"

    terminal.ask("send-keys", "C-c")
    left = terminal.until("code=130")
    assert left[0] == HEAD, "the head of the last state must stay in sight beside the prompt"
    assert terminal.state() == "cursor 1 other screen 0"
    everything = terminal.lines("-S", "-")
    assert sum(HEAD in line for line in everything) == 1, "resizes must not litter what stood before"
    assert not any("Traceback" in line for line in everything)
    terminal.type("clear; stty -a")
    shown = " ".join(terminal.until("echonl")).split()
    assert {"echo", "icanon"} <= set(shown)


def test_what_is_piped_has_no_escapes_and_once_leaves_by_itself(
    terminal: Terminal, address: str, tmp_path: Path
) -> None:
    terminal.type(f"export SERINUS_ADMIN={address}")
    out = tmp_path / "out"
    terminal.type(f"{SERINUS} watch over | tee {out}; echo piped; {SERINUS} watch chat-v2 --once; echo code=$?")
    seen = terminal.until("code=0")
    assert out.read_text(encoding="utf-8").startswith("over PROMOTED; step 3/3; weight 50%")
    assert "\x1b" not in out.read_text(encoding="utf-8")
    assert any("event 59" in line for line in seen)
    assert terminal.state() == "cursor 1 other screen 0"
