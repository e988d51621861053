"""`python -m extproc`: the sidecar process, or the supervisor of its workers. SIGTERM or SIGINT drains; a second one
ends at once.

Exit codes: 0 drained, 1 could not start or a fault, 2 wrong settings.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from extproc.clock import SystemClock, SystemPrng
from extproc.errors import SidecarError
from extproc.settings import Settings, SettingsError, parse
from extproc.supervisor import Supervisor, end_with_supervisor
from extproc.telemetry.exporter import log_to_stderr

_log = logging.getLogger("extproc")


async def _run(settings: Settings) -> int:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    if settings.workers > 1:
        return await Supervisor(sys.argv[1:], settings, SystemPrng()).run(stop)
    from extproc.app import Sidecar  # late: gRPC reads its environment when it is imported

    await Sidecar(settings, SystemClock(), SystemPrng()).run(stop)
    return 0


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _on_a_loop(running: Coroutine[Any, Any, int]) -> int:
    if sys.platform != "linux":
        return asyncio.run(running)
    import uvloop

    return int(uvloop.run(running))


def main() -> int:
    end_with_supervisor(os.environ)
    try:
        settings = parse(sys.argv[1:], os.environ, cores=_cores())
    except SettingsError as error:
        sys.stderr.write(f"extproc: {error}\n")
        return 2
    log_to_stderr()
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its information lines are no JSON
    try:
        return _on_a_loop(_run(settings))
    except (SidecarError, OSError) as error:
        _log.error("cannot run", extra={"reason": str(error)})
        return 1


if __name__ == "__main__":
    sys.exit(main())
