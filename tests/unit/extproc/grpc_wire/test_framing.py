import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.grpc_wire.framing import Budget, Deframer, FramingError, framed, whole_message
from extproc.grpc_wire.status import Status

MESSAGES = st.lists(st.binary(max_size=50), max_size=6)
CUTS = st.lists(st.integers(min_value=0, max_value=30), max_size=12)


def deframer(bytes_max: int = 1_000, budget: int = 10_000, encoding: bytes = b"") -> Deframer:
    return Deframer(bytes_max, Budget(budget), encoding)


def refused(made: Deframer, data: bytes) -> Status:
    with pytest.raises(FramingError) as caught:
        made.feed(data)
    assert str(caught.value) == caught.value.message
    return caught.value.status


@given(MESSAGES, CUTS)
def test_messages_come_out_as_they_went_in_however_they_are_cut(messages: list[bytes], sizes: list[int]) -> None:
    budget = Budget(10_000)
    made = Deframer(1_000, budget)
    stream = b"".join(map(framed, messages))
    received = []
    for size in sizes:
        received += made.feed(stream[:size])
        stream = stream[size:]
    received += made.feed(stream)
    assert received == messages
    assert made.is_between_messages
    assert budget.left == 10_000


@given(st.binary(max_size=20))
def test_one_message_and_nothing_else_is_whole(message: bytes) -> None:
    data = framed(message)
    assert whole_message(data) == message
    for other in (data[:-1], data + b"x", b"\1" + data[1:], b""):
        assert whole_message(other) is None


def test_a_prefix_is_a_flag_and_a_length() -> None:
    assert framed(b"abc") == b"\0\0\0\0\3abc"
    assert deframer().feed(b"\0\0\0\0\0") == [b""]
    assert deframer().feed(b"") == []


@pytest.mark.parametrize("tail", [b"", b"x"])
def test_a_message_that_is_too_long_is_refused_by_its_prefix(tail: bytes) -> None:
    assert deframer(3).feed(framed(b"abc")) == [b"abc"]
    assert refused(deframer(3), framed(b"abcd")[:5] + tail) is Status.RESOURCE_EXHAUSTED
    assert refused(deframer(3), framed(b"abcd")) is Status.RESOURCE_EXHAUSTED
    assert refused(deframer(), b"\0\xff\xff\xff\xff") is Status.RESOURCE_EXHAUSTED


def test_a_compressed_message_is_refused() -> None:
    """gRPC: UNIMPLEMENTED for an encoding that is not taken, INTERNAL for a flag that no encoding explains."""
    compressed = b"\1" + framed(b"abc")[1:]
    assert refused(deframer(encoding=b"gzip"), compressed) is Status.UNIMPLEMENTED
    assert refused(deframer(encoding=b"identity"), compressed) is Status.INTERNAL
    assert refused(deframer(), compressed) is Status.INTERNAL
    assert refused(deframer(encoding=b"gzip"), b"\2" + framed(b"abc")[1:]) is Status.INTERNAL


def test_messages_without_the_flag_are_taken_whatever_was_announced() -> None:
    assert deframer(encoding=b"gzip").feed(framed(b"abc")) == [b"abc"]


def test_what_is_unfinished_is_bounded_for_a_whole_connection() -> None:
    budget = Budget(100)
    one, other = Deframer(1_000, budget), Deframer(1_000, budget)
    assert one.feed(framed(bytes(500))[:60]) == []
    assert not one.is_between_messages
    assert refused(other, framed(bytes(500))[:60]) is Status.RESOURCE_EXHAUSTED
    other.release()
    assert budget.left == 40
    assert other.feed(framed(b"whole")) == [b"whole"]
    one.release()
    assert budget.left == 100


def test_many_messages_of_one_read_need_no_room() -> None:
    assert len(deframer(budget=10).feed(framed(b"abcdef") * 100)) == 100


def test_what_all_connections_keep_is_bounded_too() -> None:
    whole = Budget(25)
    first, second = (Deframer(1_000, Budget(20, whole)) for _ in range(2))
    assert first.feed(framed(bytes(100))[:20]) == []
    assert refused(second, framed(bytes(100))[:6]) is Status.RESOURCE_EXHAUSTED
    first.release()
    second.release()
    assert whole.left == 25
    assert second.feed(framed(bytes(100))[:20]) == []
