"""Stream states, identifiers and flow control: RFC 9113 5.1, 5.3, 6.9.1, 6.9.2, and h2spec's cases of them."""

import pytest

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.events import ConnectionFailed, DataReceived, RequestReceived, StreamReset
from extproc.h2.limits import Limits
from extproc.h2.peer_settings import INITIAL_WINDOW_SIZE
from tests.unit.extproc.h2.peer import BLOCK, HEAD, TRAILERS, Frame, Peer, data, headers, priority, rst

PROTOCOL_ERROR, STREAM_CLOSED = ErrorCode.PROTOCOL_ERROR, ErrorCode.STREAM_CLOSED
FLOW_CONTROL_ERROR = ErrorCode.FLOW_CONTROL_ERROR
WHOLE_ANSWER = [frames.HEADERS, frames.DATA, frames.HEADERS]


def ended(peer: Peer) -> None:
    """Stream 1 is ended by both."""
    (opened,) = peer.sends(headers(end=True))
    assert isinstance(opened, RequestReceived)
    peer.connection.send.answer(opened.stream, HEAD, b"a", TRAILERS)
    peer.hears()


IDLE = {
    "DATA": data(),
    "RST_STREAM": rst(),
    "WINDOW_UPDATE": frames.window_update(1, 100),
    "CONTINUATION": frames.frame(frames.CONTINUATION, 4, 1, BLOCK),
    "DATA on a stream of ours": data(stream_id=2),
    "RST_STREAM on a stream of ours": rst(2),
    "PRIORITY on itself": priority(1, on=1),
}


@pytest.mark.parametrize("frame", IDLE)
def test_on_an_idle_stream_it_ends_the_connection(frame: str) -> None:
    """5.1, idle."""
    Peer().refused(PROTOCOL_ERROR, IDLE[frame])


HALF_CLOSED = {
    "DATA": (STREAM_CLOSED, data()),
    "the last DATA": (STREAM_CLOSED, data(end=True)),
    "HEADERS": (STREAM_CLOSED, headers(end=True)),
    "PRIORITY on itself": (PROTOCOL_ERROR, priority(1, on=1)),
}


@pytest.mark.parametrize("frame", HALF_CLOSED)
def test_on_a_half_closed_stream_it_ends_the_stream(frame: str) -> None:
    """5.1, half-closed (remote)."""
    code, sent = HALF_CLOSED[frame]
    Peer().reset(code, headers(end=True), sent)


@pytest.mark.parametrize(
    "sent", [frames.window_update(1, 1), priority(1), rst()], ids=["WINDOW_UPDATE", "PRIORITY", "RST_STREAM"]
)
def test_on_a_half_closed_stream_it_is_accepted(sent: bytes) -> None:
    """5.1, half-closed (remote); h2spec generic 2."""
    peer = Peer()
    peer.sends(headers(end=True), sent)
    peer.is_alive()


def test_data_after_the_peers_own_reset_is_a_fault_of_the_stream() -> None:
    """5.1, closed."""
    peer = Peer()
    peer.sends(headers(), rst())
    peer.reset(STREAM_CLOSED, data())
    assert peer.sends(data()) == [], "once told, it is ignored"
    assert peer.hears() == []


def test_headers_after_the_peers_own_reset_end_the_connection() -> None:
    """5.1, closed."""
    Peer().refused(STREAM_CLOSED, headers(), rst(), headers(end=True))


def test_data_after_both_ended_is_a_fault_of_the_stream() -> None:
    """5.1, closed."""
    peer = Peer()
    ended(peer)
    peer.reset(STREAM_CLOSED, data())


def test_headers_after_both_ended_end_the_connection() -> None:
    """5.1, closed."""
    peer = Peer()
    ended(peer)
    peer.refused(STREAM_CLOSED, headers(end=True))


