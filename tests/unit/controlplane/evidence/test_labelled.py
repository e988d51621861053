"""The judge of labels: steps in the requests' time, named states, and worlds in which labels come late."""

import numpy as np
import pytest

from controlplane.evidence.errors import PlanError, SlotOrderError, WeightError
from controlplane.evidence.judge import GuardrailPlan, JudgePlan
from controlplane.evidence.labelled import LabelledJudge, LabelState, joined
from controlplane.evidence.labels import ACCURACY, PRECISION, RECALL, LabelPlan
from controlplane.evidence.plan import ScorePlan
from controlplane.evidence.verdict import Verdict
from tests.unit.controlplane.evidence.labelling import START, label

WORSE, GOOD, NOTHING = Verdict.WORSE, Verdict.GOOD_ENOUGH, Verdict.NOT_ENOUGH_EVIDENCE


def judge_of(*guardrails: GuardrailPlan | ScorePlan, wait_s: int = 20, alpha: float = 0.05) -> LabelledJudge:
    return LabelledJudge(JudgePlan(guardrails, alpha, 0.05, 0), LabelPlan(wait_s))


def scores(*, wait_s: int = 20) -> LabelledJudge:
    return judge_of(ScorePlan("score", 1.0, 0, 1000), wait_s=wait_s)


def share(metric: str, tolerance_bp: int | None = 0) -> LabelledJudge:
    return judge_of(GuardrailPlan(metric, 1.0, tolerance_bp, 1000))


def run(
    judge: LabelledJudge,
    *,
    seed: int = 1,
    seconds: int = 120,
    weight: float = 0.5,
    score: tuple[float, float] = (1.0, 1.0),
    yes: tuple[float, float] = (0.5, 0.5),
    right: tuple[float, float] = (0.9, 0.9),
    labelled: tuple[float, float] = (1.0, 1.0),
) -> None:
    """20 requests/s; per arm: the mean score, how often it says yes, how often it is right, who gets a label."""
    rng = np.random.default_rng(seed)
    judge.begin_step(slot=START, weight_bp=round(weight * 10_000), next_weight_bp=10_000)
    for second in range(seconds):
        for number in range(20):
            is_candidate = bool(rng.random() < weight)
            says, is_right = bool(rng.random() < yes[is_candidate]), bool(rng.random() < right[is_candidate])
            told = float(rng.beta(10 * score[is_candidate], 10 * (1 - score[is_candidate]) + 1e-9))
            wait = int(rng.integers(0, 20))
            if rng.random() < labelled[is_candidate]:
                judge.take(
                    label(
                        second * 20 + number,
                        slot=START + second,
                        after=wait,
                        is_candidate=is_candidate,
                        weight_bp=round(weight * 10_000),
                        score=told,
                        predicted=says,
                        actual=says == is_right,
                    )
                )
        judge.advance(START + second)


def test_nothing_is_decided_while_the_labels_wait() -> None:
    judge = scores(wait_s=200)
    run(judge, seconds=60, score=(0.9, 0.1))
    said = judge.assess()
    assert (said.verdict, said.state) == (NOTHING, LabelState.WAITING)
    assert said.labels.waiting == 1200
    judge.advance(START + 300)
    assert judge.assess().verdict is WORSE


def test_a_new_step_waits_for_labels_of_its_own() -> None:
    judge = scores()
    run(judge, score=(0.9, 0.9))
    assert (judge.assess().verdict, judge.assess().state) == (GOOD, LabelState.JUDGED)
    judge.begin_step(slot=START + 120, weight_bp=9000, next_weight_bp=10_000)
    assert (judge.assess().verdict, judge.assess().state) == (NOTHING, LabelState.WAITING)


def test_labels_that_only_one_version_gets_decide_nothing() -> None:
    judge = scores()
    run(judge, score=(0.9, 0.9), labelled=(1.0, 0.4))
    assert (judge.assess().verdict, judge.assess().state) == (NOTHING, LabelState.UNEVEN)


@pytest.mark.parametrize("metric", [ACCURACY, PRECISION, RECALL])
def test_a_version_that_is_wrong_more_often_is_found(metric: str) -> None:
    judge = share(metric)
    run(judge, right=(0.9, 0.7))
    assert judge.assess().verdict is WORSE


@pytest.mark.parametrize("metric", [ACCURACY, PRECISION, RECALL])
def test_versions_that_are_right_alike_are_shown_to_be(metric: str) -> None:
    judge = share(metric)
    run(judge, seconds=200)
    assert judge.assess().verdict is GOOD


def test_saying_yes_more_often_at_the_same_precision_is_not_worse() -> None:
    for seed in range(8):
        judge = share(PRECISION)
        run(judge, seed=seed, seconds=60, yes=(0.3, 0.8))
        assert judge.assess().verdict is not WORSE


def test_precision_needs_a_margin() -> None:
    with pytest.raises(PlanError, match="precision"):
        share(PRECISION, tolerance_bp=None)


def test_labels_refused_for_want_of_room_are_a_state() -> None:
    judge = LabelledJudge(JudgePlan((ScorePlan("score", 1.0, 0, 1000),), 0.05, 0.05, 0), LabelPlan(20), labels_max=0)
    judge.begin_step(slot=START, weight_bp=5000, next_weight_bp=10_000)
    assert not judge.take(label(1, score=1.0))
    assert judge.assess().state is LabelState.FULL


def test_steps_out_of_order_and_weights_that_cannot_be_are_refused() -> None:
    judge = scores()
    judge.begin_step(slot=START, weight_bp=5000, next_weight_bp=None)
    with pytest.raises(SlotOrderError):
        judge.begin_step(slot=START, weight_bp=5000, next_weight_bp=None)
    for weight_bp, next_bp in ((10_001, None), (5000, -1)):
        with pytest.raises(WeightError):
            judge.begin_step(slot=START + 1, weight_bp=weight_bp, next_weight_bp=next_bp)


def test_two_judges_are_worse_if_one_is_and_good_enough_if_both_are() -> None:
    assert joined(GOOD, WORSE) is joined(WORSE, NOTHING) is WORSE
    assert joined(GOOD, GOOD) is GOOD
    assert joined(GOOD, NOTHING) is NOTHING
