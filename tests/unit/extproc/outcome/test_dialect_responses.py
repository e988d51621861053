import json

import pytest

from extproc.outcome.dialect import AnyReader
from extproc.outcome.sse import SseEvent


def event(kind: str, **more: object) -> SseEvent:
    return SseEvent(json.dumps({"type": f"response.{kind}", **more}).encode(), f"response.{kind}".encode())


def ended(status: str, **more: object) -> dict[str, object]:
    return {"object": "response", "status": status, "error": None, "usage": {"output_tokens": 3}, **more}


def read(*events: SseEvent) -> AnyReader:
    reader = AnyReader()
    for each in events:
        reader.event(each)
    return reader


def whole(response: dict[str, object]) -> AnyReader:
    reader = AnyReader()
    assert reader.document(json.dumps(response).encode())
    return reader


OPENING = (event("created", response=ended("in_progress", usage=None)), event("in_progress", response={}))
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}


def test_a_whole_stream() -> None:
    reader = read(
        *OPENING,
        event("output_item.added", output_index=0, item={"type": "message", "content": []}),
        event("output_text.delta", delta="Red"),
        event("output_text.delta", delta=" green"),
        event("output_text.done", text="Red green"),
        event("completed", response=ended("completed", output=[MESSAGE])),
    )
    assert (reader.finish_reason, reader.has_content, reader.error_frame) == ("completed", True, False)
    assert (reader.is_readable, reader.choices, reader.content_events, reader.stated_tokens) == (True, 1, 2, 3)


def test_a_stream_that_only_began_has_no_finish() -> None:
    reader = read(*OPENING, event("output_text.delta", delta="Red"))
    assert (reader.finish_reason, reader.has_content, reader.is_readable) == (None, True, True)


def test_reasoning_alone_is_no_content() -> None:
    reader = read(
        *OPENING,
        event("output_item.added", output_index=0, item={"type": "reasoning"}),
        event("reasoning_text.delta", delta="hmm"),
        event("completed", response=ended("completed", output=[{"type": "reasoning"}])),
    )
    assert not reader.has_content


@pytest.mark.parametrize(
    ("details", "reason"),
    [({"reason": "max_output_tokens"}, "length"), ({"reason": "content_filter"}, "content_filter"), (5, "incomplete")],
)
def test_an_incomplete_response_says_why(details: object, reason: str) -> None:
    last = event("incomplete", response=ended("incomplete", incomplete_details=details))
    assert read(*OPENING, last).finish_reason == reason


@pytest.mark.parametrize(
    "last",
    [
        event("failed", response=ended("failed", error={"code": "server_error"})),
        SseEvent(b'{"type": "error", "message": "boom"}', b"error"),
        SseEvent(b'{"type": "error", "message": "boom"}'),
    ],
)
def test_a_failure_inside_the_stream_is_an_error(last: SseEvent) -> None:
    assert read(*OPENING, last).error_frame


def test_a_failed_whole_response_is_an_error() -> None:
    assert whole(ended("failed", error={"code": "server_error", "message": "x"})).error_frame


def test_calls_of_a_stream_are_put_together_by_their_item() -> None:
    def call(index: int, text: str) -> SseEvent:
        return event("function_call_arguments.delta", output_index=index, delta=text)

    added = event("output_item.added", output_index=1, item={"type": "function_call", "name": "f", "arguments": ""})
    reader = read(*OPENING, added, call(1, '{"a"'), call(1, ": 1}"), call(2, "{"))
    assert reader.has_content
    assert reader.said.measures(is_cut=False) == (("invalid_tool_call", 50),)


def test_a_whole_response_shows_text_calls_and_refusals() -> None:
    assert whole(ended("completed", output=[MESSAGE])).has_content
    calling = whole(ended("completed", output=[{"type": "function_call", "arguments": "{"}]))
    assert calling.said.measures(is_cut=False) == (("invalid_tool_call", 100),)
    declined = whole(ended("completed", output=[{"type": "message", "content": [{"refusal": "No."}]}]))
    assert (declined.has_content, declined.said.measures(is_cut=False)) == (True, (("refusal", 100),))
    assert whole(ended("completed", output=[{"type": "web_search_call"}])).has_content
    assert not whole(ended("completed", output=[])).has_content


def test_a_refusal_of_a_stream_is_content() -> None:
    assert read(*OPENING, event("refusal.delta", delta="No.")).has_content


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
def test_a_response_that_is_not_there_yet_is_not_judged(status: str) -> None:
    assert not whole(ended(status)).is_readable


def test_tokens_that_nobody_states_are_those_of_the_events_and_zero_is_zero() -> None:
    assert read(*OPENING, event("completed", response={"status": "completed"})).stated_tokens is None
    zero = event("completed", response=ended("completed", usage={"output_tokens": 0}))
    assert read(*OPENING, zero).stated_tokens == 0
