"""Scores: means by exact enumeration on the whole null, power and false verdicts in seeded worlds, numbers for people."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.evidence.errors import PlanError
from controlplane.evidence.judge import Judge, JudgePlan
from controlplane.evidence.plan import BADNESS_BINS, ScorePlan
from controlplane.evidence.scores import bin_of_score, contrast, good_log_e, worse_log_e
from controlplane.evidence.verdict import Verdict
from tests.unit.controlplane.evidence.counts import sized

SCORE = "score"
START = 1_000_000
PATHS = 40
WEIGHTS = (0.01, 0.1, 0.5, 0.9)


def judge(*, tolerance_bp: int = 0, margin_bp: int = 500, alpha: float = 0.05) -> Judge:
    return Judge(JudgePlan((ScorePlan(SCORE, 1.0, tolerance_bp, margin_bp),), alpha, 0.05, 0))


def mean_factor(direction: str, weight: float, centre: float, limit: float, gap: float) -> np.ndarray:
    """The exact mean of one observation's factor: two-point badness in both arms, means `gap` apart."""
    total = np.zeros(5)
    mean_a = 0.3
    for arm, chance in ((False, 1 - weight), (True, weight)):
        mean = mean_a + gap * arm
        for badness, probability in ((0.0, 1 - mean), (1.0, mean)):
            x = contrast(np.array([badness]), np.array([arm]), weight=weight, centre=centre)
            if direction == "worse":
                log_e = worse_log_e(x, weight=weight, centre=centre, tolerance=limit)
            else:
                log_e = good_log_e(x, weight=weight, centre=centre, margin=limit)
            total += chance * probability * np.exp(log_e[0])
    return total


@pytest.mark.parametrize(("weight", "centre"), list(itertools.product(WEIGHTS, (0.0, 0.2, 0.5, 1.0))))
def test_the_mean_of_a_factor_is_one_at_the_limit_and_less_within_the_null(weight: float, centre: float) -> None:
    for limit in (0.0, 0.03, 0.2, 0.49):
        np.testing.assert_allclose(mean_factor("worse", weight, centre, limit, limit), 1.0, rtol=1e-9)
        np.testing.assert_allclose(mean_factor("good", weight, centre, limit, limit), 1.0, rtol=1e-9)
        assert (mean_factor("worse", weight, centre, limit, limit - 0.1) < 1).all()
        assert (mean_factor("good", weight, centre, limit, limit + 0.1) < 1).all()


@given(st.floats(0, 1), st.booleans(), st.sampled_from(WEIGHTS), st.floats(0, 1), st.floats(0, 0.49))
def test_no_observation_ruins_a_bet(badness: float, arm: bool, weight: float, centre: float, limit: float) -> None:
    x = contrast(np.array([badness]), np.array([arm]), weight=weight, centre=centre)
    for log_e in (
        worse_log_e(x, weight=weight, centre=centre, tolerance=limit),
        good_log_e(x, weight=weight, centre=centre, margin=limit),
    ):
        assert (log_e >= math.log(0.1) - 1e-9).all()


def test_a_score_is_kept_to_the_hundredth() -> None:
    assert [bin_of_score(score) for score in (1.0, 0.996, 0.5, 0.0)] == [0, 0, 50, BADNESS_BINS - 1]


def world(
    seed: int,
    *,
    drop: float,
    weights: tuple[float, ...],
    per_s: int = 10,
    step_s: int = 60,
    drift: float = 0.0,
    **limits: int,
) -> tuple[Verdict, int]:
    """Beta scores of mean .8; the verdict, and the candidate's scores until then."""
    rng, judged, served, key = np.random.default_rng(seed), judge(**limits), 0, 0
    for second in range(step_s * len(weights)):
        weight = weights[second // step_s]
        weight_bp = round(weight * 10_000)
        if second % step_s == 0:
            judged.begin_step(slot=START + second, weight_bp=weight_bp, next_weight_bp=10_000)
        n = int(rng.poisson(per_s))
        is_candidate = rng.random(n) < weight
        shared = drift * second / (step_s * len(weights))
        means = np.where(is_candidate, 0.8 - drop - shared, 0.8 - shared)
        bins = [bin_of_score(score) for score in rng.beta(5 * means, 5 * (1 - means)).tolist()]
        keys = range(key, key + n)
        key += n
        arms = [{k: b for k, b, c in zip(keys, bins, is_candidate, strict=True) if c == arm} for arm in (False, True)]
        served += len(arms[1])
        judged.fold(
            START + second,
            [sized(START + second, baseline=arms[0], candidate=arms[1], weight_bp=weight_bp, metric=SCORE)],
        )
        verdict = judged.assess().verdict
        if verdict is not Verdict.NOT_ENOUGH_EVIDENCE:
            return verdict, served
    return Verdict.NOT_ENOUGH_EVIDENCE, served


def test_a_drop_of_ten_points_is_found_within_a_few_dozen_scores() -> None:
    ends = [world(seed, drop=0.1, weights=(0.1,) * 9, margin_bp=1) for seed in range(20)]
    assert all(verdict is Verdict.WORSE for verdict, _ in ends)
    assert statistics.median(served for _, served in ends) <= 60


@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_versions_alike_are_called_worse_no_more_often_than_promised(drift: float) -> None:
    weights = (0.1, 0.3, 0.5, 0.7, 0.9)
    ends = [world(seed, drop=0, weights=weights, step_s=12, drift=drift, margin_bp=1)[0] for seed in range(PATHS)]
    assert ends.count(Verdict.WORSE) / PATHS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / PATHS)


