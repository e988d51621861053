"""Events: what nobody says did not happen is told by the requests that there were."""

import random
from collections.abc import Iterable

import pytest

from controlplane.evidence.errors import CountsError, PlanError
from controlplane.evidence.events import EventInbox
from controlplane.evidence.labelled import LabelledJudge, LabelState
from controlplane.evidence.labels import Asked, Label, LabelPlan
from controlplane.evidence.plan import JudgePlan, ScorePlan
from controlplane.evidence.strata import BinCounts, MetricCounts, Stratum
from controlplane.evidence.verdict import Verdict

START, WAIT_S, HALF = 1_790_000_000, 10, 5_000
CLICKED = "event:clicked"
GOOD, NONE = 0, 100  # bins of the scores 1 and 0


def requests(slot: int, baseline: Iterable[int], candidate: Iterable[int] = (), *, more: int = 0) -> Stratum:
    """`more`: requests of the baseline's keys beyond one each. The last key of an arm has failed."""
    arms = []
    for keys, extra in ((list(baseline), more), (list(candidate), 0)):
        bad = frozenset(keys[-1:])
        arms.append({"errors": MetricCounts(len(keys) + extra, len(bad), frozenset(keys) - bad, bad)})
    return Stratum(slot, "s1", "1", HALF, arms[0], arms[1])


def click(slot: int, key: int, request: int, *, after: int = 1, candidate: bool = False, **where: object) -> Label:
    placed = {"snapshot": "s1", "weight_class": "1", "weight_bp": HALF} | where
    return Label(Asked(slot, is_candidate=candidate, key=key, request=request, **placed), slot + after, score=1.0)  # type: ignore[arg-type]


def judged(inbox: EventInbox, now_slot: int = START + 100) -> dict[int, tuple[BinCounts, BinCounts]]:
    found = inbox.strata(now_slot)
    return {slot: (one.baseline_bins[CLICKED], one.candidate_bins[CLICKED]) for slot, (one,) in found}


def test_requests_without_the_event_count_against_their_arm_when_the_wait_is_over() -> None:
    inbox = EventInbox(CLICKED, WAIT_S)
    inbox.requests(START, [requests(START, (1, 2, 3), (4, 5), more=2)])
    assert inbox.take(click(START, 1, 10))
    assert inbox.take(click(START, 1, 11))
    assert inbox.take(click(START, 5, 12, candidate=True))
    assert inbox.strata(START + WAIT_S) == ()
    baseline, candidate = judged(inbox, START + WAIT_S + 1)[START]
    assert baseline == BinCounts({GOOD: 2, NONE: 3}, {1: GOOD, 2: NONE, 3: NONE})
    assert candidate == BinCounts({GOOD: 1, NONE: 1}, {4: NONE, 5: GOOD})
    assert inbox.strata(START + 1_000) == (), "once"


def test_a_repeat_a_late_one_and_one_that_was_not_dealt_change_nothing() -> None:
    inbox = EventInbox(CLICKED, WAIT_S)
    inbox.requests(START, [requests(START, (1, 2))])
    assert inbox.take(click(START, 1, 10)) is inbox.take(click(START, 1, 10, after=3))
    assert not inbox.take(click(START, 2, 11, after=WAIT_S + 1))
    assert not inbox.take(click(START, 2, 12, weight_class=""))
    assert (inbox.counts.taken, inbox.counts.late, inbox.counts.not_randomised) == (1, 1, 1)
    assert judged(inbox)[START][0].bins == {GOOD: 1, NONE: 1}
    assert inbox.counts.waiting == 0
    assert not inbox.take(click(START, 2, 13)), "its slot was judged"


def test_an_event_of_nobody_known_changes_nothing() -> None:
    inbox = EventInbox(CLICKED, WAIT_S)
    inbox.requests(START, [requests(START, (1, 2))])
    for key, where in ((9, {}), (1, {"snapshot": "s2"}), (1, {"weight_bp": 100})):
        inbox.take(click(START, key, key + len(where), **where))
    assert judged(inbox)[START][0].bins == {NONE: 2}


def test_an_event_may_come_before_its_slot_is_closed_and_the_order_does_not_matter() -> None:
    first, second = EventInbox(CLICKED, WAIT_S), EventInbox(CLICKED, WAIT_S)
    for inbox in (first, second):
        if inbox is first:
            inbox.requests(START, [requests(START, (1, 2))])
        inbox.take(click(START, 1, 10))
        if inbox is second:
            inbox.requests(START, [requests(START, (1, 2))])
    assert judged(first) == judged(second)


def test_what_does_not_fit_in_is_refused_and_counted() -> None:
    inbox = EventInbox(CLICKED, WAIT_S, keys_max=3)
    inbox.requests(START, [requests(START, (1, 2))])
    inbox.requests(START + 1, [requests(START + 1, (3, 4))])
    assert inbox.counts.refused_full == 2
    assert list(judged(inbox)) == [START]
    inbox.requests(START + 2, [requests(START + 2, (3, 4))])
    assert inbox.counts.refused_full == 2, "there is room again"


def test_bad_input_is_a_typed_error() -> None:
    with pytest.raises(PlanError):
        EventInbox(CLICKED, -1)
    with pytest.raises(CountsError):
        EventInbox(CLICKED, WAIT_S).take(click(START, 1, 1, after=-1))


def played(clicks: tuple[float, float], *, seconds: int, seed: int = 1, margin_bp: int = 500) -> LabelledJudge:
    """20 requests/s of as many users at 50 %; `clicks`: how often they follow, per arm."""
    chance, inbox = random.Random(seed), EventInbox(CLICKED, WAIT_S)
    plan = JudgePlan((ScorePlan(CLICKED, 1.0, margin_bp, margin_bp),), 0.05, 0.05, 0)
    judge = LabelledJudge(plan, LabelPlan(WAIT_S), inbox=inbox)
    judge.begin_step(slot=START, weight_bp=HALF, next_weight_bp=10_000)
    for slot in range(START, START + seconds):
        arms: tuple[list[int], list[int]] = ([], [])
        for number in range(20):
            is_candidate = chance.random() < 0.5
            key = chance.getrandbits(60)
            arms[is_candidate].append(key)
            if chance.random() < clicks[is_candidate]:
                judge.take(click(slot, key, slot * 20 + number, candidate=is_candidate))
        inbox.requests(slot, [requests(slot, *arms)])
    judge.advance(START + seconds + WAIT_S)
    return judge


def test_a_loss_of_clicks_is_found_and_no_loss_is_good_enough() -> None:
    assert played((0.3, 0.1), seconds=100).assess().verdict is Verdict.WORSE
    alike = played((0.3, 0.3), seconds=400).assess()
    assert (alike.verdict, alike.state) == (Verdict.GOOD_ENOUGH, LabelState.JUDGED)
