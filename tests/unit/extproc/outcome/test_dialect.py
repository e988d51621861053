import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.outcome.dialect import DIALECTS, AnyReader
from extproc.outcome.reader import Reader
from extproc.outcome.sse import SseEvent


def test_no_two_dialects_claim_one_document() -> None:
    documents: list[dict[str, object]] = [
        {"object": "chat.completion.chunk", "choices": []},
        {"object": "text_completion", "choices": []},
        {"object": "response", "status": "completed", "output": []},
        {"type": "response.created", "response": {"object": "response"}},
        {"object": "list", "data": [{"object": "embedding", "embedding": [0.1]}]},
        {"object": "list", "data": [], "usage": {}},
        {"model_name": "m", "outputs": []},
        {"model_name": "m", "text_output": ""},
        {"type": "message_start", "message": {}},
        {"type": "message", "content": []},
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


# Fields and words of all dialects, put together as no server would.
FIELD_NAMES = (
    "object type choices data usage outputs text_output model_name response item delta content index error status "
    "output incomplete_details reason message content_block stop_reason function_call tool_calls text arguments "
    "completion_tokens output_tokens finish_reason partial_json output_index embedding refusal"
)
KIND_NAMES = (
    "response list message embedding completed incomplete failed response.completed response.output_item.added "
    "response.output_text.delta content_block_start content_block_delta message_delta function_call tool_use"
)
FIELDS, WORDS = FIELD_NAMES.split(), KIND_NAMES.split()
LEAVES = st.none() | st.booleans() | st.integers(-2, 1 << 40) | st.floats() | st.sampled_from(["", "x", *WORDS])
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.sampled_from(FIELDS), OBJECTS, max_size=8)


@settings(deadline=None, max_examples=150)
@given(st.lists(DOCUMENTS, max_size=4), st.sampled_from(DIALECTS))
def test_no_document_however_strange_breaks_a_reader(documents: list[dict[str, object]], dialect: type[Reader]) -> None:
    reader, alone = AnyReader(), dialect()
    for document in documents:
        assert reader.document(json.dumps(document).encode())
        assert isinstance(dialect.claims(document), bool)
        alone.read(document)
    for each in (reader, alone):
        assert each.finish_reason is None or isinstance(each.finish_reason, str)
        assert isinstance(each.has_content, bool)
        assert each.choices >= 0
