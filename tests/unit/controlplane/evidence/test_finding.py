from dataclasses import replace

import pytest

from controlplane.evidence.finding import Finding, Level, Situation, has_risen, name
from serinus.contract.outcome import OutcomeClass

CALM = Level(n=1000, bad=5, before_n=10_000, before_bad=50)
QUIET = Situation(1, False, 0, True, CALM, replace(CALM, n=100, bad=1, before_n=1000, before_bad=5))
RISEN = Level(n=1000, bad=100, before_n=10_000, before_bad=50)


def failing(n: int, **classes: int) -> Level:
    by_class = {OutcomeClass(name_): count for name_, count in classes.items()}
    return Level(n=n, bad=sum(classes.values()), before_n=1000, before_bad=5, classes=by_class)


AWAY = "store has not answered for 34 s (Connection refused)"
SHARED = replace(QUIET, baseline=failing(900, server_error=60, timeout=30), candidate=failing(300, server_error=30))
STORIES = {
    "nothing arrives": (replace(QUIET, silent_s=31, is_worse=True), Finding.NO_DATA),
    "a request in the wrong place": (replace(QUIET, mismatches=1, is_worse=True), Finding.ROUTING_FAULT),
    "a split that cannot be": (replace(QUIET, is_split_plausible=False), Finding.ROUTING_FAULT),
    "the candidate fails": (
        replace(QUIET, is_worse=True, candidate=failing(100, server_error=30, overloaded=5)),
        Finding.VERSION_WORSE,
    ),
    "the candidate is too small": (
        replace(QUIET, is_worse=True, candidate=failing(100, server_error=5, overloaded=30)),
        Finding.CAPACITY,
    ),
    "a candidate that is slower, not failing": (replace(QUIET, is_worse=True), Finding.VERSION_WORSE),
    "both fail in many ways": (SHARED, Finding.SHARED_INCIDENT),
    "both fail in one way from behind": (
        replace(QUIET, baseline=failing(900, timeout=90, server_error=5), candidate=failing(300, timeout=30)),
        Finding.DEPENDENCY,
    ),
    "both fail while a dependency is away": (replace(SHARED, dependency=AWAY), Finding.DEPENDENCY),
    "a dependency is away, and nobody has suffered": (replace(QUIET, dependency=AWAY, full="full"), Finding.DEPENDENCY),
    "the candidate fails while a dependency is away": (
        replace(QUIET, is_worse=True, candidate=failing(100, server_error=30), dependency=AWAY),
        Finding.VERSION_WORSE,
    ),
    "labels are late": (replace(QUIET, labels_share=0.2), Finding.LABEL_LAG),
    "labels have come": (replace(QUIET, labels_share=0.9), Finding.NONE),
    "a quiet day": (QUIET, Finding.NONE),
    "only the baseline fails": (replace(QUIET, baseline=RISEN), Finding.NONE),
}


@pytest.mark.parametrize("story", STORIES)
def test_each_story_has_its_name(story: str) -> None:
    situation, expected = STORIES[story]
    named = name(situation)
    assert named.finding is expected
    assert named.sentence
    assert not situation.dependency or AWAY in named.sentence


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (RISEN, True),
        (CALM, False),
        (Level(n=10, bad=1, before_n=1000, before_bad=5), False),
        (Level(n=100_000, bad=700, before_n=100_000, before_bad=500), False),
        (Level(), False),
        (Level(n=100, bad=100, before_n=100, before_bad=0), True),
    ],
    ids=["clear", "calm", "chance", "significant but small", "nothing", "from never to always"],
)
def test_a_rise_is_large_and_no_chance(level: Level, expected: bool) -> None:
    assert has_risen(level) is expected


FULL = replace(QUIET, full="the candidate's servers are full (72 requests wait)")


def test_a_candidate_that_is_worse_on_full_servers_is_short_of_capacity() -> None:
    named = name(replace(FULL, is_worse=True))
    assert named.finding is Finding.CAPACITY
    assert "72 requests wait" in named.sentence


def test_full_servers_are_named_before_anyone_suffers_and_after_what_is_wrong() -> None:
    assert name(FULL).finding is Finding.CAPACITY
    assert name(replace(FULL, labels_share=0.0)).finding is Finding.CAPACITY
    assert name(replace(FULL, mismatches=1)).finding is Finding.ROUTING_FAULT
