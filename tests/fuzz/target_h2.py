"""Arbitrary bytes behind the preface of an HTTP/2 connection.

Must hold: no exception; events of the known types; what is sent is whole frames of kinds that a server may send, no
larger than allowed, and nothing on a stream behind its end; every table, queue and window within its bound; nothing
after a failed connection; little is sent to a peer that is not answered; and however the bytes are cut, all is the same.

The first byte says what the layer above does: 0-1 at a request (nothing, head, answer, reset), 2-3 at data (nothing,
a small answer, data without end, more than any window), 4 drain at once, 5 the product's limits instead of small ones,
6 in pieces too, 7 frames as they are. The second is the size of the pieces.
"""

from functools import partial

from extproc.h2 import frames
from extproc.h2.connection import Connection
from extproc.h2.errors import ErrorCode
from extproc.h2.events import (
    ConnectionFailed,
    DataReceived,
    Drained,
    Event,
    PeerLeaves,
    RequestReceived,
    RequestTooLarge,
    StreamReset,
)
from extproc.h2.limits import DEFAULT, FRAME_BYTES_MAX, WINDOW_BYTES_MAX, Limits
from extproc.h2.sending import HeaderBlock
from extproc.h2.stream import BY_BOTH, BY_US
from tests.fuzz.h2_conversation import frames_of
from tests.fuzz.target import Target

# Small enough that a short input reaches each.
SMALL = Limits(
    streams_max=3,
    lingering_max=2,
    closed_remembered_max=3,
    header_list_bytes_max=600,
    header_block_bytes_max=500,
    continuations_max=2,
    cached_blocks_max=2,
    stream_window_bytes=2_000,
    connection_window_bytes=70_000,
    queued_bytes_max=25_000,
    pings_max=4,
    settings_max=4,
    empty_data_max=3,
    premature_resets_max=4,
    idle_frames_max=8,
)
# Of one byte each, a long input would be all that a second has time for.
PIECES_MAX = 40
_GREETING = frames.PREFACE + frames.settings({1: 0})
_HEAD = HeaderBlock([(b":status", b"200"), (b"content-type", b"application/grpc")], is_end=False)
_TRAILERS = HeaderBlock([(b"grpc-status", b"0")], is_end=True)
_MUCH = bytes(20_000)
_SENT_KINDS = frozenset(
    {frames.DATA, frames.HEADERS, frames.RST_STREAM, frames.SETTINGS, frames.PING, frames.GOAWAY, frames.WINDOW_UPDATE}
)
_EVENTS = {
    *(RequestReceived, RequestTooLarge, DataReceived, StreamReset, PeerLeaves, Drained, ConnectionFailed),
}


def act(connection: Connection, event: Event, policy: int) -> None:
    """The layer above."""
    send = connection.send
    if type(event) is RequestReceived:
        match policy & 3:
            case 1:
                send.headers(event.stream, _HEAD)
            case 2:
                send.answer(event.stream, _HEAD, b"answer", _TRAILERS)
            case 3:
                connection.reset(event.stream, ErrorCode.CANCEL)
    elif type(event) is DataReceived:
        stream = event.stream
        match policy >> 2 & 3:
            case 1:
                send.answer(stream, _HEAD, b"answer", _TRAILERS)
            case 2:
                if not stream.ended & BY_US and (stream.is_served or send.headers(stream, _HEAD)):
                    send.data(stream, b"piece" * 60)
            case 3:
                send.answer(stream, _HEAD, _MUCH, _TRAILERS)


def told(event: Event) -> tuple[object, ...]:
    """An event without the identity of its stream."""
    kind = type(event)
    if kind not in _EVENTS:
        raise AssertionError(f"event {event!r}")
    stream = getattr(event, "stream", None)
    values = [getattr(event, name) for name in kind.__slots__ if name != "stream"]
    return (kind.__name__, stream and stream.id, *values)


def worked_off(data: bytes, size: int, policy: int) -> tuple[list[tuple[object, ...]], bytes, Connection]:
    """All that happened and was sent, with `data` in pieces of `size`."""
    connection = Connection(DEFAULT if policy & 0x20 else SMALL)
    if policy & 0x10:
        connection.drain()
    happened = []
    sent = []
    for start in range(0, len(data) or 1, size):
        for event in connection.receive(data[start : start + size], 0.0):
            happened.append(told(event))
            act(connection, event, policy)
        sent.append(connection.output())
    return happened, b"".join(sent), connection


def check_sent(sent: bytes) -> None:
    """Whole frames, of a server, and in an order that each stream permits."""
    position, ended, opened, reset = 0, set(), set(), set()
    while position < len(sent):
        word, flags, stream_id = frames.unpack_head(sent, position)
        kind, size = word & 0xFF, word >> 8
        position += 9 + size
        assert kind in _SENT_KINDS, kind
        assert size <= FRAME_BYTES_MAX
        if kind in (frames.HEADERS, frames.DATA):
            assert stream_id & 1
            assert stream_id not in ended, f"something behind the end of stream {stream_id}"
            assert kind == frames.HEADERS or stream_id in opened, "DATA before HEADERS"
            opened.add(stream_id)
            if flags & frames.END_STREAM:
                ended.add(stream_id)
        elif kind == frames.RST_STREAM:
            assert stream_id
            ended.add(stream_id)
            reset.add(stream_id)
        elif kind == frames.WINDOW_UPDATE:
            assert stream_id not in reset, "room on a stream that was reset"
    assert position == len(sent), "half a frame"


