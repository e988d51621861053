"""One ADS stream's shell: reads, takes turns and writes. What to say is the machine's.

A stream rests in one read and nothing else: 40 of the 56 KB that an idle stream costs are gRPC's own. At most one push
waits: whoever has news asks for a turn, and the stream looks for the newest when it comes to it. What is to be written
stands in `outbox`, which the machine bounds: of each type at most one response is without an answer.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import grpc

from controlplane.security.errors import NodeIdentityError
from controlplane.security.identity import require_node, sans_of
from controlplane.xds.errors import ForeignCertificateError
from controlplane.xds.events import DeltaRequest, DeltaSend, Lingered, Node, Overdue, Request, Send
from controlplane.xds.machine import Machine

# A reader that takes nothing for this long is stuck; its Envoy reconnects when it lives again.
WRITE_TIMEOUT_S = 30.0

_Context = Any  # grpc.aio ships no types for a context of raw bytes


class Stream:
    """`asked_by` is who the client says it is, `node` the same once it was let in. `group` is empty before that.

    `is_woken`: a turn is asked for. `encode` makes the bytes of a response when it comes to be written.
    """

    __slots__ = (
        "_context",
        "_encode",
        "_ended",
        "_error",
        "_is_writing",
        "_loop",
        "_overdue_at_s",
        "_timers",
        "_watch",
        "_write_timeout_s",
        "_writer",
        "asked_by",
        "due",
        "group",
        "is_woken",
        "machine",
        "node",
        "outbox",
        "stream_id",
    )

    def __init__(
        self,
        stream_id: int,
        context: _Context,
        machine: Machine,
        encode: Callable[[Send | DeltaSend], bytes],
        write_timeout_s: float,
    ) -> None:
        self.stream_id = stream_id
        self.machine = machine
        self.asked_by: Node | None = None
        self.node: Node | None = None
        self.group = ""
        self.is_woken = False
        self.due: list[Lingered | Overdue] = []
        self.outbox: deque[Send | DeltaSend] = deque()
        self._context = context
        self._encode = encode
        self._write_timeout_s = write_timeout_s
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._error: Exception | None = None
        self._timers: dict[Lingered | Overdue, asyncio.TimerHandle] = {}
        self._is_writing = False
        self._writer: asyncio.Task[None] | None = None
        self._overdue_at_s = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def end(self, error: Exception) -> None:
        """The stream ends with this; `run` raises it."""
        if not self._ended.done():
            self._error = error
            self._ended.set_result(None)

    def require_certificate_of(self, node: Node) -> None:
        """Raises ForeignCertificateError unless the client's certificate is the node's. In clear nobody is asked."""
        try:
            require_node("envoy", node.node_id, sans_of(self._context.auth_context() or {}))
        except NodeIdentityError as error:
            raise ForeignCertificateError(error.message, next_step=error.next_step) from None

    def later(self, event: Lingered | Overdue, seconds: float, wake: Callable[["Stream"], None]) -> None:
        """Put the event into `due` after that time, and `wake` the stream."""
        self._timers[event] = self._loop.call_later(seconds, self._has_come, event, wake)

    def _has_come(self, event: Lingered | Overdue, wake: Callable[["Stream"], None]) -> None:
        del self._timers[event]
        self.due.append(event)
        wake(self)

    def answered(self) -> None:
        """Nothing is overdue any more: a stream that has settled keeps no timer for it."""
        for event in [event for event in self._timers if isinstance(event, Overdue)]:
            self._timers.pop(event).cancel()

    async def run(self, on_request: Callable[["Stream", Request | DeltaRequest], None]) -> None:
        """Until the client ends the stream, or `end`. Raises StreamError, TimeoutError. Cancellation passes
        (grpc #43360).
        """
        reader = self._loop.create_task(self._read(on_request))
        try:
            await asyncio.wait((reader, self._ended), return_when=asyncio.FIRST_COMPLETED)
            if self._error is not None:
                raise self._error
            reader.result()
        finally:
            reader.cancel()
            if self._writer is not None:
                self._writer.cancel()
            if self._watch is not None:
                self._watch.cancel()
            for timer in self._timers.values():
                timer.cancel()

    async def _read(self, on_request: Callable[["Stream", Request | DeltaRequest], None]) -> None:
        """A client that takes nothing is not listened to either: its answers are written before it is read again."""
        read, parse = self._context.read, self.machine.parse
        while (data := await read()) is not grpc.aio.EOF:
            on_request(self, parse(data))
            if self.outbox and not self._is_writing:
                await self._write()

    def flush(self) -> None:
        """Write what stands in `outbox`; whoever calls does not wait for it."""
        if self.outbox and not self._is_writing:
            self._is_writing = True
            self._writer = self._loop.create_task(self._write_apart())

    async def _write_apart(self) -> None:
        try:
            await self._write()
        except Exception as error:  # a task that nobody waits for: whatever it is belongs to the stream
            self.end(error)
        finally:
            self._writer = None

    async def _write(self) -> None:
        self._is_writing = True
        try:
            while self.outbox:
                self._overdue_at_s = self._loop.time() + self._write_timeout_s
                if self._watch is None:
                    self._watch = self._loop.call_at(self._overdue_at_s, self._look)
                await self._context.write(self._encode(self.outbox.popleft()))
        finally:
            self._is_writing = False

    def _look(self) -> None:
        """Whether a write takes too long. One timer for many writes: setting one for each costs more than the push."""
        self._watch = None
        if not self._is_writing:
            return
        if self._loop.time() >= self._overdue_at_s:
            self.end(TimeoutError())
        else:
            self._watch = self._loop.call_at(self._overdue_at_s, self._look)

    async def abort(self, code: grpc.StatusCode, message: str) -> None:
        await self._context.abort(code, message)
