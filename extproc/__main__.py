"""`python -m extproc`: the sidecar process. SIGTERM or SIGINT drains; a second one ends at once.

Exit codes: 0 drained, 1 could not start or a fault, 2 wrong settings.
"""

import asyncio
import logging
import os
import signal
import sys

from extproc.clock import SystemClock, SystemPrng
from extproc.errors import SidecarError
from extproc.settings import Settings, SettingsError, parse
from extproc.telemetry.exporter import log_to_stderr

_log = logging.getLogger("extproc")


async def _run(settings: Settings) -> None:
    from extproc.app import Sidecar  # late: gRPC reads its environment when it is imported

    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await Sidecar(settings, SystemClock(), SystemPrng()).run(stop)


def main() -> int:
    try:
        settings = parse(sys.argv[1:], os.environ)
    except SettingsError as error:
        sys.stderr.write(f"extproc: {error}\n")
        return 2
    log_to_stderr()
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its information lines are no JSON
    try:
        if sys.platform == "linux":
            import uvloop

            uvloop.run(_run(settings))
        else:
            asyncio.run(_run(settings))
    except (SidecarError, OSError) as error:
        _log.error("cannot run", extra={"reason": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
