"""The shell round one connection: bytes from asyncio (or uvloop) in, bytes out. Everything that decides is in `Calls`.

A peer that does not read is not read from either: what waits for it is bounded by the write buffer and by what one read
can ask for. One that stays so, or that says nothing at all, is let go.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from extproc.h2.connection import Connection
from extproc.h2.events import ConnectionFailed
from extproc.transport.own.calls import Calls, Service

# Above this reading stops. Answers of one read (256 KiB of uvloop's) come on top, at most about as much again.
WRITE_BUFFER_BYTES_MAX = 1_048_576


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer is waited for."""

    # A preface takes one round trip; a busy machine may take its time.
    greeting_s: float = 10.0
    # Envoy reads within milliseconds. A peer that is stopped for longer loses its connection, not our memory.
    stall_s: float = 30.0


PATIENCE = Patience()

_log = logging.getLogger(__name__)


class H2Protocol(asyncio.Protocol):
    """One connection. `on_lost` is called when it is gone."""

    def __init__(
        self,
        service: Service,
        on_lost: Callable[["H2Protocol"], None],
        *,
        is_welcome: bool = True,
        patience: Patience = PATIENCE,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._on_lost = on_lost
        self._is_welcome = is_welcome
        self._patience = patience
        self._connection = Connection()
        self._calls = Calls(self._connection, service)
        self._transport: asyncio.Transport | None = None
        self._greeting: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._is_welcome or not _speaks_h2(transport):
            transport.abort()
            return
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self._greeting = self._loop.call_later(self._patience.greeting_s, self.abort)
        self._flush()

    def data_received(self, data: bytes) -> None:
        connection, calls = self._connection, self._calls
        for event in connection.receive(data, self._now()):
            try:
                calls.handle(event)
            except Exception:
                _log.exception("a handler raised")
                calls.fail(event)
            if type(event) is ConnectionFailed:
                _log.warning("connection refused", extra={"code": event.code.name, "reason": event.reason})
        if self._greeting is not None and connection.is_greeted:
            self._greeting.cancel()
            self._greeting = None
        self._flush()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        out = self._connection.output()
        if out:
            transport.write(out)
        if self._connection.is_over:
            transport.close()

    def pause_writing(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()
        self._stall = self._loop.call_later(self._patience.stall_s, self.abort)

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def drain(self) -> None:
        """The peer is told to leave; what it has sent is still read."""
        self._calls.drain()
        self._flush()

    def close_if_idle(self) -> None:
        """Closes unless something runs; what we ended and the peer did not is nothing."""
        if self._transport is not None and not self._connection.streams.live:
            self._transport.close()

    def abort(self) -> None:
        """At once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, _reason: Exception | None) -> None:
        for timer in (self._greeting, self._stall):
            if timer is not None:
                timer.cancel()
        self._transport = None
        self._calls.close()
        self._on_lost(self)


def _speaks_h2(transport: asyncio.Transport) -> bool:
    """RFC 9113 3.2: over TLS the peer must have chosen "h2"."""
    secured = transport.get_extra_info("ssl_object")
    return not isinstance(secured, ssl.SSLObject) or secured.selected_alpn_protocol() == "h2"
