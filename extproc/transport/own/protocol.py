"""The shell round one connection: bytes from asyncio (or uvloop) in, bytes out. Everything that decides is in `Calls`.

A peer that does not read is not read from either: what waits for it is bounded by the write buffer and by what one read
can ask for. One that stays so, or that says nothing at all, is let go.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from extproc.h2.connection import Connection
from extproc.h2.events import ConnectionFailed
from extproc.transport.own.call import Service
from extproc.transport.own.calls import Calls
from extproc.transport.own.lull import Lulls

# Above this reading stops. Answers of one read (256 KiB of uvloop's) come on top, at most about as much again.
WRITE_BUFFER_BYTES_MAX = 1_048_576


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer is waited for."""

    # A preface takes one round trip; a busy machine may take its time.
    greeting_s: float = 10.0
    # Envoy reads within milliseconds. A peer that is stopped for longer loses its connection, not our memory.
    stall_s: float = 30.0
    # How long a peer that broke a rule may take to read why, and to close.
    goodbye_s: float = 1.0
    # When we drain, Envoy leaves within milliseconds. A peer that has nothing running and still stays has nothing to
    # say: Envoy flushes its logs each 0.1 s.
    linger_s: float = 1.0
    # What still runs after this are observed responses that last longer.
    drain_s: float = 5.0


PATIENCE = Patience()

_log = logging.getLogger(__name__)


class OpenConnections:
    """Those of one server."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._protocols: set[H2Protocol] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()

    def __len__(self) -> int:
        return len(self._protocols)

    def __iter__(self) -> Iterator["H2Protocol"]:
        return iter(tuple(self._protocols))

    def add(self, protocol: "H2Protocol") -> bool:
        """False: there are too many."""
        if len(self._protocols) >= self._count_max:
            return False
        self._protocols.add(protocol)
        self._nobody.clear()
        return True

    def discard(self, protocol: "H2Protocol") -> None:
        self._protocols.discard(protocol)
        if not self._protocols:
            self._nobody.set()

    async def until_none(self, timeout_s: float) -> None:
        """Returns when the last one is gone, or when the time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nobody.wait(), timeout_s)


class H2Protocol(asyncio.Protocol):
    """One connection. `open_connections` is where it stands while it is open (over TLS: once the handshake is done)."""

    def __init__(self, service: Service, open_connections: "OpenConnections", *, patience: Patience = PATIENCE) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._open_connections = open_connections
        self._patience = patience
        self._connection = Connection()
        self._calls = Calls(self._connection, service)
        self._transport: asyncio.Transport | None = None
        self._greeting: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._goodbye: asyncio.TimerHandle | None = None
        self._lull: asyncio.TimerHandle | None = None
        self._lulls = Lulls()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        if not self._open_connections.add(self) or not _speaks_h2(transport):
            transport.abort()
            return
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self._greeting = self._loop.call_later(self._patience.greeting_s, self.abort)
        self._flush()

    def data_received(self, data: bytes) -> None:
        worked_off = self._connection.work_off(data)
        if worked_off < len(data):
            self._receive(data[worked_off:])
        elif self._connection.send.out and self._transport is not None:
            self._transport.write(self._connection.output())

    def _receive(self, data: bytes) -> None:
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
        if calls.has_listened:
            self._rest(calls)

    def _rest(self, calls: Calls) -> None:
        is_due = not calls.has_answered and self._stall is None and self._lull is None
        lull_s = self._lulls.next_s(self._now(), has_begun=calls.has_begun)
        calls.has_listened = calls.has_answered = calls.has_begun = False
        transport = self._transport
        if is_due and transport is not None and not transport.is_closing():
            transport.pause_reading()
            self._lull = self._loop.call_later(lull_s, self._wake)

    def _wake(self) -> None:
        self._lull = None
        if self._stall is None and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        out = self._connection.output()
        if out:
            transport.write(out)
        if self._connection.is_over and self._goodbye is None:
            self._leave(transport)

    def _leave(self, transport: asyncio.Transport) -> None:
        """What the peer still sends is read and forgotten for a while: a socket that is closed with unread bytes resets
        the connection, and the GOAWAY that says why (RFC 9113 5.4.1) is lost. Over TLS the loop itself does that."""
        self._goodbye = self._loop.call_later(self._patience.goodbye_s, self.abort)
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def pause_writing(self) -> None:
        assert self._transport is not None
        if self._lull is None:
            self._transport.pause_reading()
        self._stall = self._loop.call_later(self._patience.stall_s, self.abort)

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._lull is None and self._transport is not None and not self._transport.is_closing():
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
        for timer in (self._greeting, self._stall, self._goodbye, self._lull):
            if timer is not None:
                timer.cancel()
        self._transport = None
        self._calls.close()
        self._open_connections.discard(self)


def _speaks_h2(transport: asyncio.Transport) -> bool:
    """RFC 9113 3.2: over TLS the peer must have chosen "h2"."""
    secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return secured is None or secured.selected_alpn_protocol() == "h2"
