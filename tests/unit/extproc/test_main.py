"""The process as a shell sees it: exit codes and what it says."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.ports import free_port


def sidecar(*argv: str) -> list[str]:
    return [sys.executable, "-m", "extproc", *argv]


def test_wrong_settings_exit_with_2_and_say_what_to_do() -> None:
    done = subprocess.run(sidecar("--http", "0.0.0.0:7412"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("extproc: --node-id is needed")
    assert "beyond loopback" in done.stderr
    assert done.stderr.endswith("next: python -m extproc --help\n")


def test_a_socket_that_cannot_be_bound_exits_with_1(tmp_path: Path) -> None:
    argv = ("--node-id", "n", "--run-dir", str(tmp_path), "--http", f"127.0.0.1:{free_port()}")
    argv += ("--socket", str(tmp_path / "none" / "e.sock"))
    done = subprocess.run(sidecar(*argv), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "cannot bind" in done.stderr


def test_sigterm_drains_and_exits_with_0(tmp_path: Path) -> None:
    env = {**os.environ, "SERINUS_NODE_ID": "n", "SERINUS_RUN_DIR": str(tmp_path)}
    env |= {"SERINUS_CONTROLPLANE": f"127.0.0.1:{free_port()}", "SERINUS_HTTP": f"127.0.0.1:{free_port()}"}
    with subprocess.Popen(sidecar(), env=env, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "extproc.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert '"event": "serving"' in log
    assert '"event": "drained"' in log
    assert all(line.startswith("{") for line in log.splitlines())
