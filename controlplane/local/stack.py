"""Control plane, sidecar and Envoy on one machine, as supervised children of this process.

Order: up from the control plane (state is read before a port opens) over the sidecar (it needs its policy) to Envoy
(it needs both); down the other way, Envoy draining first. A child that dies is started again; one that keeps dying is
given up and `wait` says so. The event loop must run in the main thread (see `processes`).
"""

import asyncio
import contextlib
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from controlplane.errors import SerinusError
from controlplane.local import envoy_binary
from controlplane.local.commands import CONTROLPLANE, ENVOY, EXTPROC, Commands, ShippedCommands, bootstrap_text
from controlplane.local.errors import StackError
from controlplane.local.logs import tail
from controlplane.local.probe import POLL_INTERVAL_S, Probe
from controlplane.local.processes import Child, ChildSpec, describe_exit
from controlplane.local.rundir import RunDir, prepare
from controlplane.local.settings import StackSettings

__all__ = ["Stack", "StackError", "StackSettings"]

# A Python start with numpy and scipy takes 1 s warm, 10 s from a cold disk under load; Envoy waits up to 15 s for its
# first configuration.
READY_TIMEOUT_MS = 60_000
# Ctrl-C waits this long for answers in flight: a chat completion of a model on this machine takes seconds, and
# someone sits in front of it. A second Ctrl-C does not wait.
DRAIN_TIMEOUT_MS = 10_000
# An old sidecar lets Envoy leave and reads its streams to their end: 3.1-4.5 s measured on a busy machine.
HAND_OVER_TIMEOUT_MS = 15_000


