import pytest

from extproc.outcome.dialect import DIALECTS, AnyReader
from extproc.outcome.sse import SseEvent


def test_no_two_dialects_claim_one_document() -> None:
    documents: list[dict[str, object]] = [
        {"object": "chat.completion.chunk", "choices": []},
        {"object": "text_completion", "choices": []},
    ]
    for document in documents:
        assert sum(dialect.claims(document) for dialect in DIALECTS) == 1, document


@pytest.mark.parametrize("document", [{}, {"object": "list"}, {"object": "model", "id": "m"}, {"data": 5}, {"a": []}])
def test_what_nobody_claims_is_not_judged(document: dict[str, object]) -> None:
    assert not any(dialect.claims(document) for dialect in DIALECTS)


def test_the_first_document_that_is_claimed_decides_and_what_comes_before_it_is_skipped() -> None:
    reader = AnyReader()
    assert reader.document(b'{"hello": 1}')
    assert not reader.is_readable
    assert reader.document(b'{"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]}')
    assert (reader.is_readable, reader.finish_reason, reader.choices, reader.content_events) == (True, "stop", 1, 1)


def test_nothing_read_yet_is_nothing_seen() -> None:
    reader = AnyReader()
    assert (reader.finish_reason, reader.choices, reader.content_events, reader.stated_tokens) == (None, 0, 0, None)
    assert not reader.has_content
    assert not reader.error_frame


def test_an_error_of_no_known_api_is_an_error_all_the_same() -> None:
    reader = AnyReader()
    reader.event(SseEvent(b'{"error": "boom"}'))
    assert (reader.error_frame, reader.is_readable) == (True, True)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_no_document(data: bytes) -> None:
    assert not AnyReader().document(data)
