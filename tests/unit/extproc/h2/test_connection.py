"""The whole connection: how bytes are cut changes nothing; answers stand where they were given."""

import pytest

from extproc.h2 import frames
from extproc.h2.connection import Connection
from extproc.h2.errors import ErrorCode
from extproc.h2.events import ConnectionFailed, DataReceived, StreamReset
from extproc.h2.limits import WINDOW_BYTES_DEFAULT, Limits
from tests.unit.extproc.h2.peer import GREETING, HEAD, TRAILERS, Peer, data, headers, parse, rst


def test_an_answer_stands_before_what_the_peer_sent_behind_its_request() -> None:
    """The stream was answered before it was reset: also when both came in one read."""
    peer = Peer(Limits(premature_resets_max=1))
    for stream_id in range(1, 21, 2):
        for event in peer.connection.receive(headers(stream_id) + data(stream_id=stream_id) + rst(stream_id), 0.0):
            assert not isinstance(event, StreamReset)
            if isinstance(event, DataReceived):
                peer.connection.send.answer(event.stream, HEAD, b"a", TRAILERS)
    peer.is_alive()


def test_everything_of_one_read_leaves_in_one_piece() -> None:
    peer = Peer()
    for event in peer.connection.receive(headers(1) + data() + headers(3) + data(stream_id=3), 0.0):
        if isinstance(event, DataReceived):
            peer.connection.send.answer(event.stream, HEAD, b"a", TRAILERS)
    assert [frame.stream_id for frame in parse(peer.connection.output())] == [1, 1, 1, 3, 3, 3]
    assert peer.connection.output() == b""


@pytest.mark.parametrize("cut", range(1, len(GREETING)))
def test_a_greeting_may_come_in_two_reads(cut: int) -> None:
    peer = Peer(greets=False)
    assert peer.sends(GREETING[:cut], GREETING[cut:]) == []
    peer.is_alive()


def test_a_window_of_the_default_size_needs_no_update() -> None:
    connection = Connection(Limits(connection_window_bytes=WINDOW_BYTES_DEFAULT))
    assert [frame.kind for frame in parse(connection.output())] == [frames.SETTINGS]


def test_the_reason_of_a_fault_is_told_to_the_peer() -> None:
    peer = Peer()
    (failed,) = peer.sends(rst(0))
    assert isinstance(failed, ConnectionFailed)
    assert peer.hears()[-1].payload[8:] == failed.reason.encode()


def test_a_frame_that_is_too_long_is_refused_by_its_head() -> None:
    peer = Peer()
    assert "MAX_FRAME_SIZE" in peer.refused(ErrorCode.FRAME_SIZE_ERROR, data(bytes(16_385))[:9])


def test_the_longest_frame_is_waited_for() -> None:
    peer = Peer()
    whole = data(bytes(16_384))
    peer.sends(headers(), whole[:16_000])
    (received,) = peer.sends(whole[16_000:])
    assert isinstance(received, DataReceived)
    assert len(received.data) == 16_384
