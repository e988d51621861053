"""The other side of a connection, in frames: what the tests send, and what they read of the answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from extproc.h2 import frames
from extproc.h2.connection import Connection
from extproc.h2.errors import ErrorCode
from extproc.h2.events import ConnectionFailed, DataReceived, Event, RequestReceived, StreamReset
from extproc.h2.hpack_encode import TABLE_SIZE_ZERO, encode
from extproc.h2.hpack_table import Field
from extproc.h2.limits import DEFAULT, Limits
from extproc.h2.sending import HeaderBlock

PATH = b"/envoy.service.ext_proc.v3.ExternalProcessor/Process"
FIELDS: list[Field] = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", PATH),
    (b":authority", b"sidecar"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
]
GREETING = frames.PREFACE + frames.settings({}) + frames.SETTINGS_ACK
HEAD = HeaderBlock([(b":status", b"200"), (b"content-type", b"application/grpc")], is_end=False)
TRAILERS = HeaderBlock([(b"grpc-status", b"0")], is_end=True)
END = frames.END_STREAM
WHOLE = frames.END_HEADERS


def block(fields: list[Field] = FIELDS) -> bytes:
    """Starts with the size update that an acknowledged table of 0 asks of the first block; later it does no harm."""
    return TABLE_SIZE_ZERO + encode(fields)


BLOCK = block()


def headers(stream_id: int = 1, *, end: bool = False, of: bytes = BLOCK, flags: int = 0) -> bytes:
    return frames.frame(frames.HEADERS, WHOLE | flags | (END if end else 0), stream_id, of)


def data(payload: bytes = b"x", stream_id: int = 1, *, end: bool = False, flags: int = 0) -> bytes:
    return frames.frame(frames.DATA, flags | (END if end else 0), stream_id, payload)


def rst(stream_id: int = 1, code: int = ErrorCode.CANCEL) -> bytes:
    return frames.rst_stream(stream_id, code)


def priority(stream_id: int, on: int = 0) -> bytes:
    return frames.frame(frames.PRIORITY, 0, stream_id, on.to_bytes(4, "big") + b"\x10")


def padded(payload: bytes, pad: int) -> bytes:
    return bytes([pad]) + payload + bytes(pad)


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes


def parse(sent: bytes) -> Iterator[Frame]:
    """Frames of an output. It must hold whole frames only."""
    while sent:
        word, flags, stream_id = frames.unpack_head(sent, 0)
        end = 9 + (word >> 8)
        assert len(sent) >= end
        yield Frame(word & 0xFF, flags, stream_id, sent[9:end])
        sent = sent[end:]


class Peer:
    """A client that has already greeted; what the server said to that is kept in `welcome`."""

    def __init__(self, limits: Limits = DEFAULT, *, greets: bool = True) -> None:
        self.connection = Connection(limits)
        self.now_s = 0.0
        self.welcome: list[Frame] = []
        if greets:
            assert self.sends(GREETING) == []
            self.welcome = self.hears()

    def sends(self, *pieces: bytes) -> list[Event]:
        return [event for piece in pieces for event in self.connection.receive(piece, self.now_s)]

    def hears(self) -> list[Frame]:
        return list(parse(self.connection.output()))

    def asks(self, stream_id: int = 1, payload: bytes = b"x") -> DataReceived:
        """A request with one piece of data; the stream stays open."""
        opened, received = self.sends(headers(stream_id) + data(payload, stream_id))
        assert isinstance(opened, RequestReceived)
        assert isinstance(received, DataReceived)
        return received

    def is_answered(self, stream_id: int = 1, payload: bytes = b"answer") -> None:
        """A request and its answer; the peer has not ended it."""
        self.connection.send.answer(self.asks(stream_id).stream, HEAD, payload, TRAILERS)

    def refused(self, code: ErrorCode, *pieces: bytes) -> str:
        """Sends what breaks the connection; returns the reason. GOAWAY is the last word, nothing after it is read."""
        *_, failed = self.sends(*pieces)
        assert isinstance(failed, ConnectionFailed), failed
        assert failed.code is code, failed
        last = self.hears()[-1]
        assert last.kind == frames.GOAWAY
        assert frames.unpack_id(last.payload[4:8])[0] == code
        assert self.connection.is_over
        assert self.sends(headers(101)) == []
        assert self.hears() == []
        return failed.reason

    def reset(self, code: ErrorCode, *pieces: bytes, stream_id: int = 1) -> list[Event]:
        """Sends what breaks one stream; the connection serves the next one."""
        events = self.sends(*pieces)
        resets = [Frame(frames.RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))]
        assert [frame for frame in self.hears() if frame.kind == frames.RST_STREAM] == resets
        assert all(event.code == code for event in events if isinstance(event, StreamReset))
        self.is_alive()
        return events

    def is_alive(self) -> None:
        """The connection serves another request."""
        next_id = self.connection.streams.last_id + 2 | 1
        self.is_answered(next_id)
        assert [frame.kind for frame in self.hears() if frame.stream_id == next_id] == [1, 0, 1]
        assert self.sends(rst(next_id)) == []
