from extproc.h2.limits import Limits
from extproc.h2.stream import BY_BOTH, Stream
from extproc.h2.stream_table import Closed, StreamTable


def opened(table: StreamTable, stream_id: int) -> Stream:
    stream = Stream(stream_id, 100, None)
    table.live[stream_id] = stream
    table.last_id = stream_id
    return stream


def test_every_way_through_the_states() -> None:
    """RFC 9113 5.1."""
    table = StreamTable(Limits())
    first = opened(table, 1)
    assert repr(first) == "<Stream 1 open>"
    table.end_by_peer(first)
    assert repr(first) == "<Stream 1 half-closed (remote)>"
    assert table.end_by_us(first) is None
    assert repr(first) == "<Stream 1 closed>"
    second = opened(table, 3)
    table.end_by_us(second)
    assert repr(second) == "<Stream 3 half-closed (local)>"
    assert (table.find(3), table.live) == (second, {})
    table.end_by_peer(second)
    assert table.find(3) is None
    third = opened(table, 5)
    table.close(third, Closed.RESET_BY_US)
    assert third.ended == BY_BOTH
    assert [table.how_closed(each) for each in (1, 3, 5, 7)] == [Closed.ENDED, Closed.ENDED, Closed.RESET_BY_US, None]


def test_past_the_bound_the_oldest_lingering_stream_is_to_go() -> None:
    table = StreamTable(Limits(lingering_max=2))
    streams = [opened(table, stream_id) for stream_id in (1, 3, 5)]
    assert [table.end_by_us(stream) for stream in streams] == [None, None, streams[0]]


def test_how_streams_ended_is_forgotten_by_generations() -> None:
    table = StreamTable(Limits(closed_remembered_max=3))
    for stream_id in range(1, 21, 2):
        table.remember(stream_id, Closed.ENDED)
    remembered = [stream_id for stream_id in range(1, 21, 2) if table.how_closed(stream_id)]
    assert remembered == [13, 15, 17, 19]
