"""One bidirectional gRPC call on a TCP connection of its own, the client's side, as cheap as Python can make it.

grpc.aio's client costs more CPU a message than the server under test (150-220 us, measured beside it), so a thousand of
its calls on the same machine would measure themselves. Here a message costs some 20 us. HTTP/2 (RFC 9113) as far as one
call needs it: frames by hand, one request, no header of the answer is read; the windows are opened once, so wide that
no bench fills them.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import cast

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = 0x1
_END_STREAM = 0x1
_END_HEADERS = 0x4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_INITIAL_WINDOW_SIZE = 4
_WINDOW_MAX = 2**31 - 1
_WINDOW_DEFAULT = 65_535
_FRAME_HEADER_BYTES = 9
_MESSAGE_HEADER_BYTES = 5


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _opening(method: str) -> bytes:
    """Preface, windows and request headers (HPACK: indexed `POST` and `http`, the others literal)."""
    headers = b"\x83\x86\x04" + _literal(method) + b"\x01" + _literal("localhost")
    headers += b"\x0f\x10" + _literal("application/grpc") + b"\x00" + _literal("te") + _literal("trailers")
    return b"".join(
        (
            _PREFACE,
            _frame(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, _WINDOW_MAX)),
            _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _WINDOW_MAX - _WINDOW_DEFAULT)),
            _frame(_HEADERS, _END_HEADERS, 1, headers),
        )
    )


class GrpcCall(asyncio.Protocol):
    """`on_message` gets each message of the server; `ended` resolves with the reason when the call is over."""

    def __init__(self, method: str, on_message: Callable[["GrpcCall", bytes], None]) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._method = method
        self._on_message = on_message
        self._frames = b""
        self._messages = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is none by its class
        transport.write(_opening(self._method))

    def write(self, message: bytes) -> None:
        body = b"\x00" + struct.pack(">I", len(message)) + message
        self._transport.write(_frame(_DATA, 0, 1, body))

    def close(self) -> None:
        self._transport.close()

    def pause_reading(self) -> None:
        """From now on nothing is taken from the socket: its buffers fill, and its window closes."""
        self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        data = self._frames + data if self._frames else data
        at = 0
        while len(data) - at >= _FRAME_HEADER_BYTES:
            length = int.from_bytes(data[at : at + 3], "big")
            end = at + _FRAME_HEADER_BYTES + length
            if len(data) < end:
                break
            self._on_frame(data[at + 3], data[at + 4], data[at + _FRAME_HEADER_BYTES : end])
            at = end
        self._frames = data[at:]

    def _on_frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _DATA:
            self._on_data(payload)
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            self._transport.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind in (_RST_STREAM, _GOAWAY) or (kind == _HEADERS and flags & _END_STREAM):
            self._end(f"frame {kind}: {payload!r}")

    def _on_data(self, payload: bytes) -> None:
        data = self._messages + payload if self._messages else payload
        at = 0
        while len(data) - at >= _MESSAGE_HEADER_BYTES:
            end = at + _MESSAGE_HEADER_BYTES + int.from_bytes(data[at + 1 : at + 5], "big")
            if len(data) < end:
                break
            self._on_message(self, data[at + _MESSAGE_HEADER_BYTES : end])
            at = end
        self._messages = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"connection lost: {exc}")

    def _end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)


async def open_call(host: str, port: int, method: str, on_message: Callable[[GrpcCall, bytes], None]) -> GrpcCall:
    """Connected, the request's headers on their way."""
    _, call = await asyncio.get_running_loop().create_connection(lambda: GrpcCall(method, on_message), host, port)
    return call
