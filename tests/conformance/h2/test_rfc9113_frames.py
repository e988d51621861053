"""Every frame rule of RFC 9113 4 and 6 that a client can break. The list is h2spec's (http2 4.x, 6.x), and more."""

import pytest

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.events import DataReceived, PeerLeaves, RequestReceived, StreamReset
from extproc.h2.peer_settings import ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE
from tests.unit.extproc.h2.peer import (
    BLOCK,
    END,
    GREETING,
    WHOLE,
    Frame,
    Peer,
    block,
    data,
    headers,
    padded,
    priority,
    rst,
)

HEADERS, DATA, CONTINUATION = frames.HEADERS, frames.DATA, frames.CONTINUATION
PROTOCOL_ERROR, FRAME_SIZE_ERROR = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR
FLOW_CONTROL_ERROR, STREAM_CLOSED = ErrorCode.FLOW_CONTROL_ERROR, ErrorCode.STREAM_CLOSED
OPEN_BLOCK = frames.frame(HEADERS, END, 1, BLOCK[:5])


def continuation(piece: bytes, stream_id: int = 1, *, end: bool = True) -> bytes:
    return frames.frame(CONTINUATION, WHOLE if end else 0, stream_id, piece)


CONNECTION_FAULTS = {
    "4.2 DATA longer than MAX_FRAME_SIZE": (FRAME_SIZE_ERROR, [headers(), data(bytes(16_385))]),
    "4.2 HEADERS longer than MAX_FRAME_SIZE": (FRAME_SIZE_ERROR, [frames.frame(HEADERS, WHOLE, 1, bytes(16_385))]),
    "4.2 head of a frame of 2^24-1": (FRAME_SIZE_ERROR, [b"\xff\xff\xff\x00\x00\x00\x00\x00\x01"]),
    "4.3 header block of nonsense": (ErrorCode.COMPRESSION_ERROR, [headers(of=b"\x20\xff\xff\xff\xff\xff\xff")]),
    "4.3 PRIORITY inside a header block": (PROTOCOL_ERROR, [OPEN_BLOCK, priority(1)]),
    "4.3 HEADERS of another stream inside a header block": (PROTOCOL_ERROR, [OPEN_BLOCK, headers(3)]),
    "4.3 HEADERS of the same stream inside a header block": (PROTOCOL_ERROR, [OPEN_BLOCK, headers(1)]),
    "5.5 unknown frame inside a header block": (PROTOCOL_ERROR, [OPEN_BLOCK, frames.frame(0xFF, 0, 1, b"x")]),
    "6.1 DATA on stream 0": (PROTOCOL_ERROR, [data(stream_id=0)]),
    "6.1 padding as long as DATA": (PROTOCOL_ERROR, [headers(), data(b"\x04abc", flags=frames.PADDED)]),
    "6.1 padded DATA without a pad length": (FRAME_SIZE_ERROR, [headers(), data(b"", flags=frames.PADDED)]),
    "6.2 HEADERS on stream 0": (PROTOCOL_ERROR, [headers(0)]),
    "6.2 padding longer than HEADERS": (PROTOCOL_ERROR, [headers(of=b"\xff" + BLOCK, flags=frames.PADDED)]),
    "6.2 HEADERS too short for a priority": (FRAME_SIZE_ERROR, [headers(of=b"\x00" * 4, flags=frames.WITH_PRIORITY)]),
    "6.3 PRIORITY on stream 0": (PROTOCOL_ERROR, [priority(0)]),
    "6.3 PRIORITY of 4 bytes on an idle stream": (FRAME_SIZE_ERROR, [frames.frame(frames.PRIORITY, 0, 1, bytes(4))]),
    "6.4 RST_STREAM on stream 0": (PROTOCOL_ERROR, [rst(0)]),
    "6.4 RST_STREAM on an idle stream": (PROTOCOL_ERROR, [rst(1)]),
    "6.4 RST_STREAM of 3 bytes": (FRAME_SIZE_ERROR, [headers(), frames.frame(frames.RST_STREAM, 0, 1, bytes(3))]),
    "6.5 SETTINGS on a stream": (PROTOCOL_ERROR, [frames.frame(frames.SETTINGS, 0, 1)]),
    "6.5 SETTINGS of 3 bytes": (FRAME_SIZE_ERROR, [frames.frame(frames.SETTINGS, 0, 0, bytes(3))]),
    "6.5 acknowledgement with a payload": (FRAME_SIZE_ERROR, [frames.frame(frames.SETTINGS, frames.ACK, 0, bytes(6))]),
    "6.5.2 ENABLE_PUSH of 2": (PROTOCOL_ERROR, [frames.settings({ENABLE_PUSH: 2})]),
    "6.5.2 INITIAL_WINDOW_SIZE of 2^31": (FLOW_CONTROL_ERROR, [frames.settings({INITIAL_WINDOW_SIZE: 2**31})]),
    "6.5.2 MAX_FRAME_SIZE of 2^14-1": (PROTOCOL_ERROR, [frames.settings({MAX_FRAME_SIZE: 16_383})]),
    "6.5.2 MAX_FRAME_SIZE of 2^24": (PROTOCOL_ERROR, [frames.settings({MAX_FRAME_SIZE: 2**24})]),
    "6.6 PUSH_PROMISE": (PROTOCOL_ERROR, [headers(), frames.frame(frames.PUSH_PROMISE, WHOLE, 1, bytes(4))]),
    "6.7 PING on a stream": (PROTOCOL_ERROR, [frames.frame(frames.PING, 0, 1, bytes(8))]),
    "6.7 PING of 6 bytes": (FRAME_SIZE_ERROR, [frames.ping(bytes(6), is_ack=False)]),
    "6.8 GOAWAY on a stream": (PROTOCOL_ERROR, [frames.frame(frames.GOAWAY, 0, 1, bytes(8))]),
    "6.8 GOAWAY of 7 bytes": (FRAME_SIZE_ERROR, [frames.frame(frames.GOAWAY, 0, 0, bytes(7))]),
    "6.9 WINDOW_UPDATE by 0 on the connection": (PROTOCOL_ERROR, [frames.window_update(0, 0)]),
    "6.9 WINDOW_UPDATE by 0 with the reserved bit": (PROTOCOL_ERROR, [frames.window_update(0, 2**31)]),
    "6.9 WINDOW_UPDATE of 3 bytes": (FRAME_SIZE_ERROR, [frames.frame(frames.WINDOW_UPDATE, 0, 0, bytes(3))]),
    "6.9 WINDOW_UPDATE on an idle stream": (PROTOCOL_ERROR, [frames.window_update(1, 1)]),
    "6.9.1 windows beyond 2^31-1": (FLOW_CONTROL_ERROR, [frames.window_update(0, 2**31 - 1)]),
    "6.10 CONTINUATION of nothing": (PROTOCOL_ERROR, [continuation(BLOCK)]),
    "6.10 CONTINUATION on stream 0": (PROTOCOL_ERROR, [OPEN_BLOCK, continuation(BLOCK[5:], 0)]),
    "6.10 CONTINUATION on another stream": (PROTOCOL_ERROR, [OPEN_BLOCK, continuation(BLOCK[5:], 3)]),
    "6.10 CONTINUATION, then DATA": (PROTOCOL_ERROR, [OPEN_BLOCK, continuation(BLOCK[5:9], end=False), data()]),
    "6.10 CONTINUATION behind whole HEADERS": (PROTOCOL_ERROR, [headers(), continuation(BLOCK)]),
    "6.10 CONTINUATION behind the last": (PROTOCOL_ERROR, [OPEN_BLOCK, continuation(BLOCK[5:]), continuation(BLOCK)]),
    "6.10 CONTINUATION behind DATA": (PROTOCOL_ERROR, [headers(), data(), continuation(BLOCK)]),
}

