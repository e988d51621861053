"""Draining (RFC 9113 6.8) and what of control frames is told. Their faults stand in tests/conformance/h2."""

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.events import DataReceived, Drained, RequestReceived, StreamReset
from extproc.h2.limits import STREAM_ID_DRAIN, STREAM_ID_MAX
from tests.unit.extproc.h2.peer import HEAD, TRAILERS, Frame, Peer, data, headers, rst


def drained(peer: Peer) -> None:
    """The peer reads our GOAWAY and answers our PING."""
    (ping,) = [frame for frame in peer.hears() if frame.kind == frames.PING]
    assert peer.sends(frames.ping(ping.payload, is_ack=True)) == [Drained()]


def last_streams(peer: Peer) -> list[int]:
    return [frames.unpack_id(frame.payload[:4])[0] for frame in peer.hears() if frame.kind == frames.GOAWAY]


def test_draining_turns_nothing_away_that_was_under_way() -> None:
    peer = Peer()
    running = peer.asks(1).stream
    peer.connection.drain()
    peer.connection.drain()
    goaway, ping = peer.hears()
    assert goaway == Frame(frames.GOAWAY, 0, 0, STREAM_ID_MAX.to_bytes(4, "big") + bytes(4))
    peer.is_answered(3)
    assert peer.sends(frames.ping(b"somebody", is_ack=True)) == []
    assert peer.sends(frames.ping(ping.payload, is_ack=True)) == [Drained()]
    assert last_streams(peer) == [3]
    assert [type(event) for event in peer.sends(data(stream_id=1))] == [DataReceived]
    assert peer.connection.send.answer(running, HEAD, b"late", TRAILERS)


def test_what_a_peer_opens_in_spite_of_goaway_is_ignored() -> None:
    peer = Peer()
    peer.connection.drain()
    drained(peer)
    peer.hears()
    late = [headers(3), data(stream_id=3), frames.window_update(3, 5), rst(3), headers(5), headers(5, end=True)]
    assert peer.sends(*late) == []
    assert peer.hears() == []


def test_the_second_answer_to_our_ping_says_nothing() -> None:
    peer = Peer()
    peer.connection.drain()
    ping = peer.hears()[-1].payload
    assert peer.sends(frames.ping(ping, is_ack=True)) == [Drained()]
    assert peer.connection.streams.last_id == 0
    assert peer.sends(frames.ping(ping, is_ack=True)) == []


def test_an_answer_to_a_ping_that_was_not_sent_is_nothing() -> None:
    peer = Peer()
    assert peer.sends(frames.ping(b"draining", is_ack=True)) == []
    assert peer.hears() == []


def test_a_connection_that_is_over_does_not_drain() -> None:
    peer = Peer()
    peer.refused(ErrorCode.PROTOCOL_ERROR, rst(0))
    peer.connection.drain()
    assert peer.hears() == []


def test_near_the_last_identifier_the_peer_is_told_to_come_anew() -> None:
    peer = Peer()
    peer.is_answered(STREAM_ID_DRAIN - 2 | 1)
    assert last_streams(peer) == []
    peer.is_answered(STREAM_ID_DRAIN + 2 | 1)
    assert last_streams(peer) == [STREAM_ID_MAX]
    peer.is_alive()


def test_a_reset_is_told_unless_nobody_wants_to_know() -> None:
    peer = Peer()
    stream = peer.asks(1).stream
    assert peer.sends(rst(1, 2)) == [StreamReset(stream, 2)]
    peer.is_answered(3)
    assert peer.sends(rst(3)) == []
    stream = peer.asks(5).stream
    stream.call = object()
    peer.connection.send.answer(stream, HEAD, b"a", TRAILERS)
    assert peer.sends(rst(5)) == [StreamReset(stream, 8)]


def test_window_updates_of_an_answered_stream_are_taken() -> None:
    peer = Peer()
    peer.is_answered(1)
    assert peer.sends(frames.window_update(1, 10)) == []
    assert [type(event) for event in peer.sends(headers(3))] == [RequestReceived]
