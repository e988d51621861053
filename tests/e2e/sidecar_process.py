"""The shipped sidecar as a process of its own, with its cohort policy in place: no control plane is needed to tag."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from controlplane.ingest.wire import policy_message
from serinus.contract.policy import ServicePolicy
from tests.unit.extproc.telemetry.test_exporter import fetch

START_S = 60.0
NODE = "test-1"


def short_directory() -> Path:
    """A Unix socket's path holds 107 bytes, pytest's directories are longer. The caller removes it."""
    return Path(tempfile.mkdtemp(prefix="srp-"))


def keep_policy(run_dir: Path, policies: Sequence[ServicePolicy]) -> None:
    """As a sidecar that was here before has left it."""
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "policy.pb").write_bytes(policy_message(policies).SerializeToString())


def ledger(run_dir: Path) -> dict[str, Any]:
    """What all sidecars of the run directory received, and what is lost."""
    path = run_dir / "ledger.json"
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"received": 0, "lost": 0}
    return document


class SidecarProcess:
    """`python -m extproc` with a socket and a run directory. Start it again for a successor: it takes the socket over."""

    def __init__(self, run_dir: Path, socket: Path, http_port: int, *flags: str, workers: int = 1) -> None:
        self.run_dir = run_dir
        self.socket = socket
        self.http_port = http_port
        self._workers = workers
        self._flags = (*flags, "--workers", str(workers))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it serves, with all workers."""
        argv = ["--run-dir", self.run_dir, "--socket", self.socket, "--http", f"127.0.0.1:{self.http_port}"]
        argv += ["--node-id", NODE, "--controlplane", "127.0.0.1:9", *self._flags]
        with (self.run_dir / "sidecar.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "extproc", *map(str, argv), stdout=log, stderr=log
            )
        async with asyncio.timeout(START_S):
            while not all([await self.is_ready(self.http_port + worker) for worker in range(self._workers)]):
                assert self._process.returncode is None, self.log()
                await asyncio.sleep(0.05)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return (self.run_dir / "sidecar.log").read_text(errors="replace")

    async def is_ready(self, port: int = 0) -> bool:
        """Of the process that answers on its port: give a successor a port of its own."""
        try:
            return await fetch(port or self.http_port, "/readyz") == (200, "ok\n")
        except aiohttp.ClientError:
            return False

    async def metric(self, name: str, *, port: int = 0, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        _, text = await fetch(port or self.http_port, "/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def rss_peak_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def signal(self, number: int) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            os.kill(self._process.pid, number)

    async def ended(self, timeout_s: float = 20.0) -> int:
        """The exit code, once it has ended."""
        assert self._process is not None
        async with asyncio.timeout(timeout_s):
            return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await self.ended()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def stop_all(processes: Iterable[SidecarProcess]) -> None:
    for process in processes:
        await process.stop()
