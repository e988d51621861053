"""Data and headers as they are told. Their faults stand in tests/conformance/h2."""

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.events import DataReceived, RequestReceived
from extproc.h2.limits import Limits
from tests.unit.extproc.h2.peer import BLOCK, HEAD, TRAILERS, Peer, block, data, headers


def test_a_request_is_told_in_its_pieces() -> None:
    opened, first, last = Peer().sends(headers() + data(b"a") + data(b"b", end=True))
    assert isinstance(opened, RequestReceived)
    assert isinstance(first, DataReceived)
    assert isinstance(last, DataReceived)
    assert (opened.is_end, first.data, first.is_end, last.data, last.is_end) == (False, b"a", False, b"b", True)
    assert opened.stream is first.stream is last.stream


def test_data_behind_the_answer_is_still_told() -> None:
    """Log entries that were under way when we ended their stream must not be lost."""
    peer = Peer()
    stream = peer.asks().stream
    peer.connection.send.headers(stream, TRAILERS)
    assert peer.sends(data(b"late")) == [DataReceived(stream, b"late", False)]
    assert peer.sends(data(b"", end=True)) == [DataReceived(stream, b"", True)]
    assert peer.connection.streams.find(1) is None


def test_empty_data_that_ends_nothing_is_not_told() -> None:
    assert [type(event) for event in Peer().sends(headers(), data(b""))] == [RequestReceived]


def test_trailers_too_large_to_keep_end_the_stream_all_the_same() -> None:
    peer = Peer(Limits(header_list_bytes_max=300))
    _, last = peer.sends(headers(), headers(of=block([(b"x", bytes(300))]), end=True))
    assert isinstance(last, DataReceived)
    assert last.is_end


def test_a_head_with_everything_on_it_is_the_same_request() -> None:
    fancy = b"\x03" + bytes(4) + b"\x10" + BLOCK + bytes(3)
    (opened,) = Peer().sends(headers(of=fancy, flags=frames.PADDED | frames.WITH_PRIORITY))
    (plain,) = Peer().sends(headers())
    assert isinstance(opened, RequestReceived)
    assert isinstance(plain, RequestReceived)
    assert opened.request == plain.request


def test_an_answer_may_come_before_the_end_of_the_request() -> None:
    peer = Peer()
    stream = peer.asks().stream
    assert peer.connection.send.answer(stream, HEAD, b"a", TRAILERS)
    peer.hears()
    peer.reset(ErrorCode.PROTOCOL_ERROR, headers(end=False))