STREAM_FAULTS = {
    "6.1 DATA behind the end": (STREAM_CLOSED, [headers(end=True), data()]),
    "6.3 PRIORITY of 4 bytes": (FRAME_SIZE_ERROR, [headers(), frames.frame(frames.PRIORITY, 0, 1, bytes(4))]),
    "6.9 WINDOW_UPDATE by 0": (PROTOCOL_ERROR, [headers(), frames.window_update(1, 0)]),
    "6.9.1 window of a stream beyond 2^31-1": (FLOW_CONTROL_ERROR, [headers(), frames.window_update(1, 2**31 - 1)]),
}

ACCEPTED = {
    "4.1 unknown type": [frames.frame(0xFF, 0, 0, b"x")],
    "4.1 undefined flags": [frames.frame(frames.PING, 0xFE, 0, bytes(8))],
    "4.1 reserved bit of the stream": [frames.frame(frames.PING, 0, 0x8000_0000, bytes(8))],
    "4.2 DATA of 2^14": [headers(), data(bytes(16_384))],
    "6.1 DATA with padding": [headers(), data(padded(b"x", 4), flags=frames.PADDED)],
    "6.1 padding that fills its frame": [headers(), data(padded(b"", 4), flags=frames.PADDED)],
    "6.2 HEADERS with padding": [headers(of=padded(BLOCK, 6), flags=frames.PADDED)],
    "6.2 HEADERS with a priority": [headers(of=bytes(4) + b"\x10" + BLOCK, flags=frames.WITH_PRIORITY)],
    "6.2 HEADERS with both": [headers(of=padded(bytes(5) + BLOCK, 6), flags=frames.PADDED | frames.WITH_PRIORITY)],
    "6.3 PRIORITY on an idle stream": [priority(1), priority(7, on=1), priority(1, on=0x8000_0003)],
    "6.4 RST_STREAM of an unknown code": [headers(), rst(code=0xFF)],
    "6.5.2 unknown setting": [frames.settings({0xFF: 1})],
    "6.5.2 limits of the settings": [
        frames.settings({ENABLE_PUSH: 0, INITIAL_WINDOW_SIZE: 2**31 - 1, MAX_FRAME_SIZE: 2**24 - 1})
    ],
    "6.7 acknowledgement of no PING": [frames.ping(bytes(8), is_ack=True)],
    "6.8 GOAWAY of an unknown code": [frames.goaway(0, 0xFF)],
    "6.9 WINDOW_UPDATE": [headers(), frames.window_update(0, 1), frames.window_update(1, 1)],
    "6.10 CONTINUATION": [OPEN_BLOCK, continuation(BLOCK[5:])],
    "6.10 CONTINUATION twice": [OPEN_BLOCK, continuation(BLOCK[5:9], end=False), continuation(BLOCK[9:])],
    "6.10 empty CONTINUATION": [OPEN_BLOCK, continuation(b"", end=False), continuation(BLOCK[5:])],
}


