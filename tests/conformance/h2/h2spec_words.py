"""What a case of h2spec's list says, in a few words: what a client sends, and what it must hear.

The list's numbers are h2spec's (https://github.com/summerwind/h2spec); cases and demands are written from RFC 9113 and
RFC 7541. The server is everything but the socket: connection, calls, answers. The tables stand in
`h2spec_*.py`, a file for each part of the list.
"""

from collections.abc import Callable
from dataclasses import dataclass

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.hpack_table import Field
from extproc.h2.peer_settings import INITIAL_WINDOW_SIZE
from tests.unit.extproc.h2.peer import END, WHOLE, Frame, block, data, headers
from tests.unit.extproc.transport.own.call_client import Client

PSEUDO: list[Field] = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"127.0.0.1")]
POSTED: list[Field] = [(b":method", b"POST"), *PSEUDO[1:]]
FORM = block(PSEUDO)
Demand = Callable[[list[Frame], Client], None]


@dataclass(frozen=True)
class Case:
    """`sent`: a read for each piece. `demand` looks at everything that came back."""

    title: str
    sent: tuple[bytes, ...]
    demand: Demand


def get(stream_id: int = 1, *, more: bytes = b"") -> bytes:
    """A request that is whole, and `more` at the end of its header block."""
    return headers(stream_id, of=FORM + more, end=True)


def post(stream_id: int = 1, *, fields: list[Field] | None = None) -> bytes:
    """A request that goes on."""
    return headers(stream_id, of=block(fields if fields is not None else POSTED))


def ask(fields: list[Field]) -> bytes:
    return headers(of=block(fields), end=True)


def piece(fragment: bytes, stream_id: int = 1, *, end: bool = True) -> bytes:
    return frames.frame(frames.CONTINUATION, WHOLE if end else 0, stream_id, fragment)


def open_block(fragment: bytes, stream_id: int = 1) -> bytes:
    return frames.frame(frames.HEADERS, END, stream_id, fragment)


def ping(payload: bytes = b"h2spec!!") -> bytes:
    return frames.ping(payload, is_ack=False)


# A stream that the peer has ended and that we have not: the answer's body waits for a window.
HALF_CLOSED = (frames.settings({INITIAL_WINDOW_SIZE: 0}), get())


def _of(heard: list[Frame], kind: int, stream_id: int = 0) -> list[Frame]:
    return [frame for frame in heard if frame.kind == kind and frame.stream_id == stream_id]


def _errors(heard: list[Frame]) -> list[Frame]:
    return [frame for frame in heard if frame.kind in (frames.GOAWAY, frames.RST_STREAM)]


def answered(stream_id: int = 1) -> Demand:
    """The request gets a whole answer, and nothing is wrong."""

    def demand(heard: list[Frame], client: Client) -> None:
        assert _errors(heard) == []
        assert _of(heard, frames.HEADERS, stream_id)
        assert [frame.flags & END for frame in heard if frame.stream_id == stream_id][-1] == END
        assert client.connection.streams.find(stream_id) is None

    return demand


def alive(heard: list[Frame], client: Client) -> None:
    """Nothing is wrong, and a PING is answered."""
    assert _errors(heard) == []
    client.says(ping())
    assert client.hears() == [Frame(frames.PING, frames.ACK, 0, b"h2spec!!")]


def connection_error(*codes: ErrorCode) -> Demand:
    """GOAWAY with one of the codes is the last word."""

    def demand(heard: list[Frame], client: Client) -> None:
        last = heard[-1]
        assert last.kind == frames.GOAWAY, heard
        assert frames.unpack_id(last.payload[4:8])[0] in codes, heard
        assert client.connection.is_over
        client.says(ping())
        assert client.hears() == []

    return demand


def stream_error(code: ErrorCode, stream_id: int = 1) -> Demand:
    """RST_STREAM with the code; the connection goes on."""

    def demand(heard: list[Frame], client: Client) -> None:
        assert _of(heard, frames.RST_STREAM, stream_id) == [
            Frame(frames.RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))
        ]
        assert _of(heard, frames.GOAWAY) == []
        alive([], client)

    return demand


def heard_data(*sizes: int) -> Demand:
    """DATA of these sizes on stream 1, and no more."""

    def demand(heard: list[Frame], _client: Client) -> None:
        assert _errors(heard) == []
        assert [len(frame.payload) for frame in _of(heard, frames.DATA, 1)] == list(sizes)

    return demand


def acknowledged(heard: list[Frame], _client: Client) -> None:
    """SETTINGS were, once each."""
    assert [frame.flags for frame in _of(heard, frames.SETTINGS)] == [frames.ACK]


def echoed(*payloads: bytes) -> Demand:
    """These PINGs were answered, and nothing else happened."""

    def demand(heard: list[Frame], _client: Client) -> None:
        assert heard == [Frame(frames.PING, frames.ACK, 0, payload) for payload in payloads]

    return demand


def body(payload: bytes = b"test", *, end: bool = True, flags: int = 0) -> bytes:
    return data(payload, end=end, flags=flags)