@pytest.mark.parametrize(
    "sent", [frames.window_update(1, 1), priority(1), rst()], ids=["WINDOW_UPDATE", "PRIORITY", "RST_STREAM"]
)
def test_what_was_under_way_when_the_stream_ended_is_accepted(sent: bytes) -> None:
    """5.1, closed: an endpoint that ends a stream may receive these for a while."""
    peer = Peer()
    ended(peer)
    assert peer.sends(sent) == []
    peer.is_alive()


def test_what_was_under_way_when_we_reset_is_discarded() -> None:
    """5.1, closed: "minimally process and then discard", which means header compression and the connection's window."""
    peer = Peer()
    stream = peer.asks().stream
    peer.connection.reset(stream, ErrorCode.CANCEL)
    peer.hears()
    assert peer.sends(data(b"late"), headers(end=True), rst()) == []
    assert peer.hears() == []
    peer.is_alive()


@pytest.mark.parametrize("stream_id", [2, 4])
def test_a_client_uses_odd_identifiers(stream_id: int) -> None:
    """5.1.1."""
    Peer().refused(PROTOCOL_ERROR, headers(stream_id))


def test_identifiers_only_grow() -> None:
    """5.1.1: a stream that was skipped is closed."""
    Peer().refused(PROTOCOL_ERROR, headers(5), headers(3))


def test_a_skipped_stream_takes_no_data() -> None:
    """5.1.1."""
    Peer().reset(STREAM_CLOSED, headers(5), data(stream_id=3), stream_id=3)


def test_more_streams_than_were_allowed_are_refused() -> None:
    """5.1.2. Those that run go on, and the next one after one ended is served."""
    peer = Peer(Limits(streams_max=2))
    peer.sends(headers(1), headers(3), headers(5))
    assert peer.hears() == [Frame(frames.RST_STREAM, 0, 5, b"\0\0\0\x07")]
    peer.sends(rst(3))
    assert [type(event) for event in peer.sends(headers(7))] == [RequestReceived]


def test_streams_that_were_answered_take_no_place() -> None:
    """Envoy ends each one round trip after its answer."""
    peer = Peer(Limits(streams_max=1))
    for stream_id in (1, 3, 5):
        peer.is_answered(stream_id)
    assert frames.RST_STREAM not in {frame.kind for frame in peer.hears()}


@pytest.mark.parametrize("is_end", [True, False])
def test_a_stream_does_not_depend_on_itself(is_end: bool) -> None:
    """RFC 7540 5.3.1, which h2spec asks for: in HEADERS of a new stream there is no stream to reset yet."""
    sent = headers(of=b"\0\0\0\x01\x10" + BLOCK, flags=frames.WITH_PRIORITY, end=is_end)
    Peer().refused(PROTOCOL_ERROR, sent)


def test_priority_on_itself_of_a_running_stream_ends_the_stream() -> None:
    Peer().reset(PROTOCOL_ERROR, headers(), priority(1, on=1))


def test_headers_may_come_below_an_identifier_that_only_priority_has_named() -> None:
    """h2spec generic 3.3."""
    peer = Peer()
    peer.sends(priority(9))
    peer.is_answered(1)
    assert [frame.kind for frame in peer.hears()] == WHOLE_ANSWER


# Flow control of what we send.


def test_data_goes_no_further_than_the_window_of_the_stream() -> None:
    """6.9.1."""
    peer = Peer()
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 1}))
    peer.is_answered(payload=b"abc")
    sent = [frame for frame in peer.hears() if frame.stream_id == 1]
    assert [(frame.kind, frame.payload) for frame in sent][1:] == [(frames.DATA, b"a")]
    peer.sends(frames.window_update(1, 1))
    assert [frame.payload for frame in peer.hears()] == [b"b"]
    peer.sends(frames.window_update(1, 1))
    last, trailers = peer.hears()
    assert (last.payload, last.flags, trailers.flags) == (b"c", 0, frames.END_STREAM | frames.END_HEADERS)


