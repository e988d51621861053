"""Answers: what goes out at once, what waits, and what is dropped."""

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.limits import Limits
from extproc.h2.peer_settings import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE
from extproc.h2.sending import HeaderBlock
from tests.unit.extproc.h2.peer import END, HEAD, TRAILERS, WHOLE, Frame, Peer, data, headers, rst

ANSWER = [
    Frame(frames.HEADERS, WHOLE, 1, HEAD.block),
    Frame(frames.DATA, 0, 1, b"answer"),
    Frame(frames.HEADERS, WHOLE | END, 1, TRAILERS.block),
]


def test_an_answer_is_head_data_and_end() -> None:
    peer = Peer()
    peer.is_answered()
    assert peer.hears() == ANSWER
    assert peer.hears() == []


def test_an_answer_in_steps_is_the_same() -> None:
    peer = Peer()
    stream, send = peer.asks().stream, peer.connection.send
    assert send.headers(stream, HEAD)
    assert send.data(stream, b"answer")
    assert send.headers(stream, TRAILERS)
    assert peer.hears() == ANSWER


def test_trailers_alone_are_an_answer() -> None:
    peer = Peer()
    stream = peer.asks().stream
    assert peer.connection.send.headers(stream, TRAILERS)
    assert peer.hears() == [Frame(frames.HEADERS, WHOLE | END, 1, TRAILERS.block)]


def test_nothing_is_sent_on_a_stream_that_is_over() -> None:
    peer = Peer()
    send = peer.connection.send
    answered, reset = peer.asks(1).stream, peer.asks(3).stream
    send.answer(answered, HEAD, b"answer", TRAILERS)
    peer.sends(rst(3))
    peer.hears()
    for stream in (answered, reset):
        assert not send.answer(stream, HEAD, b"again", TRAILERS)
        assert not send.data(stream, b"again")
        assert not send.headers(stream, TRAILERS)
    peer.connection.reset(reset, ErrorCode.CANCEL)
    assert peer.hears() == []


def test_a_large_answer_goes_in_frames_that_every_peer_takes() -> None:
    peer = Peer()
    peer.is_answered(payload=bytes(40_000))
    assert [len(frame.payload) for frame in peer.hears() if frame.kind == frames.DATA] == [16_384, 16_384, 7_232]


def test_the_window_of_the_connection_is_shared_in_order() -> None:
    peer = Peer()
    for stream_id in (1, 3, 5):
        peer.is_answered(stream_id, payload=bytes(40_000))
    peer.hears()
    peer.sends(frames.window_update(0, 20_000))
    assert [(frame.stream_id, len(frame.payload)) for frame in peer.hears()] == [
        *[(3, 14_465), (3, len(TRAILERS.block))],
        (5, 5_535),
    ]


def test_a_stream_without_a_window_of_its_own_holds_nobody_up() -> None:
    peer = Peer()
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    peer.is_answered(1, payload=b"waits")
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 10}))
    peer.hears()
    peer.is_answered(3, payload=b"goes")
    assert [frame.payload for frame in peer.hears() if frame.kind == frames.DATA] == [b"goes"]


def test_settings_let_only_those_go_that_wait() -> None:
    peer = Peer()
    peer.asks(1)
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 70_000}))
    assert [frame.kind for frame in peer.hears()] == [frames.SETTINGS]


def test_what_waits_is_bounded() -> None:
    peer = Peer(Limits(queued_bytes_max=100))
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    peer.hears()
    peer.is_answered(1, payload=bytes(80))
    stream = peer.asks(3).stream
    assert not peer.connection.send.answer(stream, HEAD, bytes(30), TRAILERS)
    assert peer.hears()[-1] == Frame(frames.RST_STREAM, 0, 3, b"\0\0\0\x0b")
    peer.sends(rst(1))
    peer.is_answered(5, payload=bytes(80))
    assert peer.connection.send.settings.initial_window_bytes == 0


def test_data_and_trailers_wait_in_their_order() -> None:
    peer = Peer()
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 1}))
    stream, send = peer.asks().stream, peer.connection.send
    send.headers(stream, HEAD)
    send.data(stream, b"ab")
    send.data(stream, b"c")
    send.headers(stream, TRAILERS)
    peer.sends(frames.window_update(1, 10))
    sent = [frame for frame in peer.hears() if frame.stream_id == 1]
    assert [frame.payload for frame in sent] == [HEAD.block, b"a", b"bc", TRAILERS.block]


def test_the_oldest_of_too_many_lingering_streams_is_asked_to_stop_without_error() -> None:
    """RFC 9113 8.1."""
    peer = Peer(Limits(lingering_max=2))
    for stream_id in (1, 3, 5):
        peer.is_answered(stream_id)
    assert peer.hears()[-1] == Frame(frames.RST_STREAM, 0, 1, bytes(4))
    stream = peer.asks(7).stream
    peer.connection.send.headers(stream, TRAILERS)
    assert peer.hears()[-1] == Frame(frames.RST_STREAM, 0, 3, bytes(4))
    assert peer.sends(data(stream_id=3)) == []


def test_a_peer_that_shrinks_its_table_is_told_so_in_the_next_block() -> None:
    """RFC 9113 4.3.1: once, and before anything else."""
    peer = Peer()
    peer.sends(frames.settings({HEADER_TABLE_SIZE: 0}))
    peer.is_answered(1)
    peer.is_answered(3)
    blocks = [frame.payload for frame in peer.hears() if frame.kind == frames.HEADERS]
    assert blocks == [b"\x20" + HEAD.block, TRAILERS.block, HEAD.block, TRAILERS.block]


def test_a_reset_stream_frees_what_waited() -> None:
    peer = Peer(Limits(queued_bytes_max=100))
    peer.sends(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    for stream_id in range(1, 41, 2):
        peer.is_answered(stream_id, payload=bytes(80))
        peer.sends(rst(stream_id))
    assert [frame for frame in peer.hears() if frame.kind == frames.RST_STREAM] == []


def test_empty_data_is_a_frame_of_no_bytes_to_wait_for() -> None:
    peer = Peer()
    stream, send = peer.asks().stream, peer.connection.send
    assert send.data(stream, b"")
    assert stream.queue is None


def test_a_block_is_built_once() -> None:
    built = HeaderBlock([(b":status", b"200")], is_end=True)
    assert (built.prefix, built.block) == (b"\x00\x00\x01\x01\x05", b"\x88")


def test_headers_are_heard_of_a_stream_that_the_peer_ended() -> None:
    peer = Peer()
    (opened,) = peer.sends(headers(end=True))
    peer.connection.send.answer(opened.stream, HEAD, b"answer", TRAILERS)
    assert peer.hears() == ANSWER
    assert peer.connection.streams.find(1) is None
