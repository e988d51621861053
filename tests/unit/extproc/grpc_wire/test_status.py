from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.grpc_wire.status import (
    MESSAGE_BYTES_MAX,
    REFUSAL_BODY,
    Status,
    http_refusal,
    percent_encoded,
    trailers,
    trailers_only,
)

POST = b"POST"


def test_trailers_carry_the_status_and_a_message_if_there_is_one() -> None:
    assert trailers(Status.OK) == [(b"grpc-status", b"0")]
    assert trailers(Status.INTERNAL, "50 % näh\n") == [
        (b"grpc-status", b"13"),
        (b"grpc-message", b"50 %25 n%C3%A4h%0A"),
    ]


def test_an_answer_without_messages_is_one_block() -> None:
    assert trailers_only(Status.RESOURCE_EXHAUSTED, "full") == [
        (b":status", b"200"),
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"8"),
        (b"grpc-message", b"full"),
    ]


def test_what_is_unimplemented_comes_with_what_is_taken() -> None:
    assert (b"grpc-accept-encoding", b"identity") in trailers_only(Status.UNIMPLEMENTED)


@given(st.text(max_size=100))
def test_a_message_survives_its_encoding(message: str) -> None:
    coded = percent_encoded(message)
    assert all(0x20 <= byte <= 0x7E for byte in coded)
    assert unquote(coded.decode("ascii")) == message


def test_a_long_message_is_cut() -> None:
    assert len(percent_encoded("x" * 10_000)) == MESSAGE_BYTES_MAX


@pytest.mark.parametrize(
    "content_type", [b"application/grpc", b"application/grpc+proto", b"Application/GRPC", b"application/grpc; a=b"]
)
def test_a_call_is_a_post_of_grpc(content_type: bytes) -> None:
    assert http_refusal(POST, content_type) is None


@pytest.mark.parametrize("content_type", [b"", b"application/json", b"application/grpc-web", b"text/application/grpc"])
def test_another_content_type_is_no_call(content_type: bytes) -> None:
    assert (http_refusal(POST, content_type) or [])[0] == (b":status", b"415")


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"CONNECT", b"post"])
def test_another_method_is_no_call(method: bytes) -> None:
    assert http_refusal(method, b"application/grpc") == [
        (b":status", b"405"),
        (b"allow", b"POST"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(REFUSAL_BODY)),
    ]
