"""`--workers N`: N sidecar processes, one socket each, kept running; SIGTERM reaches all and all drain.

A worker that ends by itself is started again, after a pause that doubles while it keeps ending; the others go on, and
Envoy's health check passes it by. One that cannot even start (a port, a socket) ends all: that is a fault of settings.
Workers end with this process, even when it is killed. A hand-over is the same as for one process: start a second
supervisor with the same flags, then end the first.
"""

import asyncio
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from extproc.clock import Prng
from extproc.settings import Settings
from extproc.uplink.backoff import Backoff
from serinus.contract.workers import worker_sockets

# A worker that lived as long has started well, and the next pause is the shortest again.
STEADY_S = 10.0
PARENT = "SERINUS_SUPERVISOR_PID"
# prctl(2)
_PR_SET_PDEATHSIG = 1

_log = logging.getLogger(__name__)


def worker_argv(argv: Sequence[str], settings: Settings, index: int) -> list[str]:
    """The flags of one worker: the supervisor's, and of a repeated flag the last one counts."""
    http = replace(settings.http, port=settings.http.port + index)
    socket = worker_sockets(str(settings.socket), settings.workers)[index]
    return [*argv, "--workers", "1", "--socket", socket, "--http", str(http)]


def end_with_supervisor(env: Mapping[str, str]) -> None:
    """In a worker: asks the kernel for SIGTERM at the supervisor's death, and leaves if that was before."""
    parent = env.get(PARENT)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != int(parent):
        sys.exit(1)


class Supervisor:
    """`run` it once, in the main thread: the kernel means the death of the *thread* that made a process."""

    def __init__(self, argv: Sequence[str], settings: Settings, prng: Prng, *, steady_s: float = STEADY_S) -> None:
        self._argv = argv
        self._settings = settings
        self._prng = prng
        self._steady_s = steady_s
        self._processes: dict[int, asyncio.subprocess.Process] = {}

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop`, or until a worker cannot start. The exit code: 0 when all have drained."""
        keepers = [asyncio.create_task(self._keep(index)) for index in range(self._settings.workers)]
        waiter = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait((waiter, *keepers), return_when=asyncio.FIRST_COMPLETED)
        failed = [task.result() for task in keepers if task in done]
        for task in (waiter, *keepers):
            task.cancel()
        await asyncio.gather(waiter, *keepers, return_exceptions=True)
        codes = await self._end()
        return failed[0] if failed else int(any(codes))

    async def _end(self) -> list[int]:
        running = [process for process in self._processes.values() if process.returncode is None]
        for process in running:
            process.terminate()
        return list(await asyncio.gather(*(process.wait() for process in running)))

    async def _keep(self, index: int) -> int:
        """Returns only when the first start has failed, with its exit code."""
        backoff, starts = Backoff(), 0
        while True:
            process, started_s = await self._spawn(index), time.monotonic()
            code = await process.wait()
            lived_s = time.monotonic() - started_s
            starts += 1
            if code > 0 and starts == 1 and lived_s < self._steady_s:
                _log.error("a worker cannot start", extra={"worker": index, "exit_code": code})
                return code
            if lived_s >= self._steady_s:
                backoff.reset()
            pause_ms = backoff.wait_ms(self._prng.uniform())
            _log.error("a worker ended", extra={"worker": index, "exit_code": code, "restart_in_ms": pause_ms})
            await asyncio.sleep(pause_ms / 1_000)

    async def _spawn(self, index: int) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "extproc",
            *worker_argv(self._argv, self._settings, index),
            env={**os.environ, PARENT: str(os.getpid())},
            start_new_session=True,  # Ctrl-C reaches us alone: a second signal would cut a worker's drain short
        )
        self._processes[index] = process
        _log.info("worker started", extra={"worker": index, "pid": process.pid})
        return process
