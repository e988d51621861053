"""What is seen of a body does not depend on how it was cut, when its pieces came, or how large it is."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.outcome.asked import NOTHING_ASKED, REQUEST_BYTES_MAX, RequestBody
from extproc.outcome.classify import METHOD_POST, Ending, classify
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.outcome.refused import RefusalSession
from extproc.outcome.session import BODY_BYTES_MAX, ResponseSession, watch
from extproc.outcome.sse import EVENT_BYTES_MAX
from tests.e2e.nasty_bodies import CASES, GOOD, JSON, SSE, Case, chunk, stream

SMALL = [case for case in CASES if len(case.body) < 2_000 and case.status in (200, 400)]
BY_NAME = pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)


def session(content_type: str = SSE, coding: str = "", status: int = 200) -> ResponseSession | RefusalSession:
    headers = {":status": str(status), "content-type": content_type, "content-encoding": coding}

    def lookup(name: str) -> Sequence[bytes]:
        value = headers.get(name, "").encode()
        return [value] if value else []

    watched = watch(lookup)
    assert watched is not None
    return watched


def seen(case: Case, *pieces: bytes) -> Observation:
    watched = session(case.content_type, case.coding, case.status)
    for piece in pieces:
        watched.body(piece, 5)
    return watched.end(complete=not case.is_cut)


@BY_NAME
def test_a_body_may_be_cut_at_every_byte(case: Case) -> None:
    whole, body = seen(case, case.body), case.body
    assert all(seen(case, body[:at], body[at:]) == whole for at in range(len(body)))
    assert seen(case, *(body[at : at + 1] for at in range(len(body)))) == whole


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SMALL), st.lists(st.integers(0, 2_000), max_size=20))
def test_a_body_may_be_cut_anywhere_and_pieces_may_be_empty(case: Case, cuts: list[int]) -> None:
    places = sorted(min(cut, len(case.body)) for cut in cuts)
    pieces = [case.body[a:b] for a, b in zip([0, *places], [*places, len(case.body)], strict=True)]
    assert seen(case, *pieces) == seen(case, case.body)


LONG = Case("long", CASES[0].expected, stream(*(chunk(f"word {n} ") for n in range(100)), chunk(finish="stop")))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, len(LONG.body)), max_size=12), st.booleans())
def test_what_is_put_by_is_read_before_the_end_whatever_the_end(cuts: list[int], is_cut: bool) -> None:
    """Events behind the first content are read some KB at a time."""
    case = replace(LONG, is_cut=is_cut)
    pieces = [case.body[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(case.body)], strict=True)]
    found = seen(case, *pieces)
    assert found == seen(case, case.body)
    assert (found.tokens_out, found.finish_reason) == (100, "stop")


@BY_NAME
def test_a_body_is_called_what_it_is(case: Case) -> None:
    ending = Ending(case.status, frozenset(), is_finished=not case.is_cut, method=METHOD_POST)
    assert classify(ending, seen(case, case.body)) is case.expected


def test_a_pause_of_15_s_is_in_the_pace_and_not_in_the_time_to_the_first_token() -> None:
    watched = session()
    for piece, at_s in ((chunk(""), 1), (chunk("a"), 2), (chunk("b"), 17), (chunk("c", "stop"), 18)):
        watched.body(b"data: " + piece.encode() + b"\n\n", at_s * 1_000_000)
    found = watched.end(complete=True)
    ttft_us, measures = found.sizes(0, 1_000_000, 18_000_000)
    assert (ttft_us, dict(measures)["tpot"], dict(measures)["tokens_out"]) == (2_000_000, 8_000_000, 3)


def test_a_server_that_dies_or_a_client_that_leaves_in_mid_stream_leaves_what_was_seen() -> None:
    watched = session()
    watched.body(GOOD[: len(GOOD) // 2], 7)
    found = watched.end(complete=False)
    assert (found.complete, found.has_content, found.finish_reason, found.content_us) == (False, True, None, 7)
    assert found.measures(5_000) == ()


def test_a_line_of_10_mb_is_given_up_on_with_next_to_no_memory() -> None:
    watched = session()
    watched.body(b"data: ")
    for _ in range(160):
        watched.body(b"x" * 65_536)
    assert not watched.is_observable
    assert watched.end(complete=True) == UNOBSERVABLE


@pytest.mark.parametrize(("text_bytes", "is_read"), [(BODY_BYTES_MAX - 1_000, True), (BODY_BYTES_MAX, False)])
def test_an_answer_of_1_mb_is_read_and_a_longer_one_given_up_on(text_bytes: int, is_read: bool) -> None:
    watched = session(JSON)
    body = json.dumps({"choices": [{"text": "a" * text_bytes, "finish_reason": "stop"}]}).encode()
    for at in range(0, len(body), 65_536):
        watched.body(body[at : at + 65_536])
    assert watched.end(complete=True).observable is is_read


def test_the_longest_event_of_a_stream_is_read_and_a_longer_one_is_not() -> None:
    for more, is_read in ((-200, True), (1, False)):
        watched = session()
        watched.body(stream(chunk("a" * (EVENT_BYTES_MAX + more)), chunk(finish="stop")))
        assert watched.end(complete=True).observable is is_read


def test_a_prompt_of_128k_tokens_asks_for_nothing_and_keeps_nothing() -> None:
    asked = RequestBody()
    body = json.dumps(
        {"messages": [{"content": "word " * 128_000}], "response_format": {"type": "json_object"}}
    ).encode()
    assert len(body) > REQUEST_BYTES_MAX
    for at in range(0, len(body), 65_536):
        asked.feed(body[at : at + 65_536])
    assert asked.asked() is NOTHING_ASKED


@pytest.mark.parametrize(
    ("usage", "tokens"), [(None, 2), ({}, 2), ({"completion_tokens": 0}, 0), ({"completion_tokens": None}, 2)]
)
def test_usage_that_is_absent_is_not_zero(usage: object, tokens: int) -> None:
    watched = session()
    watched.body(stream(chunk("a"), chunk("b", "stop"), json.dumps({"choices": [], "usage": usage})))
    assert watched.end(complete=True).tokens_out == tokens


def test_a_whole_answer_without_usage_says_nothing_of_its_tokens() -> None:
    for usage, tokens in ((None, None), ({"completion_tokens": 0}, 0)):
        watched = session(JSON)
        choices = [{"text": "hi", "finish_reason": "stop"}]
        watched.body(json.dumps({"choices": choices, "usage": usage}).encode())
        assert watched.end(complete=True).tokens_out == tokens
