"""What a request asked for, of bodies in pieces, and of bodies that say nothing."""

import json

import pytest

from extproc.outcome.asked import REQUEST_BYTES_MAX, Asked, RequestBody


def asked(*chunks: bytes) -> Asked:
    body = RequestBody()
    for chunk in chunks:
        body.feed(chunk)
    return body.asked()


@pytest.mark.parametrize(
    ("request_", "schema"),
    [
        ({"response_format": {"type": "json_object"}}, True),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}},
            {"type": "object"},
        ),
        ({"text": {"format": {"type": "json_schema", "schema": {"minimum": 1}}}}, {"minimum": 1}),  # the responses API
    ],
)
def test_a_request_for_json_is_known_as_one_whatever_the_cutting(request_: object, schema: object) -> None:
    body = json.dumps(request_).encode()
    known = Asked(wants_json=True, schema=schema)
    assert asked(body) == asked(body[:7], body[7:]) == known


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"no json",
        b"[" * 20_000,
        b'{"response_format": {"type": "text"}}',
        b'{"response_format": "json_object"}',
        b'{"text": "json_object"}',
        b"\xff\xfe",
    ],
)
def test_other_requests_ask_for_nothing(body: bytes) -> None:
    assert asked(body) == Asked(wants_json=False)


def test_a_request_over_the_bound_is_not_read() -> None:
    padded = json.dumps({"response_format": {"type": "json_object"}, "pad": "x" * REQUEST_BYTES_MAX}).encode()
    assert asked(padded[:100], padded[100:]) == Asked(wants_json=False)