def test_a_drop_at_the_margin_is_called_good_enough_no_more_often_than_promised() -> None:
    ends = [world(seed, drop=0.05, weights=(0.5,) * 2, tolerance_bp=2000)[0] for seed in range(PATHS)]
    assert ends.count(Verdict.GOOD_ENOUGH) / PATHS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / PATHS)


def test_a_version_as_good_as_the_baseline_is_shown_to_be() -> None:
    ends = [world(seed, drop=0, weights=(0.5,) * 3, tolerance_bp=500) for seed in range(10)]
    assert all(verdict is Verdict.GOOD_ENOUGH for verdict, _ in ends)


def test_a_drop_within_the_tolerance_is_no_reason_to_go_back() -> None:
    ends = [world(seed, drop=0.04, weights=(0.5,) * 2, tolerance_bp=500, margin_bp=1)[0] for seed in range(10)]
    assert Verdict.WORSE not in ends


def test_one_user_who_scores_everything_badly_is_one_observation() -> None:
    judged = judge()
    judged.begin_step(slot=START, weight_bp=5000, next_weight_bp=None)
    for second in range(40):
        judged.fold(START + second, [sized(START + second, baseline={}, candidate={7: 100}, metric=SCORE)])
    once = judge()
    once.begin_step(slot=START, weight_bp=5000, next_weight_bp=None)
    once.fold(START, [sized(START, baseline={}, candidate={7: 100}, metric=SCORE)])
    assert judged.assess().rows[0].worse_log_e == once.assess().rows[0].worse_log_e
    assert judged.assess().rows[0].candidate_requests == 40


def test_a_row_shows_both_means_with_intervals() -> None:
    judged = judge()
    judged.begin_step(slot=START, weight_bp=5000, next_weight_bp=10_000)
    assert judged.assess().rows[0].findings == ("no scores yet in this step",)
    judged.fold(START, [sized(START, baseline={1: 10, 2: 30}, candidate={3: 50}, metric=SCORE)])
    row = judged.assess().rows[0]
    assert row.limit == "mean score lower by less than 5 points of 100"
    assert row.findings[0].startswith("mean score: baseline 0.800 (")
    assert "candidate 0.500 (" in row.findings[0]
    assert (row.baseline_n, row.candidate_n) == (2, 1)


def test_the_last_step_has_nothing_to_show() -> None:
    judged = judge()
    judged.begin_step(slot=START, weight_bp=5000, next_weight_bp=None)
    assert judged.assess().verdict is Verdict.GOOD_ENOUGH


def test_scores_with_one_arm_say_nothing() -> None:
    judged = judge()
    judged.begin_step(slot=START, weight_bp=10_000, next_weight_bp=None)
    judged.fold(START, [sized(START, baseline={}, candidate={3: 100}, weight_bp=10_000, metric=SCORE)])
    assert judged.assess().rows[0].worse_log_e == 0.0


@pytest.mark.parametrize(("tolerance_bp", "margin_bp"), [(-1, 500), (5000, 500), (0, 0), (0, 5000), (0, 1.5)])
def test_limits_that_cannot_be_are_refused(tolerance_bp: int, margin_bp: int) -> None:
    with pytest.raises(PlanError):
        judge(tolerance_bp=tolerance_bp, margin_bp=margin_bp)
