"""One supervised child process: start, restart with a bounded back-off, stop with grace and then by force.

- A child ends with its parent even when that is killed: it starts as a launcher that asks the kernel for SIGTERM at the
  parent's death and then replaces itself (the pid stays; 15 ms). Envoy does so by itself with hot restart only.
- A child is spawned from the main thread only: the kernel means the death of the *thread* that made it.
- It gets its own process group, so Ctrl-C in the terminal reaches the parent alone, which then drains in order.
- Output goes to one log file, opened for appending and cut back when it grows over its limit.

It does not know what the child does, nor when it is ready.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controlplane.local.errors import StackError
from controlplane.local.logs import LOG_CHECK_INTERVAL_S, open_log, tail, trim
from controlplane.local.restart import RestartPolicy, pause_before_restart_ms

# Ends remembered per child: more than any policy's restarts_max.
_ENDS_MAX = 32

# prctl(PR_SET_PDEATHSIG, SIGTERM), see prctl(2); a parent that is already gone by then is noticed by the changed pid.
_END_WITH_PARENT = (
    "import ctypes,os,signal,sys\n"
    "ctypes.CDLL(None).prctl(1,int(signal.SIGTERM))\n"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1)\n"
    "os.nice(int(sys.argv[2]))\n"
    "os.execv(sys.argv[3],sys.argv[3:])\n"
)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """`argv_again` is used for restarts (None: the same as `argv`). `grace_ms`: from SIGTERM to SIGKILL."""

    name: str
    argv: tuple[str, ...]
    log: Path
    argv_again: tuple[str, ...] | None = None
    grace_ms: int = 5_000
    nice: int = 0  # above 0 the others go first


class Child:
    """A process by its spec. `start` it, then `supervise` it; `given_up` resolves if it could not be kept alive."""

    def __init__(
        self, spec: ChildSpec, *, policy: RestartPolicy | None = None, notify: Callable[[str], None] | None = None
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self.given_up: asyncio.Future[StackError] = asyncio.get_running_loop().create_future()
        self._policy = policy or RestartPolicy()
        self._notify = notify or (lambda _: None)
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int] | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended_at_ms: list[int] = []

    @property
    def pid(self) -> int:
        """The process running now. Raises StackError when there is none."""
        if self._process is None or self._process.returncode is not None:
            raise StackError(f"{self.spec.name} is not running")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Of the newest process; None while it runs. Negative: ended by that signal."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Spawn it. Raises StackError if the program cannot be run."""
        await self._spawn(self.spec.argv)

    def supervise(self) -> None:
        """From now on an end that `stop` did not ask for is answered by a restart."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name=f"supervise {self.spec.name}")

    async def wait_ended(self) -> int:
        """The exit code of the process running now, once it has ended."""
        if self._ended is None:
            raise StackError(f"{self.spec.name} was never started")
        return await asyncio.shield(self._ended)

    async def stop(self, *, grace_ms: int | None = None) -> int | None:
        """SIGTERM, then SIGKILL after the grace. Returns the exit code; None if it never ran. Again is harmless."""
        self._stop.set()
        if self._task is not None:
            await self._task
        if self._process is None or self._ended is None:
            return None
        _signal(self._process, signal.SIGTERM)
        grace_s = (self.spec.grace_ms if grace_ms is None else grace_ms) / 1000
        await asyncio.wait({self._ended}, timeout=grace_s)
        if not self._ended.done():
            self._notify(f"{self.spec.name} did not end within {grace_s:g} s and is killed")
            _signal(self._process, signal.SIGKILL)
        return await self._ended

    async def _spawn(self, argv: tuple[str, ...]) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise StackError(
                f"{self.spec.name} must be started from the main thread: it would end with this one",
                next_step="run the event loop that holds the stack in the main thread",
            )
        if shutil.which(argv[0]) is None:
            raise StackError(f"{self.spec.name} cannot be run: {argv[0]} is no program")
        launcher = (sys.executable, "-I", "-S", "-c", _END_WITH_PARENT, str(os.getpid()), str(self.spec.nice))
        log = open_log(self.spec.log)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *launcher,
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except OSError as error:
            raise StackError(f"{self.spec.name} cannot be run: {error.strerror}") from error
        finally:
            os.close(log)
        self._ended = asyncio.create_task(self._process.wait(), name=f"end of {self.spec.name}")

    async def _supervise(self) -> None:
        while (code := await self._end_or_stop()) is not None:
            self._ended_at_ms = [*self._ended_at_ms, time.monotonic_ns() // 1_000_000][-_ENDS_MAX:]
            pause_ms = pause_before_restart_ms(self._policy, self._ended_at_ms, self._ended_at_ms[-1])
            if pause_ms is None:
                return self._give_up(code)
            self._notify(f"{self.spec.name} {describe_exit(code)}; starting it again in {pause_ms} ms")
            if await self._stopped_within(pause_ms / 1000):
                return None
            try:
                await self._spawn(self.spec.argv_again or self.spec.argv)
            except StackError as error:
                self.given_up.set_result(error)
                return None
            self.restarts += 1
        return None

    def _give_up(self, code: int) -> None:
        policy = self._policy
        self.given_up.set_result(
            StackError(
                f"{self.spec.name} {describe_exit(code)}, {policy.restarts_max + 1} times within "
                f"{policy.window_ms / 1000:g} s, and is given up{tail(self.spec.log)}",
                next_step=f"read {self.spec.log}",
            )
        )

    async def _end_or_stop(self) -> int | None:
        """The exit code once the process has ended by itself, or None once `stop` was asked for."""
        assert self._ended is not None
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not self._ended.done() and not stopping.done():
                await asyncio.wait(
                    {self._ended, stopping}, timeout=LOG_CHECK_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED
                )
                trim(self.spec.log)
        finally:
            stopping.cancel()
        return None if self._stop.is_set() else self._ended.result()

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self._stop.is_set()


def describe_exit(code: int) -> str:
    """ "ended by SIGKILL" or "ended with exit code 1"."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
        return f"was ended by signal {-code}"
    return f"ended with exit code {code}"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To this process alone: it is the leader of a group that may hold nothing else. Gone already is fine."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
