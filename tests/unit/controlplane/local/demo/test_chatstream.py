"""A streamed answer is whole only with finish_reason and [DONE]; an error frame is a failure, whatever the status."""

import pytest

from controlplane.local.demo.chatstream import LINE_BYTES_MAX, ChatStream

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}\n\n'
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"Par"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"completion_tokens":1}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = ROLE + TOKEN + STOP + USAGE + DONE


def test_a_whole_answer_is_no_failure() -> None:
    stream = ChatStream()
    stream.feed(WHOLE)
    assert (stream.has_content, stream.finish_reason, stream.failure()) == (True, "stop", "")


@pytest.mark.parametrize("size", [1, 7, 64])
def test_pieces_of_any_size_read_the_same(size: int) -> None:
    stream = ChatStream()
    for at in range(0, len(WHOLE), size):
        stream.feed(WHOLE[at : at + size])
    assert (stream.finish_reason, stream.failure()) == ("stop", "")


def test_crlf_line_ends_read_the_same() -> None:
    stream = ChatStream()
    stream.feed(WHOLE.replace(b"\n", b"\r\n"))
    assert stream.failure() == ""


def test_the_first_content_is_no_role_frame() -> None:
    stream = ChatStream()
    assert [stream.feed(piece) for piece in (ROLE, TOKEN, TOKEN)] == [False, True, False]


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", "stream ended without finish_reason"),
        (ROLE + TOKEN, "stream ended without finish_reason"),
        (ROLE + TOKEN + STOP, "stream ended without [DONE]"),
        (ROLE + b"data: {broken\n\n", "error inside the stream: a frame that is no chat completion chunk"),
        (ROLE + b"data: [1]\n\n", "error inside the stream: a frame that is no chat completion chunk"),
        (ROLE + b'data: {"error":"no"}\n\n', "error inside the stream: unnamed"),
        (b"data: " + b"x" * LINE_BYTES_MAX, "error inside the stream: a line without end"),
    ],
)
def test_what_is_missing_is_named(body: bytes, failure: str) -> None:
    stream = ChatStream()
    stream.feed(body)
    assert stream.failure() == failure


def test_an_error_frame_counts_and_its_message_is_not_kept() -> None:
    """A server's message may quote the prompt."""
    stream = ChatStream()
    stream.feed(b'data: {"error":{"code":500,"message":"secret words","type":"server_error"}}\n\n' + STOP + DONE)
    assert stream.failure() == "error inside the stream: server_error 500"
    assert "secret" not in repr(stream)


def test_tokens_are_the_servers_own_count_where_it_gives_one() -> None:
    told = ChatStream()
    told.feed(ROLE + TOKEN + TOKEN + STOP + USAGE + DONE)
    assert told.tokens == 1
    untold = ChatStream()
    untold.feed(ROLE + TOKEN + TOKEN + STOP + DONE)
    assert untold.tokens == 2