@pytest.mark.parametrize("rule", CONNECTION_FAULTS)
def test_ends_the_connection(rule: str) -> None:
    code, sent = CONNECTION_FAULTS[rule]
    Peer().refused(code, *sent)


@pytest.mark.parametrize("rule", STREAM_FAULTS)
def test_ends_the_stream_and_nothing_else(rule: str) -> None:
    code, sent = STREAM_FAULTS[rule]
    Peer().reset(code, *sent)


@pytest.mark.parametrize("rule", ACCEPTED)
def test_is_accepted(rule: str) -> None:
    peer = Peer()
    peer.sends(*ACCEPTED[rule])
    assert [frame.kind for frame in peer.hears() if frame.kind in (frames.RST_STREAM, frames.GOAWAY)] == []
    peer.is_alive()


@pytest.mark.parametrize("greeting", [b"INVALID CONNECTION PREFACE\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01"])
def test_an_invalid_preface_ends_the_connection(greeting: bytes) -> None:
    """3.4."""
    Peer(greets=False).refused(PROTOCOL_ERROR, greeting)


@pytest.mark.parametrize("first", [headers(), frames.ping(bytes(8), is_ack=False), frames.SETTINGS_ACK])
def test_the_first_frame_is_settings(first: bytes) -> None:
    """3.4."""
    Peer(greets=False).refused(PROTOCOL_ERROR, frames.PREFACE + first)


