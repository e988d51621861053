import pytest

from extproc.h2.errors import ConnectionFault
from extproc.h2.limits import Limits
from extproc.h2.peer_settings import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, PeerSettings, ours


def test_what_is_not_said_stays() -> None:
    before = PeerSettings(1_000, 2_000)
    assert before.updated([]) == before
    assert before.updated([(0xFF, 1), (MAX_FRAME_SIZE, 20_000)]) == before


def test_a_table_that_was_smaller_for_a_moment_has_shrunk() -> None:
    """RFC 7541 4.2: the smallest size in between is to be told too."""
    settings = PeerSettings().updated([(HEADER_TABLE_SIZE, 0), (HEADER_TABLE_SIZE, 8_192)])
    assert (settings.header_table_bytes, settings.has_shrunk_table) == (8_192, True)
    assert not settings.updated([(INITIAL_WINDOW_SIZE, 5)]).has_shrunk_table
    assert not PeerSettings().updated([(HEADER_TABLE_SIZE, 8_192)]).has_shrunk_table


def test_a_fault_changes_nothing() -> None:
    settings = PeerSettings()
    with pytest.raises(ConnectionFault):
        settings.updated([(INITIAL_WINDOW_SIZE, 5), (MAX_FRAME_SIZE, 5)])
    assert settings == PeerSettings()


def test_we_tell_our_limits() -> None:
    told = ours(Limits(streams_max=7, stream_window_bytes=8, header_list_bytes_max=9, header_table_bytes_max=10))
    assert told == {1: 10, 3: 7, 4: 8, 6: 9}
