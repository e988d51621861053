"""Cohorts: every form reads as the contract's condition, and what cannot be is refused with words."""

from typing import Any

import pytest
from pydantic import ValidationError

from controlplane.manifest.cohort import Cohort, CohortMatch
from serinus.contract.condition import (
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
)

A = {"header": {"name": "X-A", "exact": "1"}}
A_TEST = TextTest(Source.HEADER, "x-a", Op.EXACT, ("1",))


def condition(match: object) -> Condition:
    cohort = Cohort.model_validate({"name": "c", "match": match, "pin": "candidate"})
    return cohort.condition("chat")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (A, A_TEST),
        ({"header": {"name": "x", "prefix": "p"}}, TextTest(Source.HEADER, "x", Op.PREFIX, ("p",))),
        ({"header": {"name": "x", "suffix": "s"}}, TextTest(Source.HEADER, "x", Op.SUFFIX, ("s",))),
        ({"header": {"name": "x", "in": ["a", "b"]}}, TextTest(Source.HEADER, "x", Op.IN, ("a", "b"))),
        ({"header": {"name": "x", "present": True}}, TextTest(Source.HEADER, "x", Op.PRESENT)),
        ({"cookie": {"name": "Plan", "regex": "g.*"}}, TextTest(Source.COOKIE, "Plan", Op.REGEX, ("g.*",))),
        ({"query": {"name": "q", "exact": ""}}, TextTest(Source.QUERY, "q", Op.EXACT, ("",))),
        ({"path": {"prefix": "/v1/"}}, TextTest(Source.PATH, "", Op.PREFIX, ("/v1/",))),
        ({"method": {"in": ["GET"]}}, TextTest(Source.METHOD, "", Op.IN, ("GET",))),
        ({"key": {"in_file": "gold.txt"}}, TextTest(Source.KEY, "", Op.IN_FILE, ("gold.txt",))),
        ({"key": {"modulo": {"of": 10, "is": [0, 5]}}}, ModuloTest(Source.KEY, "", 10, (0, 5))),
        ({"source": {"in": ["10.0.0.1", "2001:DB8::/32"]}}, AddressTest(("10.0.0.1/32", "2001:db8::/32"))),
        ({"share": {"of": "12.5%"}}, ShareTest(1_250, "cohort/chat/c")),
        ({"share": {"of": "1%", "salt": "beta"}}, ShareTest(100, "cohort/beta")),
        (
            {"time": {"after": "2026-03-01T08:00:00+01:00", "before": "2026-03-02T00:00:00Z"}},
            TimeTest(1_772_348_400, 1_772_409_600),
        ),
        (
            {"time": {"days": ["sun", "sat"], "from": "18:00", "until": "08:30"}},
            TimeTest(None, None, (5, 6), 1_080, 510),
        ),
        ({"all": [A, {"not": A}]}, AllOf((A_TEST, Not(A_TEST)))),
        ({"any": [A, {"all": [A]}]}, AnyOf((A_TEST, AllOf((A_TEST,))))),
    ],
    ids=str,
)
def test_a_match_is_read_as_a_condition(match: object, expected: Condition) -> None:
    assert condition(match) == expected


