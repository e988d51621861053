import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.outcome.session import BODY_BYTES_MAX, ResponseSession

DELTAS = [
    {"delta": {"role": "assistant", "content": None}, "finish_reason": None},
    {"delta": {"content": "Rouge, vert, bleu é"}, "finish_reason": None},
    {"delta": {}, "finish_reason": "stop"},
]
STREAM = b"".join(b"data: " + json.dumps({"choices": [{"index": 0, **d}]}).encode() + b"\r\n\r\n" for d in DELTAS)
STREAM += b"data: [DONE]\n\n"
GOOD = Observation(observable=True, complete=True, finish_reason="stop", has_content=True)


def session(content_type: bytes = b"text/event-stream", encoding: bytes = b"") -> ResponseSession:
    headers = {"content-type": content_type, "content-encoding": encoding}

    def lookup(name: str) -> Sequence[bytes]:
        value = headers.get(name, b"")
        return [value] if value else []

    return ResponseSession(lookup)


@settings(deadline=None)
@given(cuts=st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=30))
def test_every_chunking_of_a_stream_gives_the_same_observation(cuts: list[int]) -> None:
    places = sorted(set(cuts))
    watched = session(b"text/event-stream; charset=utf-8")
    for a, b in zip([0, *places], [*places, len(STREAM)], strict=True):
        watched.body(STREAM[a:b])
    assert watched.end(complete=True) == GOOD


def test_a_stream_that_ends_without_a_finish_says_so() -> None:
    watched = session()
    watched.body(STREAM[: STREAM.index(b'"stop"')])
    assert watched.end(complete=True) == Observation(observable=True, complete=True, has_content=True)


def test_a_stream_that_was_cut_off_is_not_complete() -> None:
    watched = session()
    watched.body(STREAM)
    assert watched.end(complete=False) == Observation(
        observable=True, complete=False, finish_reason="stop", has_content=True
    )


def test_a_json_body_is_read_at_its_end() -> None:
    body = b'{"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}'
    watched = session(b"application/json")
    watched.body(body[:20])
    watched.body(body[20:])
    assert watched.end(complete=True) == GOOD


@pytest.mark.parametrize("body", [b"", b'{"choices": [{"ind', b"<html>"])
def test_a_json_body_that_is_none_has_no_finish(body: bytes) -> None:
    watched = session(b"application/json")
    watched.body(body)
    assert watched.end(complete=True) == Observation(observable=True, complete=True)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity, gzip"])
def test_a_compressed_body_is_unobservable_not_bad(encoding: bytes) -> None:
    watched = session(encoding=encoding)
    assert not watched.is_observable
    watched.body(b"\x1f\x8b")
    assert watched.end(complete=True) == UNOBSERVABLE


def test_identity_is_no_compression() -> None:
    assert session(encoding=b"Identity").is_observable


@pytest.mark.parametrize("content_type", [b"", b"text/html", b"application/octet-stream"])
def test_another_content_type_is_unobservable(content_type: bytes) -> None:
    assert session(content_type).end(complete=True) == UNOBSERVABLE


def test_an_overlong_json_body_is_given_up() -> None:
    watched = session(b"application/json")
    watched.body(b"x" * (BODY_BYTES_MAX + 1))
    watched.body(b"more")
    assert watched.end(complete=True) == UNOBSERVABLE


def test_an_overlong_event_is_given_up() -> None:
    watched = session()
    watched.body(b"data: " + b"x" * BODY_BYTES_MAX)
    assert not watched.is_observable
    assert watched.end(complete=True) == UNOBSERVABLE


@settings(deadline=None)
@given(
    chunks=st.lists(st.binary(max_size=80)), content_type=st.sampled_from([b"text/event-stream", b"application/json"])
)
def test_no_bytes_make_it_raise(chunks: list[bytes], content_type: bytes) -> None:
    watched = session(content_type)
    for chunk in chunks:
        watched.body(chunk)
    assert isinstance(watched.end(complete=True), Observation)
