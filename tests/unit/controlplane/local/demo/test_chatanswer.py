"""An answer in one piece is whole only with a choice, a finish_reason and content."""

import json

import pytest

from controlplane.local.demo.chatanswer import BYTES_MAX, ChatAnswer

WHOLE = {
    "choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"completion_tokens": 7},
}


def read(body: bytes) -> tuple[str, ChatAnswer]:
    answer = ChatAnswer()
    for at in range(0, len(body), 5):
        assert not answer.feed(body[at : at + 5])
    return answer.failure(), answer


def test_a_whole_answer_is_no_failure() -> None:
    failure, answer = read(json.dumps(WHOLE).encode())
    assert (failure, answer.finish_reason, answer.tokens) == ("", "stop", 7)


def test_a_tool_call_is_content() -> None:
    called = {"choices": [{"message": {"content": None, "tool_calls": [{}]}, "finish_reason": "tool_calls"}]}
    failure, answer = read(json.dumps(called).encode())
    assert (failure, answer.tokens) == ("", 0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "an answer that is no chat completion"),
        (b"[]", "an answer that is no chat completion"),
        (b'{"choices": []}', "an answer that is no chat completion"),
        (b'{"error": {"message": "no"}}', "an answer that is no chat completion"),
        (b'{"choices": [{"message": {"content": "a"}}]}', "answer without finish_reason"),
        (b'{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}', "empty answer"),
        (b"\xff", "an answer that is no chat completion"),
    ],
)
def test_what_is_not_whole_says_why(body: bytes, expected: str) -> None:
    assert read(body)[0] == expected


def test_an_answer_without_end_is_not_kept() -> None:
    answer = ChatAnswer()
    answer.feed(bytes(BYTES_MAX))
    answer.feed(b"x")
    assert answer.failure() == "an answer without end"