def test_the_server_speaks_first_and_acknowledges_settings_at_once() -> None:
    """3.4, 6.5.3."""
    welcome = Peer().welcome
    assert [(frame.kind, frame.flags) for frame in welcome] == [
        (frames.SETTINGS, 0),
        (frames.WINDOW_UPDATE, 0),
        (frames.SETTINGS, frames.ACK),
    ]
    assert dict(frames.parse_settings(welcome[0].payload)) == {1: 0, 3: 1_024, 4: 1_048_576, 6: 16_384}


def test_a_ping_is_answered_with_its_own_bytes_and_an_acknowledgement_never() -> None:
    """6.7."""
    peer = Peer()
    peer.sends(frames.ping(b"12345678", is_ack=True), frames.ping(b"abcdefgh", is_ack=False))
    assert peer.hears() == [Frame(frames.PING, frames.ACK, 0, b"abcdefgh")]


def test_padding_is_no_data_but_counts_for_the_window() -> None:
    """6.1, 6.9.1."""
    peer = Peer()
    (_, received) = peer.sends(headers(), data(padded(b"abc", 96), flags=frames.PADDED))
    assert isinstance(received, DataReceived)
    assert received.data == b"abc"
    assert received.stream.unreturned_bytes == 100


def test_goaway_of_the_peer_is_told_and_its_streams_go_on() -> None:
    """6.8."""
    peer = Peer()
    stream = peer.asks().stream
    assert peer.sends(frames.goaway(0, 11, b"why")) == [PeerLeaves(11)]
    assert [event.data for event in peer.sends(data(b"more")) if isinstance(event, DataReceived)] == [b"more"]
    assert peer.sends(rst()) == [StreamReset(stream, 8)]


def test_a_block_in_pieces_is_the_same_request() -> None:
    """6.10: flags of HEADERS hold for the whole."""
    (whole,) = Peer().sends(headers(end=True))
    (pieces,) = Peer().sends(OPEN_BLOCK, continuation(BLOCK[5:20], end=False), continuation(BLOCK[20:]))
    assert isinstance(whole, RequestReceived)
    assert isinstance(pieces, RequestReceived)
    assert (pieces.request, pieces.is_end) == (whole.request, True)


def test_settings_count_in_their_order() -> None:
    """6.5.3: the last of two values holds."""
    peer = Peer()
    peer.sends(frames.frame(frames.SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x64" + b"\x00\x04\x00\x00\x00\x01"))
    assert peer.connection.send.initial_window_bytes == 1


def test_unacknowledged_greeting_keeps_the_table() -> None:
    """RFC 9113 4.3.1: until the peer has acknowledged our SETTINGS it may use the table of 4,096 bytes; with us, until
    it has confirmed the smaller one."""
    peer = Peer(greets=False)
    indexed = b"\x40\x01a\x01b"
    peer.sends(frames.PREFACE + frames.settings({}), headers(1, of=block()[1:] + indexed))
    (opened,) = peer.sends(headers(3, of=block()[1:] + b"\xbe"))
    assert isinstance(opened, RequestReceived)
    assert opened.request.fields[-1] == (b"a", b"b")
    (opened,) = peer.sends(frames.SETTINGS_ACK, headers(5, of=block()[1:] + b"\xbe"))
    assert isinstance(opened, RequestReceived)
    assert opened.request.fields[-1] == (b"a", b"b")
    peer.refused(ErrorCode.COMPRESSION_ERROR, headers(7, of=block() + b"\xbe"))


def test_bytes_one_by_one_are_the_same() -> None:
    sent = GREETING + headers() + data() + rst()
    peer = Peer(greets=False)
    one_by_one = peer.sends(*(sent[n : n + 1] for n in range(len(sent))))
    assert [type(event) for event in one_by_one] == [type(event) for event in Peer(greets=False).sends(sent)]
