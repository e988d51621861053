"""Workers as processes: all start, one that dies comes back, all drain, none is left over."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from extproc.settings import parse
from extproc.supervisor import PARENT, end_with_supervisor, worker_argv
from tests.ports import free_ports


class Running:
    """A supervisor of two workers and its log."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process = process
        self._log = log

    def events(self, name: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def pids(self) -> dict[int, int]:
        """By worker, of those started last."""
        return {int(str(each["worker"])): int(str(each["pid"])) for each in self.events("worker started")}

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not what():
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)


@contextmanager
def supervised(tmp_path: Path, *flags: str) -> Iterator[Running]:
    argv = [sys.executable, "-m", "extproc", "--workers", "2", "--node-id", "n", "--run-dir", str(tmp_path)]
    argv += ["--http", f"127.0.0.1:{free_ports(2)}", "--controlplane", "127.0.0.1:9", *flags]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(argv, stderr=log, text=True) as process:
        try:
            yield Running(process, tmp_path / "log")
        finally:
            process.kill()


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_every_worker_has_its_own_socket_and_port_and_else_the_flags_of_all() -> None:
    argv = ["--node-id", "n", "--run-dir", "/r", "--http", "127.0.0.1:7412", "--workers", "3"]
    settings = parse(argv, {})
    for index in range(3):
        worker = parse(worker_argv(argv, settings, index), {})
        assert worker.socket == Path(f"/r/extproc.sock.{index}")
        assert worker.http.port == 7412 + index
        assert (worker.workers, worker.run_dir, worker.node_id) == (1, settings.run_dir, "n")


def test_a_worker_that_is_killed_comes_back_and_sigterm_drains_all(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        running.until(lambda: len(running.events("serving")) == 2)
        assert {path.name for path in tmp_path.glob("*.sock*")} == {"extproc.sock.0", "extproc.sock.1"}
        first = running.pids()
        os.kill(first[1], signal.SIGKILL)
        running.until(lambda: len(running.events("serving")) == 3)
        second = running.pids()
        assert second[0] == first[0]
        assert second[1] != first[1]
        (ended,) = running.events("a worker ended")
        assert (ended["worker"], ended["exit_code"]) == (1, -signal.SIGKILL)
        running.process.terminate()
        assert running.process.wait(30) == 0
        assert len(running.events("drained")) == 2
        assert not any(map(is_alive, second.values()))


def test_workers_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        running.until(lambda: len(running.events("serving")) == 2)
        running.process.kill()
        running.until(lambda: not any(map(is_alive, running.pids().values())))
        assert len(running.events("drained")) == 2


def test_a_worker_that_cannot_start_ends_all_with_its_exit_code(tmp_path: Path) -> None:
    with supervised(tmp_path, "--socket", str(tmp_path / "none" / "e.sock")) as running:
        assert running.process.wait(60) == 1
        assert running.events("a worker cannot start")
        assert not any(map(is_alive, running.pids().values()))


def test_a_worker_whose_supervisor_is_gone_already_leaves() -> None:
    end_with_supervisor({})
    script = "import os; from extproc.supervisor import PARENT, end_with_supervisor; end_with_supervisor(os.environ)"
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, PARENT: "1"}, timeout=60, check=False)
    assert done.returncode == (1 if sys.platform == "linux" else 0)


@pytest.mark.parametrize("number", ["2", "auto"])
def test_the_help_tells_of_workers(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"], {"SERINUS_WORKERS": number})
    assert re.search(r"--workers N\|auto", capsys.readouterr().out)
