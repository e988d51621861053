"""What feedback says of a rollout: judged beside what is seen at once, each with its share of alpha."""

import math
import random

import pytest

from controlplane.engine.labels import RolloutLabels
from controlplane.engine.plan import Kind, LabelGroup, judge_plan, label_plans
from controlplane.evidence.labels import Asked
from controlplane.evidence.strata import MetricCounts, Stratum
from controlplane.evidence.verdict import Verdict
from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.effects import BeginStep
from serinus.contract.bucket import BUCKET_COUNT
from serinus.contract.feedback import Said
from tests.unit.controlplane.manifest.samples import ROLLOUT

START, WAIT_S = 1_790_000_000, 10
SCORE = "{metric: score, margin: 5pp, wait: 10s}"
WORSE, GOOD, THIN = Verdict.WORSE, Verdict.GOOD_ENOUGH, Verdict.NOT_ENOUGH_EVIDENCE


def spec(*guardrails: str) -> RolloutSpec:
    asked = "".join(f"    - {one}\n" for one in guardrails)
    text = ROLLOUT.replace("    - {metric: finish_reason, of: length, margin: 20pp}\n", asked)
    (manifest,) = load([("a.yaml", text)])
    assert isinstance(manifest.spec, RolloutSpec)
    return manifest.spec


def labelled(candidate: float, *, seconds: int = 200, guardrail: str = SCORE) -> RolloutLabels:
    """Five scored requests a second at 50 %: the baseline's mean is 0.9, labels come within the wait."""
    chance, labels = random.Random(5), RolloutLabels(spec(guardrail), since_slot=START)
    labels.begin(BeginStep(step_index=0, slot=START + 1, weight_bp=5_000, next_weight_bp=10_000))
    for second in range(1, seconds):
        labels.advance(START + second)
        for number in range(5):
            key = chance.getrandbits(63) + 1
            is_candidate = key % BUCKET_COUNT < 5_000
            is_good = chance.random() < (candidate if is_candidate else 0.9)
            asked = Asked(START + second, "s1", "1", 5_000, is_candidate, key, second * 5 + number)
            labels.take(asked, said(guardrail, is_good), START + second + chance.randrange(WAIT_S))
    labels.advance(START + seconds + WAIT_S + 1)
    return labels


def said(guardrail: str, is_good: bool) -> Said:
    return Said(score=float(is_good)) if "score" in guardrail else Said(predicted=True, actual=is_good)


def test_labels_take_their_share_of_alpha_and_the_rest_is_judged_as_before() -> None:
    asked = spec(SCORE, "{metric: accuracy, margin: 5pp, wait: 1h}", "{metric: recall, margin: 5pp, wait: 1h}")
    plans = label_plans(asked)
    assert [plan.rollback_alpha for plan in plans.values()] == pytest.approx([0.01 / 4, 0.01 / 2])
    assert set(plans) == {LabelGroup(Kind.SCORE, 10), LabelGroup(Kind.CLASSES, 3_600)}
    seen = judge_plan(asked)
    assert [one.metric for one in seen.guardrails] == ["errors"]
    assert math.isclose(seen.rollback_alpha + sum(plan.rollback_alpha for plan in plans.values()), 0.01)
    assert judge_plan(spec()).rollback_alpha == 0.01


@pytest.mark.parametrize("guardrail", [SCORE, "{metric: precision, margin: 5pp, wait: 10s}"])
def test_a_candidate_with_lower_scores_is_worse_whatever_is_seen_at_once(guardrail: str) -> None:
    labels = labelled(0.5, guardrail=guardrail)
    assert labels.verdict(GOOD) is WORSE
    worse = labels.worse_row()
    assert worse is not None
    assert worse.metric in guardrail


def test_a_candidate_that_is_alike_is_good_enough_once_enough_labels_have_waited() -> None:
    labels = labelled(0.9, seconds=900)
    assert labels.verdict(GOOD) is GOOD
    assert labels.verdict(THIN) is THIN
    assert labels.sentences(holding=True) == ()


def test_a_step_without_judged_labels_holds_and_says_why() -> None:
    labels = labelled(0.9, seconds=30)
    labels.begin(BeginStep(step_index=1, slot=START + 100, weight_bp=9_000, next_weight_bp=10_000))
    assert labels.verdict(GOOD) is THIN
    (sentence,) = labels.sentences(holding=True)
    assert "none of this step has been judged yet, each waits 10 s (label lag)" in sentence
    assert not labels.is_overdue(START + 105)
    assert labels.is_overdue(START + 112)