def check_bounds(connection: Connection, limits: Limits) -> None:
    """What is kept."""
    streams, send, blocks = connection.streams, connection.send, connection._blocks
    live, lingering = streams.live, streams.lingering
    assert len(live) <= limits.streams_max
    assert len(lingering) <= limits.lingering_max
    assert not live.keys() & lingering.keys()
    assert len(streams._closed) < limits.closed_remembered_max
    assert len(streams._closed_before) <= limits.closed_remembered_max
    assert len(connection._rest) < 9 + FRAME_BYTES_MAX
    assert len(blocks.known) <= limits.cached_blocks_max
    if blocks.unfinished is not None and not connection.is_over:
        assert blocks.unfinished.length <= limits.header_block_bytes_max
        assert len(blocks.unfinished.pieces) <= limits.continuations_max + 1
    table = blocks._decoder._table
    assert table._bytes <= table.bytes_max <= 4_096
    queued = 0
    for stream in (*live.values(), *lingering.values()):
        assert stream.ended != BY_BOTH
        assert stream.send_window <= WINDOW_BYTES_MAX or connection.is_over
        if stream.queue is not None:
            queued += len(stream.queue.data)
    assert send._queued_bytes == queued <= limits.queued_bytes_max
    assert send.window >= 0
    assert send._blocked.keys() <= live.keys()


def execute(data: bytes) -> None:
    policy = data[0] if data else 0
    size = 1 + data[1] if len(data) > 1 else 1
    client = _GREETING + data[2:] if policy & 0x80 else _GREETING + frames_of(data, 2)
    happened, sent, connection = worked_off(client, len(client), policy)
    check_sent(sent)
    check_bounds(connection, DEFAULT if policy & 0x20 else SMALL)
    failures = [event for event in happened if event[0] == "ConnectionFailed"]
    assert len(failures) == connection.is_over
    assert not failures or happened[-1] is failures[0], "an event behind the failure"
    if not policy & 0x0F:
        assert len(sent) <= 400 + 2 * len(client), "a small input makes much output"
    if policy & 0x40:
        size = max(size, len(client) // PIECES_MAX)
        other, sent_in_pieces, _ = worked_off(client, size, policy)
        assert other == happened, "events depend on how the bytes are cut"
        assert sent_in_pieces == sent, "the output depends on how the bytes are cut"
    if connection.is_over:
        assert not list(connection.receive(client, 0.0))
        assert not connection.output()


def _of(policy: int, *sent: int | bytes) -> bytes:
    return bytes([policy, 7]) + b"".join(each if isinstance(each, bytes) else bytes([each]) for each in sent)


_OPENED = bytes([0x1A, 0, 0])
_SEEDS = [
    _of(0x04, _OPENED, 0x1B, 0, 3, b"abc", 0x13, 0, 4, bytes(4)),
    _of(0x44, _OPENED, 0x1B, 1, 3, b"abc", 0x3A, 1, 1, 0x5A, 0, 7),
    _of(0x4C, _OPENED, 0x1B, 0, 3, b"abc", 0x08, 0, 4, b"\0\0\xff\xff", 0x18, 0, 4, b"\0\0\xff\xff"),
    _of(0x08, _OPENED, 0x1B, 0, 3, b"abc", 0x04, 0, 6, b"\0\x04\0\0\0\x09", 0x1B, 0, 1, b"x"),
    _of(0x40, 0x11, 0, 3, b"\x82\x86\x84", 0x19, 4, 4, b"\x41\x01a\x82", 0x1C, 1, 9),
    _of(0x50, _OPENED, 0x0E, 0x3A, 0, 1, 0x07, 0, 8, bytes(8), 0x06, 0, 8, b"12345678"),
    _of(0x01, _OPENED, 0x12, 0, 5, b"\0\0\0\3\1", 0x1D, 0x13, 4, 0, 9, 20, 2, b"ab"),
    _of(0xC0, frames.settings({4: 9}), frames.SETTINGS_ACK, frames.ping(bytes(8), is_ack=False)),
    _of(0xC2, frames.frame(frames.HEADERS, 0x2D, 1, b"\0\0\0\0\0\1\x82\x86\x84\x41\x01a")),
    _of(0x60, _OPENED, 0x1C, 0, 255, 0x1C, 0, 255, 0x13, 0, 4, bytes(4), 0x3A, 1, 12, 0x5A, 1, 13),
]
_LONG = [
    _of(0x60, _OPENED, *[bytes([0x1B, 0, 3]) + b"abc"] * 10_000),
    _of(0x20, *[bytes([0x03, 0, 4, 0, 0, 0, 0])] * 10_000),
    _of(0x26, *[bytes([stream << 4 | 0x0A, 0, 0]) for stream in range(1, 16, 2)] * 3_000),
    _of(0xA0, frames.frame(frames.HEADERS, 4, 1, b"\x40\x01a\x01b" + b"\xbe" * 16_000)),
    _of(0xE0, bytes(30_000)),
    _of(0xE4, b"".join(frames.frame(frames.DATA, 0, 1, b"") for _ in range(5_000))),
]
TARGETS = {"h2": Target(execute, _SEEDS, [partial(execute, each) for each in _LONG], bytes_max=256)}
