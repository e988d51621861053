"""Badness by signal of what an answer said, and what is left unsaid."""

import pytest

from extproc.outcome.asked import Asked
from extproc.outcome.rated import ANSWER_CHARS_MAX
from extproc.outcome.said import CALLS_MAX, DOCUMENT_CHARS_MAX, Said

TEXT_SIGNALS = ("repetition", "mixed_script", "control_tokens", "refusal", "script")


def said(
    *pieces: str, wants_json: bool = False, schema: object = True, calls: tuple[tuple[int, str], ...] = ()
) -> Said:
    answer = Said(Asked(wants_json=wants_json, schema=schema))
    for piece in pieces:
        answer.text(piece)
    for index, arguments in calls:
        answer.call(index, arguments)
    return answer


def test_a_text_has_the_four_signals_of_text() -> None:
    looping = said("<|im_", "end|> no " + "no " * 9).measures(is_cut=False)
    assert [metric for metric, _ in looping] == list(TEXT_SIGNALS)
    assert dict(looping)["control_tokens"] == 100
    assert dict(looping)["repetition"] > 50


def test_an_answer_without_text_has_none() -> None:
    assert said().measures(is_cut=False) == ()
    assert said(wants_json=True).measures(is_cut=True) == ()


def test_only_the_beginning_of_a_text_is_looked_at() -> None:
    late = said("word " * 1_000, "<|im_end|>").measures(is_cut=False)
    assert dict(late)["control_tokens"] == 0


def test_a_refusal_that_the_server_states_counts_without_text() -> None:
    answer = said(wants_json=True)
    answer.has_refused = True
    assert answer.measures(is_cut=False) == (("refusal", 100),)


@pytest.mark.parametrize(
    ("pieces", "badness"),
    [
        (('{"a": ', "1}"), 0),
        ((" {} ",), 0),
        (("```json\n{}\n```",), 100),  # what instruct models write when nothing holds them to the format
        (("[]",), 100),
        (('{"a": 1',), 100),
        (("[" * 20_000,), 100),
        (("Sure!",), 100),
    ],
)
def test_an_answer_that_had_to_be_json_is_one_object_or_bad(pieces: tuple[str, ...], badness: int) -> None:
    assert dict(said(*pieces, wants_json=True).measures(is_cut=False))["invalid_json"] == badness
    assert "invalid_json" not in dict(said(*pieces).measures(is_cut=False))


@pytest.mark.parametrize(("schema", "badness"), [({"required": ["a"]}, 0), ({"required": ["b"]}, 100), (5, 0)])
def test_json_keeps_the_schema_that_was_asked_for(schema: object, badness: int) -> None:
    answer = said('{"a": 1}', wants_json=True, schema=schema)
    assert dict(answer.measures(is_cut=False))["invalid_json"] == badness


def test_an_answer_that_was_cut_by_its_limit_is_no_bad_json() -> None:
    assert "invalid_json" not in dict(said('{"a": 1', wants_json=True).measures(is_cut=True))


def test_an_answer_of_nothing_where_json_was_asked_for_is_bad() -> None:
    assert said(wants_json=True).measures(is_cut=False) == (("invalid_json", 100),)


def test_calls_of_tools_have_objects_as_arguments_and_take_the_place_of_json() -> None:
    calls = ((0, '{"a":'), (1, "{}"), (0, " 1}"), (2, "{'a': 1}"), (3, ""))
    assert said(wants_json=True, calls=calls).measures(is_cut=False) == (("invalid_tool_call", 25),)


def test_what_is_over_the_bounds_is_not_judged() -> None:
    many = said(calls=tuple((index, "{") for index in range(CALLS_MAX + 1)))
    long = said("x" * DOCUMENT_CHARS_MAX, "x", wants_json=True)
    assert many.measures(is_cut=False) == ()
    assert [metric for metric, _ in long.measures(is_cut=False)] == list(TEXT_SIGNALS)


def test_an_answer_is_kept_whole_only_for_an_evaluator_and_within_the_bound() -> None:
    kept = Said(keeps_answer=True)
    kept.text("a" * 3_000)
    kept.text("b")
    assert kept.answer == "a" * 3_000 + "b"
    kept.text("c" * ANSWER_CHARS_MAX)
    assert kept.answer is None
    assert said("text").answer is None
    assert Said(keeps_answer=True).answer is None