class Stack:
    """An async context manager, or `start` and `stop`. `notify` gets one sentence an event."""

    def __init__(
        self,
        settings: StackSettings,
        *,
        commands: Commands | None = None,
        notify: Callable[[str], None] | None = None,
        drain_timeout_ms: int = DRAIN_TIMEOUT_MS,
    ) -> None:
        self.settings = settings
        self._commands = commands
        self._notify = notify or (lambda _: None)
        self._drain_timeout_ms = drain_timeout_ms
        self._children: dict[str, Child] = {}
        self._retired: list[Child] = []
        self._run: RunDir | None = None
        self._probe: Probe | None = None
        self._over = asyncio.Event()
        self._hurry = asyncio.Event()
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> "Stack":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def run_dir(self) -> RunDir:
        """Where logs, socket and bootstrap are. Raises StackError before `start`."""
        if self._run is None:
            raise StackError("the stack is not started")
        return self._run

    async def start(self) -> None:
        """All three, ready to serve.

        Raises SerinusError (a taken address, no Envoy, a process that does not get ready: with its name, address and
        the end of its log); nothing is left running then.
        """
        self.settings.check()
        self._commands = self._commands or ShippedCommands(envoy_binary.require().path)
        self._run = prepare(self.settings.state_dir)
        self._probe = Probe()
        try:
            for note in self._run.notes:
                self._notify(note)
            await self._start_all(self._commands, self._run, self._probe)
        except BaseException:
            await self.stop(drain=False)
            raise

    async def _start_all(self, commands: Commands, run: RunDir, probe: Probe) -> None:
        settings = self.settings
        # Both at once: the sidecar's imports take as long as the control plane's, and it dials until it is answered.
        control = await self._launch(commands.controlplane(settings, run))
        sidecar = await self._launch(commands.extproc(settings, run))
        await probe.until_ready(control, settings.http, "/readyz", timeout_ms=READY_TIMEOUT_MS)
        await probe.until_ready(sidecar, settings.sidecar_http, "/readyz", timeout_ms=READY_TIMEOUT_MS)
        run.bootstrap.write_text(bootstrap_text(settings, run.socket), encoding="utf-8")
        envoy = await self._launch(commands.envoy(settings, run))
        await probe.until_ready(envoy, settings.envoy_admin, "/ready", timeout_ms=READY_TIMEOUT_MS)
        await probe.until_accepts(envoy, settings.listen, timeout_ms=READY_TIMEOUT_MS)
        for child in self._children.values():
            child.supervise()

    async def _launch(self, spec: ChildSpec) -> Child:
        child = Child(spec, notify=self._notify)
        await child.start()
        self._children[spec.name] = child
        return child

    def pid(self, name: str) -> int:
        """Of "controlplane", "extproc" or "envoy", the process running now. Raises StackError if there is none."""
        if name not in self._children:
            raise StackError(f"{name} is not running")
        return self._children[name].pid

    async def hand_over_sidecar(self) -> None:
        """A planned restart of the sidecar that loses nothing: the new one takes the socket, then the old one drains.

        Raises StackError if the new one does not get ready; the old one then goes on serving.
        """
        async with self._changing:
            if not self.is_running(ENVOY):
                raise StackError("the stack is not up: there is no sidecar to hand over")
            old, run = self._children[EXTPROC], self.run_dir
            before = _identity(run.socket)
            assert self._commands is not None  # set by `start`, without which there is no `run_dir`
            new = Child(self._commands.extproc(self.settings, run), notify=self._notify)
            await new.start()
            try:
                await self._until_taken_over(new, before)
            except BaseException:
                await new.stop()
                raise
            self._children[EXTPROC] = new
            new.supervise()
            self._retired.append(old)
            await old.stop(grace_ms=HAND_OVER_TIMEOUT_MS)
            self._retired.remove(old)

    async def _until_taken_over(self, new: Child, before: tuple[int, int] | None) -> None:
        """The new process renames its socket over the old one once it can answer: another inode stands there."""
        path = self.run_dir.socket
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_TIMEOUT_MS / 1000):
                while new.exit_code is None:
                    if (now := _identity(path)) is not None and now != before:
                        return
                    await asyncio.sleep(POLL_INTERVAL_S)
        how = "is not ready" if new.exit_code is None else describe_exit(new.exit_code)
        raise StackError(
            f"the new sidecar {how} and has not taken over {path}; the one before goes on{tail(new.spec.log)}",
            next_step=f"read {new.spec.log}",
        )

    async def wait(self) -> None:
        """Until `stop`. Raises StackError when a child is given up."""
        over = asyncio.create_task(self._over.wait())
        try:
            while not over.done():
                lost = [child.given_up for child in self._children.values()]
                waiting: list[asyncio.Future[Any]] = [over, *lost]
                # Woken each second: a hand-over puts another child in place.
                await asyncio.wait(waiting, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                for each in lost:
                    if each.done():
                        raise each.result()
        finally:
            over.cancel()

    def hurry(self) -> None:
        """A stop that is under way, or comes, waits for no request in flight."""
        self._hurry.set()

    async def stop(self, *, drain: bool = True) -> None:
        """Envoy drains and ends, then the sidecar reports what it has, then the control plane. Again is harmless."""
        async with self._changing:
            if drain and self._probe is not None and self.is_running(ENVOY):
                await self._drain(self._probe)
            for name in (ENVOY, EXTPROC, CONTROLPLANE):
                await self._stop_child(name)
            if self._probe is not None:
                await self._probe.close()
            if self._run is not None:
                self._run.close()
            self._over.set()

    def is_running(self, name: str) -> bool:
        """Whether a process of that name runs now; between its end and its restart it does not."""
        return name in self._children and self._children[name].exit_code is None

    async def _drain(self, probe: Probe) -> None:
        drained = asyncio.create_task(
            probe.drain_envoy(self.settings.envoy_admin, timeout_ms=self._drain_timeout_ms), name="drain envoy"
        )
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({drained, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not drained.done():
            drained.cancel()
        elif left := drained.result():
            self._notify(f"{left} requests were still in flight when Envoy was ended")

    async def _stop_child(self, name: str) -> None:
        """One that cannot be stopped must not keep the others running."""
        for child in [*(old for old in self._retired if old.spec.name == name), self._children.get(name)]:
            if child is not None:
                try:
                    await child.stop()
                except (OSError, SerinusError) as error:
                    self._notify(f"{name} could not be stopped: {error}")


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the socket at `path`; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
