"""What is remembered of header blocks, and when."""

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.events import RequestReceived, RequestTooLarge
from extproc.h2.limits import Limits
from extproc.h2.request import Request
from tests.unit.extproc.h2.peer import BLOCK, FIELDS, GREETING, Peer, block, headers


def request(peer: Peer, stream_id: int, of: bytes = BLOCK) -> Request:
    (opened,) = peer.sends(headers(stream_id, of=of))
    assert isinstance(opened, RequestReceived)
    return opened.request


def test_equal_blocks_are_decoded_once() -> None:
    peer = Peer()
    request(peer, 1)  # says that there is no table
    assert request(peer, 3) is request(peer, 5)
    assert request(peer, 7) is not request(peer, 9, block([*FIELDS, (b"x", b"1")]))


def test_nothing_is_remembered_before_the_table_is_gone_on_both_sides() -> None:
    peer = Peer(greets=False)
    peer.sends(frames.PREFACE + frames.settings({}))
    assert request(peer, 1) is not request(peer, 3)
    peer.sends(frames.SETTINGS_ACK)
    assert request(peer, 5) is request(peer, 7)


def test_the_block_that_gives_up_the_table_is_not_remembered() -> None:
    """Found by fuzzing: it may first choose a size that is refused once the table is gone."""
    peer = Peer(greets=False)
    peer.sends(frames.PREFACE + frames.settings({}) + frames.SETTINGS_ACK)
    giving_up = b"\x3f\x45\x20" + BLOCK
    request(peer, 1, giving_up)
    assert request(peer, 3) is request(peer, 5)
    assert "allowed are 0" in peer.refused(ErrorCode.COMPRESSION_ERROR, headers(7, of=giving_up))


def test_nothing_is_remembered_while_a_table_is_allowed() -> None:
    peer = Peer(Limits(header_table_bytes_max=4_096))
    assert request(peer, 1) is not request(peer, 3)


def test_long_blocks_are_not_remembered_and_many_are_forgotten() -> None:
    peer = Peer(Limits(cached_block_bytes_max=200, cached_blocks_max=2))
    long = block([*FIELDS, (b"x", b"\x01" * 200)])
    assert request(peer, 1, long) is not request(peer, 3, long)
    first = request(peer, 5)
    request(peer, 7, block([*FIELDS, (b"x", b"1")]))
    request(peer, 9, block([*FIELDS, (b"x", b"2")]))
    assert request(peer, 11) is not first
    assert request(peer, 11 + 2) == first


def test_headers_beyond_the_list_are_told_without_their_fields() -> None:
    """RFC 9113 10.5.1."""
    peer = Peer(Limits(header_list_bytes_max=400))
    (large,) = peer.sends(headers(of=block([*FIELDS, (b"x", bytes(300))]), end=True))
    assert isinstance(large, RequestTooLarge)
    assert (large.stream.id, large.is_end) == (1, True)
    peer.is_alive()


def test_a_malformed_block_is_not_remembered() -> None:
    peer = Peer()
    for stream_id in (1, 3):
        assert peer.sends(headers(stream_id, of=block([(b"a", b"b")]))) == []
        assert [frame.kind for frame in peer.hears()] == [frames.RST_STREAM]


def test_a_greeting_in_two_reads() -> None:
    peer = Peer(greets=False)
    assert peer.sends(GREETING[:30], GREETING[30:]) == []
    assert request(peer, 1).method == b"POST"
