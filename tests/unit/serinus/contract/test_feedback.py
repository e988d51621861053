"""The id of a request in its answer, and what may be said of the request later."""

import itertools
import math

import pytest

from serinus.contract.bucket import key_hash
from serinus.contract.feedback import (
    AGE_S_MAX,
    STAMP_CHARS,
    Said,
    Stamper,
    checked,
    cohort_code,
    is_ahead,
    is_too_old,
    request_of,
    said_of,
    service_code,
)

KEY, OTHER_KEY = b"k" * 32, b"j" * 32
START_S = 1_790_000_000
ROUTE = ".0123456789abcdef.v2"


def an_id(start_s: int = START_S, key: int = 12_345, cohort: str = "everyone", number: int = 7) -> str:
    return Stamper(KEY, "chat", cohort, itertools.count(number)).stamp(start_s, key).decode() + ROUTE


def test_an_id_says_what_its_request_was() -> None:
    key = key_hash("chat-v2", b"ada")
    found = request_of(KEY, an_id(key=key, cohort="eu"))
    assert found is not None
    assert (found.start_s, found.key, found.snapshot, found.version) == (START_S, key, "0123456789abcdef", "v2")
    assert (found.service, found.cohort) == (service_code("chat"), cohort_code("eu"))


def test_a_stamp_has_one_length_and_no_padding() -> None:
    stamper = Stamper(KEY, "chat", "everyone", itertools.count(0))
    assert {len(stamper.stamp(START_S, key)) for key in (0, 1, (1 << 64) - 1)} == {STAMP_CHARS}


def test_requests_that_are_alike_in_all_else_differ_by_their_number() -> None:
    stamper = Stamper(KEY, "chat", "everyone", itertools.count((1 << 48) - 1))
    found = [request_of(KEY, stamper.stamp(START_S, 5).decode() + ROUTE) for _ in range(3)]
    assert len({one.request for one in found if one}) == 3


def test_no_byte_of_a_stamp_can_be_changed() -> None:
    whole = an_id()
    for at in range(STAMP_CHARS):
        forged = whole[:at] + ("A" if whole[at] != "A" else "B") + whole[at + 1 :]
        assert request_of(KEY, forged) is None, at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4e7a5f0e-0b7a-9d3c-8a52-7d1f2b1c9e44",  # what an untagged request gets: Envoy's own id
        "4e7a5f0e-0b7a-9d3c-8a52-7d1f2b1c9e44.0123456789abcdef.v2",
        an_id() + ".more",
        an_id().replace("v2", "é"),
        an_id() + "x" * 200,
        "=" * STAMP_CHARS + ROUTE,
    ],
)
def test_whatever_is_no_id_is_unknown(text: str) -> None:
    assert request_of(KEY, text) is None


def test_an_id_of_another_installation_is_unknown() -> None:
    assert request_of(OTHER_KEY, an_id()) is None
    assert request_of(b"", an_id()) is None


def test_an_id_lives_for_thirty_days() -> None:
    assert not is_too_old(START_S, START_S + AGE_S_MAX)
    assert is_too_old(START_S, START_S + AGE_S_MAX + 1)
    assert is_ahead(START_S, START_S - 61)
    assert not is_ahead(START_S, START_S - 60)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"score": 0.25}, Said(score=0.25)),
        ({"score": 1}, Said(score=1.0)),
        ({"thumb": "up"}, Said(score=1.0)),
        ({"thumb": "down"}, Said(score=0.0)),
        ({"label": {"predicted": True, "actual": False}}, Said(predicted=True, actual=False)),
        ({"label": {"actual": True, "margin": 2.5}}, Said(actual=True, margin=2.5)),
        ({"event": "clicked", "score": 0.5}, Said(score=0.5, event="clicked")),
        ({"metric": "helpfulness", "score": 0.5}, Said(score=0.5, metric="helpfulness")),
    ],
)
def test_what_may_be_said(fields: dict[str, object], said: Said) -> None:
    assert said_of(fields) == said == checked(said)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "nothing is said"),
        ({"score": math.nan}, "no finite number"),
        ({"score": 2.0}, "outside 0..1"),
        ({"score": -0.1}, "outside 0..1"),
        ({"score": 10**400}, "no finite number"),
        ({"score": True}, "no number"),
        ({"score": "0.5"}, "no number"),
        ({"score": 0.5, "thumb": "up"}, "two words for one thing"),
        ({"thumb": "sideways"}, "up or down"),
        ({"label": True}, "label is an object"),
        ({"label": {"predicted": True}}, "needs actual"),
        ({"label": {"actual": True}}, "needs predicted"),
        ({"label": {"actual": "yes", "predicted": True}}, "true or false"),
        ({"label": {"actual": True, "margin": math.inf}}, "no finite number"),
        ({"label": {"actual": True, "sure": 1}}, "'sure'"),
        ({"event": "Clicked!"}, "event is a name"),
        ({"event": 3}, "event is a name"),
        ({"metric": "helpfulness", "event": "clicked"}, "metric is the name of a score"),
        ({"metric": "Very good", "score": 1}, "metric is a name"),
        ({"stars": 5}, "unknown field 'stars'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        said_of(fields)


@pytest.mark.parametrize("said", [Said(), Said(score=math.nan), Said(predicted=True), Said(event="No")])
def test_what_came_over_the_wire_is_held_to_the_same(said: Said) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        checked(said)
