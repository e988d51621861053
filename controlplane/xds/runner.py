"""One ADS stream's shell: reads, wakes and writes in turn, requests before pushes. What to say is the machine's.

At most one push waits: whoever has news sets a mark, and the stream looks for the newest when it comes to it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from controlplane.snapshot.mode import Mode
from controlplane.xds.errors import StreamError
from controlplane.xds.events import DeltaRequest, Lingered, Node, Overdue, Request
from controlplane.xds.machine import Machine

# A reader that takes nothing for this long is stuck; its Envoy reconnects when it lives again.
WRITE_TIMEOUT_S = 30.0

_Context = Any  # grpc.aio ships no types for a context of raw bytes


class Stream:
    """`asked_by` is who the client says it is, `node` the same once it was let in. `group` is empty before that."""

    __slots__ = (
        "_context",
        "_timers",
        "_wake",
        "_write_timeout_s",
        "asked_by",
        "due",
        "error",
        "group",
        "machine",
        "node",
        "stream_id",
    )

    def __init__(self, stream_id: int, context: _Context, mode: Mode, write_timeout_s: float) -> None:
        self.stream_id = stream_id
        self.machine = Machine(mode)
        self.asked_by: Node | None = None
        self.node: Node | None = None
        self.group = ""
        self.error: StreamError | None = None
        self.due: list[Lingered | Overdue] = []
        self._context = context
        self._write_timeout_s = write_timeout_s
        self._wake = asyncio.Event()
        self._timers: dict[Lingered | Overdue, asyncio.TimerHandle] = {}

    def wake(self) -> None:
        """There is something to look at: a snapshot, a cluster that has lingered, an end."""
        self._wake.set()

    def end(self, error: StreamError) -> None:
        """The stream is to end with this, at its next turn."""
        self.error = error
        self._wake.set()

    def later(self, event: Lingered | Overdue, seconds: float) -> None:
        """Put the event into `due` after that time."""
        self._timers[event] = asyncio.get_running_loop().call_later(seconds, self._has_come, event)

    def _has_come(self, event: Lingered | Overdue) -> None:
        del self._timers[event]
        self.due.append(event)
        self._wake.set()

    def answered(self) -> None:
        """Nothing is overdue any more: a stream that has settled keeps no timer for it."""
        for event in [event for event in self._timers if isinstance(event, Overdue)]:
            self._timers.pop(event).cancel()

    async def run(
        self,
        on_request: Callable[["Stream", Request | DeltaRequest], Awaitable[None]],
        on_wake: Callable[["Stream"], Awaitable[None]],
    ) -> None:
        """Until the client ends the stream. Raises StreamError, TimeoutError. Cancellation passes (grpc #43360)."""
        read = asyncio.ensure_future(self._context.read())
        wake = asyncio.ensure_future(self._wake.wait())
        try:
            while True:
                await asyncio.wait((read, wake), return_when=asyncio.FIRST_COMPLETED)
                if self.error is not None:
                    raise self.error
                if read.done():
                    data = read.result()
                    if data is grpc.aio.EOF:
                        return
                    read = asyncio.ensure_future(self._context.read())
                    await on_request(self, self.machine.parse(data))
                else:
                    self._wake.clear()
                    wake = asyncio.ensure_future(self._wake.wait())
                    await on_wake(self)
        finally:
            read.cancel()
            wake.cancel()
            for timer in self._timers.values():
                timer.cancel()

    async def write(self, data: bytes) -> None:
        """Raises TimeoutError when the client has stopped reading."""
        async with asyncio.timeout(self._write_timeout_s):
            await self._context.write(data)

    async def abort(self, code: grpc.StatusCode, message: str) -> None:
        await self._context.abort(code, message)
