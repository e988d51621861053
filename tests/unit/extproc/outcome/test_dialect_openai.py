import json

import pytest

from extproc.outcome.dialect import AnyReader
from extproc.outcome.dialect_openai import CHOICES_MAX, OpenAiReader
from extproc.outcome.reader import REASON_CHARS_MAX
from extproc.outcome.sse import SseEvent


def chunk(delta: dict[str, object] | None = None, finish: str | None = None, index: int = 0) -> bytes:
    return json.dumps({"choices": [{"index": index, "delta": delta or {}, "finish_reason": finish}]}).encode()


def reading() -> AnyReader:
    return AnyReader(dialects=(OpenAiReader,))


def read(*documents: bytes) -> AnyReader:
    reader = reading()
    for data in documents:
        reader.event(SseEvent(data))
    return reader


def test_a_whole_stream() -> None:
    reader = read(
        chunk({"role": "assistant", "content": None}),
        chunk({"content": "Red"}),
        chunk(finish="stop"),
        b'{"choices": [], "usage": {"completion_tokens": 1}}',
        b"[DONE]",
    )
    assert (reader.finish_reason, reader.has_content, reader.error_frame, reader.is_readable) == (
        "stop",
        True,
        False,
        True,
    )


def test_a_role_alone_is_no_content() -> None:
    assert not read(
        chunk({"role": "assistant", "content": None}), chunk({"content": ""}), chunk(finish="stop")
    ).has_content


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a"},
        {"refusal": "I cannot"},
        {"tool_calls": [{"index": 0, "function": {"name": "f"}}]},
        {"function_call": {"name": "f"}},
    ],
)
def test_text_refusals_and_tool_calls_are_content(delta: dict[str, object]) -> None:
    assert read(chunk(delta)).has_content


def test_reasoning_alone_is_no_content() -> None:
    assert not read(chunk({"reasoning_content": "hmm"}), chunk(finish="length")).has_content


def test_a_text_completion_counts_its_text() -> None:
    reader = read(b'{"choices": [{"index": 0, "text": "a", "finish_reason": "length"}]}')
    assert (reader.has_content, reader.finish_reason) == (True, "length")


def test_a_whole_chat_response() -> None:
    reader = reading()
    assert reader.document(b'{"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}')
    assert (reader.has_content, reader.finish_reason) == (True, "stop")


def test_a_stream_with_two_choices_is_finished_when_both_are() -> None:
    assert read(chunk({"content": "a"}), chunk(index=1), chunk(finish="stop")).finish_reason is None
    assert read(chunk(finish="stop"), chunk(index=1, finish="length")).finish_reason == "length"


@pytest.mark.parametrize("data", [b'{"error": {"message": "boom"}}', b'{"error": "boom", "choices": []}'])
def test_an_error_object_is_an_error_frame(data: bytes) -> None:
    assert read(chunk({"content": "a"}), data).error_frame


def test_an_event_of_type_error_is_an_error_frame_whatever_it_says() -> None:
    reader = reading()
    reader.event(SseEvent(b"not json", b"error"))
    assert reader.error_frame


def test_a_null_error_is_none() -> None:
    assert not read(b'{"error": null, "choices": []}').error_frame


def test_other_apis_are_not_judged() -> None:
    assert not read(b'{"object": "list", "data": []}').is_readable
    assert not read(b'{"type": "response.created"}', b"[DONE]").is_readable


def test_nothing_at_all_may_have_been_a_generation() -> None:
    assert read().is_readable
    assert read(b"[DONE]").is_readable


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"1", b'{"choices": [1, null, {}]}'])
def test_garbage_is_skipped(data: bytes) -> None:
    reader = read(data)
    assert reader.finish_reason is None
    assert not reader.has_content


@pytest.mark.parametrize("index", ["0", None, 1.5])
def test_choices_without_a_number_cannot_be_told_apart(index: object) -> None:
    data = json.dumps({"choices": [{"index": index, "finish_reason": "stop"}]}).encode()
    assert not read(data).is_readable


def test_the_number_of_choices_is_bounded() -> None:
    assert read(*(chunk(index=n) for n in range(CHOICES_MAX))).is_readable
    assert not read(*(chunk(index=n) for n in range(CHOICES_MAX + 1))).is_readable


def test_a_reason_is_kept_to_its_limit() -> None:
    assert read(chunk({"content": "hi"}, finish="x" * 100_000)).finish_reason == "x" * REASON_CHARS_MAX


def test_what_the_first_choice_says_is_judged_and_calls_are_put_together_by_their_index() -> None:
    def call(arguments: str, **more: object) -> bytes:
        return chunk({"tool_calls": [{"index": 1, "function": {"arguments": arguments}, **more}]})

    reader = read(chunk({"content": "<|im_"}), chunk({"content": "end|>"}), chunk({"content": "fine"}, index=1))
    assert dict(reader.said.measures(is_cut=False))["control_tokens"] == 100
    calling = read(call("", id="c"), call('{"a"'), call(": 1}"), chunk({"function_call": {"arguments": "{"}}))
    assert calling.said.measures(is_cut=False) == (("invalid_tool_call", 50),)
    declined = read(chunk({"refusal": "No."}))
    assert declined.said.measures(is_cut=False) == (("refusal", 100),)


@pytest.mark.parametrize("calls", [5, [5], [{"function": 5}], [{"index": "x", "function": {"arguments": 5}}]])
def test_calls_of_another_form_break_nothing(calls: object) -> None:
    assert read(chunk({"tool_calls": calls})).has_content
