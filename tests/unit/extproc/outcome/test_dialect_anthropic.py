import json

import pytest

from extproc.outcome.dialect import AnyReader
from extproc.outcome.sse import SseEvent


def event(kind: str, **more: object) -> SseEvent:
    return SseEvent(json.dumps({"type": kind, **more}).encode(), kind.encode())


def delta(index: int = 0, **more: object) -> SseEvent:
    return event("content_block_delta", index=index, delta=more)


def read(*events: SseEvent) -> AnyReader:
    reader = AnyReader()
    for each in events:
        reader.event(each)
    return reader


START = event("message_start", message={"content": [], "usage": {"input_tokens": 5, "output_tokens": 1}})


def ended(reason: str, tokens: int = 2) -> SseEvent:
    return event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": tokens})


def test_a_whole_stream() -> None:
    reader = read(
        START,
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        delta(type="text_delta", text="Red"),
        delta(type="text_delta", text=" green"),
        event("content_block_stop", index=0),
        ended("end_turn"),
        event("message_stop"),
    )
    assert (reader.finish_reason, reader.has_content, reader.content_events) == ("end_turn", True, 2)
    assert (reader.stated_tokens, reader.choices, reader.is_readable) == (2, 1, True)


def test_a_prompts_tokens_are_all_of_them_and_those_of_the_cache_are_told() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 1}
    reader = read(event("message_start", message={"usage": usage}), ended("end_turn"))
    assert (reader.prompt_tokens, reader.cached_tokens, reader.stated_tokens) == (125, 100, 2)
    plain = read(START, ended("end_turn"))
    assert (plain.prompt_tokens, plain.cached_tokens) == (5, None)
    assert read(ended("end_turn")).prompt_tokens is None


def test_a_stream_without_its_end_has_no_finish() -> None:
    assert read(START, delta(type="text_delta", text="Red")).finish_reason is None


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_a_limit_is_called_length(reason: str) -> None:
    assert read(START, ended(reason)).finish_reason == "length"


def test_thinking_alone_is_no_content() -> None:
    begun = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    assert not read(START, begun, delta(type="thinking_delta", thinking="hmm"), ended("end_turn")).has_content


def test_inputs_of_tools_are_put_together_by_their_block() -> None:
    use = event("content_block_start", index=1, content_block={"type": "tool_use", "name": "f", "input": {}})
    reader = read(START, use, delta(1, partial_json='{"a"'), delta(1, partial_json=": 1}"), ended("tool_use"))
    assert (reader.has_content, reader.said.measures(is_cut=False)) == (True, (("invalid_tool_call", 0),))


def test_a_refusal_is_the_servers_own_word() -> None:
    assert read(START, ended("refusal")).said.measures(is_cut=False) == (("refusal", 100),)


def test_an_error_event_is_an_error() -> None:
    assert read(START, event("error", error={"type": "overloaded_error"})).error_frame


def test_a_whole_message() -> None:
    content = [{"type": "text", "text": "hi"}, {"type": "tool_use", "name": "f", "input": {"a": 1}}]
    message = {"type": "message", "content": content, "stop_reason": "tool_use", "usage": {"output_tokens": 9}}
    reader = AnyReader()
    assert reader.document(json.dumps(message).encode())
    assert (reader.finish_reason, reader.has_content, reader.stated_tokens) == ("tool_use", True, 9)
    assert dict(reader.said.measures(is_cut=False))["invalid_tool_call"] == 0