def _nested(depth: int) -> dict[str, Any]:
    return A if depth == 1 else {"not": _nested(depth - 1)}


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({}, "exactly one of header, cookie"),
        ({**A, "method": {"exact": "GET"}}, "exactly one of header, cookie"),
        ({"header": {"name": "x"}}, "exactly one of exact, prefix, suffix"),
        ({"header": {"name": "x", "exact": "a", "prefix": "b"}}, "exactly one of exact, prefix, suffix"),
        ({"header": {"name": "x", "present": False}}, "Input should be True"),
        ({"header": {"name": "x", "exact": "\ud800"}}, "half of a surrogate pair"),
        ({"header": {"name": "x", "in": []}}, "at least 1 item"),
        ({"header": {"name": "x", "regex": "(a"}}, "missing \\): .*RE2 syntax"),
        ({"header": {"name": "x", "regex": r"(a)\1"}}, "invalid escape sequence"),
        ({"header": {"name": "x", "regex": "(?=a)"}}, "invalid perl operator"),
        ({"header": {"name": "x", "regex": "(((a{99}){99}){9})"}}, "RE2 syntax"),
        ({"key": {"in_file": "../etc/passwd"}}, "should match pattern"),
        ({"key": {"in_file": ".hidden"}}, "should match pattern"),
        ({"key": {"modulo": {"of": 10, "is": [10]}}}, "remainders from 0 to 9"),
        ({"key": {"modulo": {"of": 1, "is": [0]}}}, "greater than or equal to 2"),
        ({"source": {"in": ["10.0.0.1/8"]}}, "has host bits set; write an address or a network"),
        ({"source": {"in": ["example.com"]}}, "write an address or a network"),
        ({"time": {}}, "needs after, before, days"),
        ({"time": {"from": "18:00"}}, "belong together"),
        ({"time": {"from": "18:00", "until": "18:00"}}, "the same minute"),
        ({"time": {"from": "24:00", "until": "18:00"}}, "should match pattern"),
        ({"time": {"after": "2026-03-01T08:00:00"}}, "not a moment with its offset"),
        ({"time": {"after": "tomorrow"}}, "not a moment with its offset"),
        ({"time": {"after": "2026-03-02T00:00:00Z", "before": "2026-03-01T00:00:00Z"}}, "nobody would ever match"),
        ({"time": {"days": ["monday"]}}, "'mon', 'tue'"),
        ({"share": {"of": "101%"}}, "more than 100%"),
        ({"share": {"of": "1%", "salt": "a b"}}, "should match pattern"),
        ({"all": []}, "at least 1 item"),
        ({"geo": {"country": ["DE"]}}, "geo needs either `header`"),
        (_nested(6), "nested deeper than 5"),
        ({"any": [A] * 64}, "more than 64 matches"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(match: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        condition(match)


def test_depth_is_bounded_before_anything_walks_down() -> None:
    with pytest.raises(ValidationError, match="nested deeper than 5"):
        condition(_nested(900))
    with pytest.raises(ValidationError, match="nested deeper than 5"):
        condition({"not_": {"not_": {"not_": {"not_": {"not_": A}}}}})


@pytest.mark.parametrize(
    "goes", [{}, {"pin": "candidate", "exclude": True}, {"exclude": False}, {"pin": "baseline", "weight_factor": 2}]
)
def test_a_cohort_goes_somewhere_and_to_one_place(goes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="needs exactly one of `pin: candidate`"):
        Cohort.model_validate({"name": "c", "match": A, **goes})


@pytest.mark.parametrize(
    ("written", "name"), [(0.5, "0.5"), (3, "3"), (1.0, "1"), ("0.250", "0.25"), (1_000, "1000"), (0.001, "0.001")]
)
def test_a_weight_factor_is_known_by_its_shortest_digits_and_read_again_as_it_was_dumped(
    written: object, name: str
) -> None:
    cohort = Cohort.model_validate({"name": "c", "match": A, "weight_factor": written})
    assert cohort.weight_factor == name
    assert Cohort.model_validate(cohort.model_dump(mode="json", by_alias=True)) == cohort


@pytest.mark.parametrize("written", [0, -1, 1_001, 0.0001, "half", True, [1], float("nan"), float("inf")])
def test_what_is_no_factor_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="is not a factor from 0"):
        Cohort.model_validate({"name": "c", "match": A, "weight_factor": written})


def test_members_are_pinned_or_dealt_by_a_weight() -> None:
    def version(**goes: object) -> str:
        return Cohort.model_validate({"name": "c", "match": A, **goes}).version(baseline="v1", candidate="v2")

    assert version(pin="candidate") == "v2"
    assert version(pin="baseline") == version(exclude=True) == "v1"
    assert version(weight_factor=3) == ""


def test_a_cohort_of_the_first_release_is_dumped_as_it_always_was() -> None:
    """What is dumped goes into the hash of the service's routing."""
    old = Cohort.model_validate({"name": "c", "match": {"header": {"name": "x", "in": ["a"]}}, "pin": "baseline"})
    assert old.model_dump(mode="json") == {
        "name": "c",
        "match": {"header": {"name": "x", "exact": None, "prefix": None, "one_of": ["a"]}},
        "pin": "baseline",
        "weight_factor": None,
    }


def test_what_is_new_is_in_the_dump() -> None:
    match = {"any": [{"key": {"modulo": {"of": 2, "is": [0]}}}, {"not": {"share": {"of": "1%"}}}]}
    new = Cohort.model_validate({"name": "c", "match": match, "exclude": True})
    assert new.model_dump(mode="json")["exclude"] is True
    changed = Cohort.model_validate({"name": "c", "match": {"any": match["any"][:1]}, "exclude": True})
    assert new.model_dump(mode="json") != changed.model_dump(mode="json")


def test_a_match_may_be_built_in_code() -> None:
    assert CohortMatch.model_validate({"all_of": [A]}).condition("s") == AllOf((A_TEST,))