def test_who_gets_no_label_is_not_waited_for_and_late_ones_are_counted() -> None:
    labels = labelled(0.9, seconds=30)
    assert not labels.take(Asked(START - 1, "s1", "1", 5_000, False, 1, 1), Said(score=1.0), START + 40), "before it"
    assert not labels.take(Asked(START + 2, "s1", "1", 5_000, False, 1, 1), Said(event="clicked"), START + 40)
    assert not labels.take(Asked(START + 2, "s1", "1", 5_000, False, 1, 1), Said(score=1.0), START + 40)
    assert not labels.take(Asked(START + 38, "s1", "", 0, False, 1, 1), Said(score=1.0), START + 40)
    (sentence,) = labels.sentences()
    assert "1 came too late, 1 of requests that no weight dealt" in sentence


def test_what_does_not_fit_in_is_refused_and_holds() -> None:
    labels = RolloutLabels(spec(SCORE), since_slot=START, waiting_max=1)
    for number in (1, 2):
        labels.take(Asked(START, "s1", "1", 5_000, False, number, number), Said(score=1.0), START)
    assert "1 refused for want of room: some were refused" in labels.sentences()[0]


def test_without_such_guardrails_nothing_is_asked_of_labels() -> None:
    labels = RolloutLabels(spec(), since_slot=START)
    assert [labels.verdict(verdict) for verdict in (WORSE, GOOD, THIN)] == [WORSE, GOOD, THIN]
    assert (labels.rows(), labels.sentences(), labels.is_overdue(START + 10**6)) == ((), (), False)


def test_events_are_held_against_the_requests_of_closed_slots() -> None:
    labels = RolloutLabels(spec("{metric: event, of: clicked, margin: 5pp, wait: 10s}"), since_slot=START - 1)
    labels.begin(BeginStep(step_index=0, slot=START, weight_bp=5_000, next_weight_bp=10_000))
    keys = frozenset(range(1, 9))
    errors = {"errors": MetricCounts(8, 0, keys, frozenset())}
    labels.requests(START, [Stratum(START, "s1", "1", 5_000, errors, {})])
    for said, is_taken in ((Said(event="clicked"), True), (Said(event="bought"), False), (Said(score=1.0), False)):
        assert labels.take(Asked(START, "s1", "1", 5_000, False, 1, 7), said, START + 2) is is_taken
    labels.advance(START + 11)
    (row,) = labels.rows()
    assert (row.metric, row.baseline_requests, row.baseline_request_bad) == ("event:clicked", 8, 7)
    assert labels.sentences() == ("1 clicked events taken, 0 of them wait",)


def test_what_labels_say_of_each_version_is_shown_with_intervals() -> None:
    labels = labelled(0.5, guardrail="{metric: precision, margin: 5pp, wait: 10s}")
    _, baseline, candidate = labels.sentences()
    assert baseline.startswith("labels of the baseline: accuracy 0.9")
    assert candidate.startswith("labels of the candidate: accuracy 0.5")
    assert "F1 " in candidate
    assert "AUC" not in candidate, "nobody gave the model's own score"


def test_scores_of_two_names_are_judged_apart() -> None:
    named = "{metric: score, of: helpfulness, margin: 5pp, wait: 10s}"
    labels = RolloutLabels(spec(SCORE, named), since_slot=START - 1)
    labels.begin(BeginStep(step_index=0, slot=START, weight_bp=5_000, next_weight_bp=10_000))
    for score in (Said(score=1.0), Said(score=0.0, metric="helpfulness"), Said(score=0.0, metric="helpfulness")):
        labels.take(Asked(START, "s1", "1", 5_000, False, 1, 7), score, START + 2)
    assert not labels.take(Asked(START, "s1", "1", 5_000, False, 1, 7), Said(score=0.5, metric="wit"), START + 2)
    labels.advance(START + 11)
    assert [(row.metric, row.baseline_requests, row.baseline_request_bad) for row in labels.rows()] == [
        ("score", 1, 0),
        ("score:helpfulness", 1, 1),
    ]
    assert [sentence.split(" taken")[0] for sentence in labels.sentences()] == ["1 scores", "1 helpfulness scores"]


def test_of_a_rollout_that_is_over_nobody_waits_for_labels() -> None:
    labels = RolloutLabels(spec(SCORE), since_slot=START)
    assert labels.sentences(is_over=True) == ("0 scores taken, 0 of them wait",)
