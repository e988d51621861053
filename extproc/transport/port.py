"""What every transport of the socket is given and what it must do: bytes in, bytes out.

The grpcio transport (`reference/`) is the yardstick; our own HTTP/2 transport (`own/`) implements the same port.
Handlers are plain functions without I/O, called on the event loop's thread; they never raise on any input.
"""

from collections.abc import Callable
from typing import Protocol

from extproc.errors import SidecarError
from extproc.processing.session import Reply

# Literals on purpose: the wire subset has no services, and a test asks them of a real client.
PROCESS_METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
ACCESS_LOGS_METHOD = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
HEALTH_CHECK_METHOD = "/grpc.health.v1.Health/Check"
HEALTH_WATCH_METHOD = "/grpc.health.v1.Health/Watch"

# grpc.health.v1.HealthCheckResponse {status: SERVING = 1 | NOT_SERVING = 2}
HEALTH_SERVING = b"\x08\x01"
HEALTH_NOT_SERVING = b"\x08\x02"


# The answer to a message that is the only one of its ext_proc stream; None: nothing has happened, open a stream for it.
AtOnce = Callable[[bytes], bytes | None]


class SocketTakenError(SidecarError):
    """The address that was asked for cannot be used."""

    code = "socket"


class ProcessStream(Protocol):
    """One ext_proc stream."""

    def receive(self, message: bytes) -> Reply: ...

    def close(self) -> None:
        """The stream is over, however it ended. Called exactly once."""


class Handlers(Protocol):
    """The sidecar behind the transport."""

    def open_process(self) -> ProcessStream: ...

    def access_logs(self, message: bytes) -> None:
        """One StreamAccessLogsMessage, before the next one is read: what returned here is counted."""


class Transport(Protocol):
    async def start(self) -> None:
        """Serve on the socket: from now on new connections come here, also those of a process served before."""

    async def drain(self) -> None:
        """Take nothing new, let running streams finish within a bounded grace, then stop. Loses no log entry that
        was sent before the peer could know."""