def test_settings_move_the_windows_of_running_streams() -> None:
    """6.9.2."""
    peer = Peer()
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    peer.is_answered(payload=b"abc")
    peer.hears()
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 1}))
    assert [(frame.kind, frame.payload) for frame in peer.hears()] == [(frames.SETTINGS, b""), (frames.DATA, b"a")]


def test_a_window_may_become_negative() -> None:
    """6.9.2: nothing is sent until it is positive again."""
    peer = Peer()
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 3}))
    peer.is_answered(payload=b"abcdef")
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 1}))
    peer.hears()
    peer.sends(frames.window_update(1, 2))
    assert peer.hears() == []
    peer.sends(frames.window_update(1, 1))
    assert [frame.payload for frame in peer.hears()] == [b"d"]


def test_settings_may_not_lift_a_window_beyond_its_maximum() -> None:
    """6.9.2."""
    peer = Peer()
    peer.asks()
    peer.sends(frames.window_update(1, 2**31 - 1 - 65_535))
    peer.refused(FLOW_CONTROL_ERROR, frames.settings({INITIAL_WINDOW_SIZE: 65_536}))


def test_data_goes_no_further_than_the_window_of_the_connection() -> None:
    """6.9.1: 65,535 bytes for all streams together; SETTINGS do not change that (6.9.2)."""
    peer = Peer()
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 200_000}))
    for stream_id in (1, 3):
        peer.is_answered(stream_id, payload=bytes(60_000))
    assert sum(len(frame.payload) for frame in peer.hears() if frame.kind == frames.DATA) == 65_535
    peer.sends(frames.window_update(0, 60_000))
    sent = peer.hears()
    assert sum(len(frame.payload) for frame in sent) - len(TRAILERS.block) == 120_000 - 65_535
    assert max(len(frame.payload) for frame in sent) <= 16_384
    assert sent[-1].kind == frames.HEADERS


# Flow control of what the peer sends.


def test_the_connections_window_is_given_back_by_halves() -> None:
    """6.9."""
    peer = Peer(Limits(connection_window_bytes=100_000, stream_window_bytes=100_000))
    peer.sends(headers(), *[data(bytes(10_000))] * 4)
    assert peer.hears() == []
    peer.sends(data(bytes(10_000)))
    back = (50_000).to_bytes(4, "big")
    assert peer.hears() == [Frame(frames.WINDOW_UPDATE, 0, 0, back), Frame(frames.WINDOW_UPDATE, 0, 1, back)]


def test_data_of_a_stream_that_is_gone_is_given_back_too() -> None:
    """5.1, 6.9: or the connection would starve."""
    peer = Peer(Limits(connection_window_bytes=100_000))
    peer.connection.reset(peer.asks().stream, ErrorCode.CANCEL)
    peer.hears()
    peer.sends(*[data(bytes(16_000))] * 4)
    assert [(frame.kind, frame.stream_id) for frame in peer.hears()] == [(frames.WINDOW_UPDATE, 0)]


def test_the_last_data_of_a_stream_asks_for_no_more() -> None:
    peer = Peer(Limits(stream_window_bytes=16_000))
    peer.sends(headers(), data(bytes(16_000), end=True))
    assert peer.hears() == []


def test_data_beyond_the_window_of_the_stream_ends_the_stream() -> None:
    """6.9.1."""
    events = Peer(Limits(stream_window_bytes=9_000)).reset(FLOW_CONTROL_ERROR, headers(), data(bytes(9_001)))
    assert [type(event) for event in events] == [RequestReceived, StreamReset]


def test_data_beyond_the_window_of_the_connection_ends_the_connection() -> None:
    """6.9.1."""
    peer = Peer(Limits(connection_window_bytes=10_000))
    peer.refused(FLOW_CONTROL_ERROR, headers(), data(bytes(10_001)))


def test_events_before_a_fault_are_told() -> None:
    """5.4.1: what came whole is worked off."""
    events = Peer().sends(headers() + data() + rst(0) + headers(3))
    assert [type(event) for event in events] == [RequestReceived, DataReceived, ConnectionFailed]
