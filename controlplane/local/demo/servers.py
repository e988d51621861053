"""The model servers of the demo: one process a version, real or built in, each with its log."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from controlplane.errors import SerinusError
from controlplane.local.addresses import free_addresses
from controlplane.local.demo import llama
from controlplane.local.probe import Probe
from controlplane.local.processes import Child, ChildSpec
from controlplane.security.listen import parse_listen

# What both built-in versions do: measured of the real pair, at a shorter time per token.
SIM_LENGTH_SHARE, SIM_BROKEN_LENGTH_SHARE = 0.013, 0.985
# Model servers take every core there is, and on two cores the sidecar has 50 ms for its answer: it goes first. At 5
# they keep a third of a core's share beside whatever else the machine does; at 10 a tenth, and answers take seconds.
MODEL_SERVER_NICE = 5
SIM_READY_TIMEOUT_MS = 30_000  # importing aiohttp takes 0.3 s warm, some seconds from a cold disk


class ModelServers:
    """An async context manager; leaving it ends every server."""

    def __init__(self, log_dir: Path, *, simulated: bool, notify: Callable[[str], None]) -> None:
        self._log_dir = log_dir
        self._simulated = simulated
        self._notify = notify
        self._children: dict[str, Child] = {}

    async def __aenter__(self) -> "ModelServers":
        self._probe = Probe()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for version in list(self._children):
                await self.stop(version)
        finally:
            await self._probe.close()

    async def start(self, version: str, *, broken: bool) -> str:
        """A server for that version, ready to answer. Returns its HOST:PORT.

        Raises SerinusError: it cannot run here, or did not get ready (with the end of its log).
        """
        (address,) = free_addresses(1)
        at = parse_listen(address, flag="model server")
        host, port = at.host, at.port
        argv = self._command(version, host, port, broken=broken)
        spec = ChildSpec(
            name=f"model-{version}",
            argv=argv,
            log=self._log_dir / f"model-{version}.log",
            grace_ms=llama.STOP_GRACE_MS,
            nice=MODEL_SERVER_NICE,
        )
        child = Child(spec, notify=self._notify)
        self._children[version] = child
        await child.start()
        timeout_ms = SIM_READY_TIMEOUT_MS if self._simulated else llama.READY_TIMEOUT_MS
        await self._probe.until_ready(child, address, "/health", timeout_ms=timeout_ms)
        return address

    async def stop(self, version: str) -> None:
        """Again is harmless."""
        child = self._children.pop(version, None)
        if child is not None:
            with contextlib.suppress(SerinusError):  # never started
                await child.stop()

    def is_running(self, version: str) -> bool:
        """Whether the process of that version lives: what a broken answer must not be blamed on."""
        return version in self._children and self._children[version].exit_code is None

    def _command(self, version: str, host: str, port: int, *, broken: bool) -> tuple[str, ...]:
        alias = f"chat-{version}"
        if not self._simulated:
            return llama.command(
                llama.find_server(), llama.find_model(), alias=alias, host=host, port=port, broken=broken
            )
        length_share = SIM_BROKEN_LENGTH_SHARE if broken else SIM_LENGTH_SHARE
        return (
            *(sys.executable, "-m", "controlplane.local.demo.simserver", "--host", host, "--port", str(port)),
            *("--model", alias, "--length-share", str(length_share)),
        )
