"""What servers say when a prompt is too long: bodies as each of them writes it."""

import gzip
import json
from collections.abc import Sequence

import pytest

from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.outcome.refused import BODY_BYTES_MAX, RefusalSession, is_too_long

OPENAI = {"error": {"message": "…", "type": "invalid_request_error", "code": "context_length_exceeded"}}
LLAMA_CPP = {
    "error": {
        "code": 400,
        "message": "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9412,
        "n_ctx": 8192,
    }
}
VLLM = {
    "error": {
        "message": "This model's maximum context length is 2048 tokens. However, your request has 3000 input tokens.",
        "type": "BadRequestError",
        "code": 400,
    }
}
VLLM_BEFORE = {"object": "error", "message": VLLM["error"]["message"], "type": "BadRequestError", "code": 400}
SGLANG = {
    "object": "error",
    "message": "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
}
TGI = {
    "error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
    "error_type": "validation",
}
ANTHROPIC = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "prompt is too long: 2001 tokens > 2000"},
}
TOO_LARGE = {"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}}
OTHER = {"error": {"message": "temperature must be at most 2", "type": "invalid_request_error", "code": None}}

TOO_LONG = Observation(observable=True, complete=True, finish_reason="context_too_long")


def session(content_type: bytes = b"application/json", encoding: bytes = b"") -> RefusalSession:
    headers = {"content-type": content_type, "content-encoding": encoding}

    def lookup(name: str) -> Sequence[bytes]:
        value = headers.get(name, b"")
        return [value] if value else []

    return RefusalSession(lookup)


def seen(body: bytes, *, encoding: bytes = b"", complete: bool = True) -> Observation:
    watched = session(encoding=encoding)
    for at in range(0, len(body), 7):
        watched.body(body[at : at + 7])
    return watched.end(complete=complete)


@pytest.mark.parametrize("refusal", [OPENAI, LLAMA_CPP, VLLM, VLLM_BEFORE, SGLANG, TGI, ANTHROPIC, TOO_LARGE])
def test_a_prompt_that_is_too_long_is_known_by_what_each_server_says(refusal: dict[str, object]) -> None:
    assert is_too_long(refusal)
    assert seen(json.dumps(refusal).encode()) == TOO_LONG
    assert seen(gzip.compress(json.dumps(refusal).encode()), encoding=b"gzip") == TOO_LONG


@pytest.mark.parametrize("refusal", [OTHER, {}, {"error": 5}, {"error": {"message": ["maximum context length"]}}])
def test_another_refusal_says_nothing_of_the_context(refusal: dict[str, object]) -> None:
    assert not is_too_long(refusal)
    assert seen(json.dumps(refusal).encode()) == Observation(observable=True, complete=True)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b"[" * 9_000])
def test_what_is_no_json_object_is_not_read(body: bytes) -> None:
    assert seen(body) == UNOBSERVABLE


def test_half_a_refusal_says_nothing() -> None:
    assert seen(json.dumps(OPENAI).encode(), complete=False) == UNOBSERVABLE


def test_a_refusal_over_the_bound_is_given_up_on() -> None:
    watched = session()
    watched.body(b" " * BODY_BYTES_MAX)
    assert watched.is_observable
    watched.body(b" ")
    assert not watched.is_observable
    assert watched.end(complete=True) == UNOBSERVABLE


def test_a_few_bytes_that_stand_for_many_are_given_up_on() -> None:
    watched = session(encoding=b"gzip")
    watched.body(gzip.compress(b" " * (1 << 20)))
    assert not watched.is_observable


@pytest.mark.parametrize(
    ("content_type", "encoding"), [(b"text/html", b""), (b"", b""), (b"application/json", b"zstd")]
)
def test_another_form_is_not_waited_for(content_type: bytes, encoding: bytes) -> None:
    assert not session(content_type, encoding).is_observable
