from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.outcome.sse import EVENT_BYTES_MAX, SseEvent, SseParser


def parse(*chunks: bytes, finish: bool = False) -> list[SseEvent]:
    parser = SseParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + (parser.finish() if finish else [])


def test_an_event_ends_with_a_blank_line() -> None:
    assert parse(b"data: a\n\ndata: b\n") == [SseEvent(b"a")]


def test_data_lines_are_joined_by_a_line_feed() -> None:
    """WHATWG 9.2.6: append the value, then a LF; the last LF is removed at dispatch."""
    assert parse(b"data: a\ndata:b\ndata\n\n") == [SseEvent(b"a\nb\n")]


def test_only_one_space_after_the_colon_belongs_to_the_syntax() -> None:
    assert parse(b"data:  a\n\n") == [SseEvent(b" a")]


def test_comments_ids_retries_and_unknown_fields_are_skipped() -> None:
    assert parse(b": ping\nid: 1\nretry: 5\nfoo: x\n\ndata: a\n\n") == [SseEvent(b"a")]


def test_an_event_type_without_data_is_dropped_and_does_not_stick() -> None:
    assert parse(b"event: error\n\ndata: a\n\n") == [SseEvent(b"a")]


def test_the_event_type_is_kept() -> None:
    assert parse(b"event: error\ndata: {}\n\n") == [SseEvent(b"{}", b"error")]


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse(b"\xef\xbb", b"\xbfdata: a\n\n") == [SseEvent(b"a")]


def test_the_three_line_ends_may_be_mixed() -> None:
    assert parse(b"data: a\r\n\r\ndata: b\r\rdata: c\n\n") == [SseEvent(b"a"), SseEvent(b"b"), SseEvent(b"c")]


def test_the_end_hands_out_what_lacks_its_blank_line() -> None:
    assert parse(b"data: [DONE]", finish=True) == [SseEvent(b"[DONE]")]
    assert parse(b"data: [DONE]\r", finish=True) == [SseEvent(b"[DONE]")]
    assert parse(b"data: a\n\n", finish=True) == [SseEvent(b"a")]


def test_an_overlong_event_silences_the_parser() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\n\n") == [SseEvent(b"a")]
    assert parser.feed(b"data: " + b"x" * EVENT_BYTES_MAX) == []
    assert parser.is_overflowed
    assert parser.feed(b"\n\ndata: b\n\n") == []
    assert parser.finish() == []


def test_many_short_data_lines_are_bounded_too() -> None:
    parser = SseParser()
    for _ in range(EVENT_BYTES_MAX // 1_000 + 2):
        parser.feed(b"data: " + b"x" * 1_000 + b"\n")
    assert parser.is_overflowed


LINES = st.lists(
    st.tuples(
        st.sampled_from([b"data: ", b"data:", b"data", b"event: ", b": ", b"id: ", b""]),
        st.binary(max_size=12).filter(lambda value: b"\n" not in value and b"\r" not in value),
        st.sampled_from([b"\n", b"\r\n", b"\r"]),
    ),
    max_size=30,
).map(lambda lines: b"".join(name + value + end for name, value, end in lines))


def oracle(stream: bytes) -> list[SseEvent]:
    """The standard's algorithm, line by line over the whole stream."""
    events, data, kind = [], [], b""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append(SseEvent(b"\n".join(data), kind))
            data, kind = [], b""
            continue
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value
    return events


@settings(deadline=None)
@given(stream=LINES, cuts=st.lists(st.integers(min_value=0, max_value=400), max_size=20))
def test_every_chunking_gives_the_standards_events(stream: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(stream)) for cut in cuts})
    chunks = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert parse(*chunks) == oracle(stream)


@settings(deadline=None)
@given(stream=st.binary(max_size=300))
def test_byte_by_byte_gives_the_same_for_any_bytes(stream: bytes) -> None:
    assert parse(*(stream[n : n + 1] for n in range(len(stream)))) == parse(stream) == oracle(stream)
