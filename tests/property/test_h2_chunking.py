"""However the bytes are cut into reads, the same events happen and the same bytes are sent.

Conversations are made of whole frames, right and wrong ones, and of bytes that are no frames at all.
"""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from extproc.h2 import frames
from extproc.h2.connection import Connection
from extproc.h2.events import DataReceived, Event
from extproc.h2.limits import Limits
from tests.unit.extproc.h2.peer import BLOCK, FIELDS, GREETING, HEAD, TRAILERS, block, data, headers, priority, rst

SMALL = Limits(
    streams_max=3,
    lingering_max=2,
    stream_window_bytes=2_000,
    connection_window_bytes=70_000,
    queued_bytes_max=500,
    premature_resets_max=6,
    closed_remembered_max=3,
)
IDS = st.integers(min_value=0, max_value=12)
FLAGS = st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF])


def on(stream: Callable[[int], bytes]) -> st.SearchStrategy[bytes]:
    return IDS.map(stream)


FRAMES = st.one_of(
    on(headers),
    on(lambda each: headers(each, end=True)),
    on(lambda each: headers(each, of=block([*FIELDS, (b"content-length", b"3")]))),
    on(lambda each: frames.frame(frames.HEADERS, 0, each, BLOCK[:7])),
    on(lambda each: frames.frame(frames.CONTINUATION, 4, each, BLOCK[7:])),
    st.builds(data, st.binary(max_size=4) | st.just(bytes(900)), IDS, end=st.booleans(), flags=st.sampled_from([0, 8])),
    on(rst),
    st.builds(priority, IDS, IDS),
    st.builds(frames.window_update, IDS, st.sampled_from([0, 1, 5, 2**31 - 1])),
    st.sampled_from([frames.settings({4: 2}), frames.settings({4: 100_000}), frames.settings({1: 0})]),
    st.just(frames.ping(b"draining", is_ack=True)) | st.just(frames.ping(b"12345678", is_ack=False)),
    st.builds(frames.frame, st.integers(0, 12), FLAGS, IDS, st.binary(max_size=12)),
    st.binary(max_size=20),
)
CONVERSATIONS = st.lists(FRAMES, max_size=20).map(b"".join)
CUTS = st.lists(st.integers(min_value=1, max_value=60), max_size=30)


def told(event: Event) -> object:
    """An event without the identity of its stream."""
    values = {name: getattr(event, name) for name in event.__slots__}
    stream = values.pop("stream", None)
    return type(event).__name__, stream and stream.id, values


def worked_off(connection: Connection, reads: list[bytes]) -> tuple[list[object], bytes]:
    """Events and output. Data that starts with an even byte is answered."""
    events, sent = [], b""
    for each in reads:
        for event in connection.receive(each, 0.0):
            events.append(told(event))
            if isinstance(event, DataReceived) and event.data[:1] < b"\x80":
                connection.send.answer(event.stream, HEAD, b"answer" * (len(event.data) + 1), TRAILERS)
        sent += connection.output()
    return events, sent


def pieces(conversation: bytes, sizes: list[int]) -> list[bytes]:
    cut = []
    for size in sizes:
        cut.append(conversation[:size])
        conversation = conversation[size:]
    return [*cut, conversation]


@given(CONVERSATIONS, CUTS, st.booleans())
def test_the_same_events_and_the_same_bytes(conversation: bytes, sizes: list[int], greets: bool) -> None:
    sent = (GREETING if greets else frames.PREFACE) + conversation
    whole = worked_off(Connection(SMALL), [sent])
    assert worked_off(Connection(SMALL), pieces(sent, sizes)) == whole
    assert worked_off(Connection(SMALL), [sent[n : n + 1] for n in range(len(sent))]) == whole


@given(st.binary(max_size=200), CUTS)
def test_bytes_that_are_no_http2_are_refused_wherever_they_are_cut(noise: bytes, sizes: list[int]) -> None:
    assert worked_off(Connection(), pieces(noise, sizes)) == worked_off(Connection(), [noise])


@given(CONVERSATIONS)
def test_what_is_kept_of_a_connection_is_bounded(conversation: bytes) -> None:
    connection = Connection(SMALL)
    worked_off(connection, [GREETING + conversation])
    assert len(connection.streams.live) <= SMALL.streams_max
    assert len(connection.streams.lingering) <= SMALL.lingering_max
