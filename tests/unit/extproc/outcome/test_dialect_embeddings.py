import json

import pytest

from extproc.outcome.dialect import AnyReader

USAGE = {"prompt_tokens": 3, "total_tokens": 3}


def whole(data: object, **more: object) -> AnyReader:
    reader = AnyReader()
    assert reader.document(json.dumps({"object": "list", "data": data, "model": "m", **more}).encode())
    return reader


def item(embedding: object) -> dict[str, object]:
    return {"object": "embedding", "index": 0, "embedding": embedding}


@pytest.mark.parametrize("embedding", [[0.1, -0.2], "zczMPQ=="])
def test_vectors_are_content_without_a_finish_and_without_tokens(embedding: object) -> None:
    reader = whole([item(embedding)], usage=USAGE)
    assert (reader.is_readable, reader.has_content, reader.finish_reason) == (True, True, "")
    assert (reader.choices, reader.content_events, reader.stated_tokens) == (0, 0, None)
    assert (reader.prompt_tokens, whole([item(embedding)]).prompt_tokens) == (3, None)


@pytest.mark.parametrize("data", [[], [item([])], [item([0.1]), item([])], [item([0.1]), 5]])
def test_a_missing_or_empty_vector_is_an_empty_answer(data: object) -> None:
    reader = whole(data, usage=USAGE)
    assert (reader.is_readable, reader.has_content, reader.finish_reason) == (True, False, "")


@pytest.mark.parametrize("data", [[{"object": "model", "id": "m"}], [5], [], "text"])
def test_lists_of_other_things_are_another_api(data: object) -> None:
    assert not whole(data).is_readable


def test_an_error_is_an_error() -> None:
    assert whole([item([0.1])], usage=USAGE, error={"message": "boom"}).error_frame
