"""Classification measures: against definitions by hand, all pairs counted one by one, and seeded worlds."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.evidence.classes import LAM, AucEvidence, ClassInbox, auc, class_sentence, f1
from controlplane.evidence.labels import ACCURACY, PRECISION, RECALL, Asked, Label, LabelPlan, Window
from tests.unit.controlplane.evidence.labelling import START, label


def counts(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5))
def test_auc_is_the_share_of_pairs_in_the_right_order(bins: list[tuple[int, int]]) -> None:
    positives, negatives = (counts(*column) for column in zip(*bins, strict=True))
    scores = [[bin_ for bin_, n in enumerate(side.tolist()) for _ in range(n)] for side in (positives, negatives)]
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p, n in itertools.product(*scores)]
    expected = sum(pairs) / len(pairs) if pairs else None
    assert auc(positives, negatives) == (None if expected is None else pytest.approx(expected))


def test_f1_is_the_harmonic_mean_and_undefined_with_either_part() -> None:
    assert f1(0.5, 1.0) == pytest.approx(2 / 3)
    assert f1(0.0, 0.0) == 0.0
    assert f1(None, 1.0) is f1(1.0, None) is None


def window(*labels: Label, slot: int = START) -> Window:
    return Window(slot, labels)


def test_each_measure_has_its_denominator_and_an_interval_round_it() -> None:
    held = AucEvidence()
    told = [(True, True)] * 8 + [(True, False)] * 2 + [(False, True)] * 4 + [(False, False)] * 6
    held.fold(window(*(label(i, predicted=p, actual=a) for i, (p, a) in enumerate(told))))
    baseline, candidate = held.arms
    found = {metric: baseline.measure(metric, alpha=0.05) for metric in (ACCURACY, PRECISION, RECALL)}
    assert {metric: (of.value, of.n) for metric, of in found.items()} == {
        ACCURACY: (pytest.approx(0.7), 20),
        PRECISION: (pytest.approx(0.8), 10),
        RECALL: (pytest.approx(8 / 12), 12),
    }
    both = baseline.f1(alpha=0.05)
    assert both.value == pytest.approx(2 * 0.8 * (8 / 12) / (0.8 + 8 / 12))
    for of in (*found.values(), both):
        assert of.value is not None
        assert 0 <= of.interval.low < of.value < of.interval.high <= 1
    assert candidate.measure(ACCURACY, alpha=0.05).value is None
    assert candidate.f1(alpha=0.05).value is None
    assert candidate.auc(alpha=0.05).value is None


def scored(request: int, actual: bool, margin: float, *, is_candidate: bool = False, **more: int) -> Label:
    return label(request, actual=actual, margin=margin, is_candidate=is_candidate, **more)


def test_over_all_ways_to_route_the_keys_the_mean_of_the_evidence_is_at_most_one() -> None:
    """Three positives and three negatives, every split into arms alike probable."""
    margins = [0.2, 0.9, -1.0, 0.1, 0.5, -0.3]
    total = 0.0
    for arms in itertools.product((False, True), repeat=6):
        held = AucEvidence()
        held.fold(window(*(scored(i, i % 2 == 0, margins[i], is_candidate=arm) for i, arm in enumerate(arms))))
        total += math.exp(held.worse_log_e())
    assert total / 2**6 <= 1.0 + 1e-9


def world(seed: int, *, candidate_gap: float, windows: int = 60) -> AucEvidence:
    """20 labels a window, half of each class, normal scores 1.5 apart on the baseline; weight 0.3."""
    rng, held = np.random.default_rng(seed), AucEvidence()
    for number in range(windows):
        labels = []
        for index in range(20):
            is_candidate, actual = bool(rng.random() < 0.3), bool(rng.random() < 0.5)
            gap = candidate_gap if is_candidate else 1.5
            margin = float(rng.normal(gap * actual + 0.05 * number, 1.0))
            labels.append(scored(20 * number + index, actual, margin, is_candidate=is_candidate, weight_bp=3000))
        held.fold(window(*labels, slot=START + number))
    return held


def test_a_version_that_ranks_at_random_is_found_and_one_alike_is_not() -> None:
    assert all(world(seed, candidate_gap=0.0).worse_log_e() >= math.log(20) for seed in range(10))
    alike = [world(seed, candidate_gap=1.5).worse_log_e() >= math.log(20) for seed in range(40)]
    assert sum(alike) / 40 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)


def test_the_interval_of_auc_comes_from_pairs_and_holds_the_true_value() -> None:
    for arm, truth in zip(world(1, candidate_gap=0.0).arms, (0.856, 0.5), strict=True):
        measure = arm.auc(alpha=0.05)
        assert measure.interval.low <= truth <= measure.interval.high
        assert measure.n > 50


def test_a_key_is_in_one_pair_once_and_a_key_of_both_arms_in_none() -> None:
    held = AucEvidence()
    held.fold(window(scored(1, True, 1.0), scored(2, False, 0.0)))
    held.fold(window(scored(3, True, 1.0, key=1), scored(4, False, 0.0, key=9), slot=START + 1))
    assert held.arms[0].auc(alpha=0.05).n == 1
    held.fold(
        window(
            scored(5, True, 1.0, key=20),
            scored(6, False, 0.0, key=21),
            scored(7, True, 1.0, key=20, is_candidate=True),
            slot=START + 2,
        )
    )
    assert held.arms[0].auc(alpha=0.05).n == 1
    held.begin_step()
    assert held.arms[0].auc(alpha=0.05).n == 0


def test_one_arm_says_nothing() -> None:
    held = AucEvidence()
    held.fold(window(scored(1, True, -1.0, is_candidate=True), scored(2, False, 0.0, is_candidate=True)))
    assert held.worse_log_e() == pytest.approx(0.0)
    assert len(LAM) == 5


def test_what_is_shown_comes_from_windows_whose_wait_is_over() -> None:
    inbox = ClassInbox(LabelPlan(wait_s=5))
    for number, (predicted, actual, margin) in enumerate([(True, True, 2.0), (True, False, -1.0), (False, True, 0.5)]):
        asked = Asked(START, "s1", "1", 5_000, True, number + 1, number)
        inbox.take(Label(asked, START + 1, None, predicted, actual, margin))
    assert inbox.strata(START + 5) == ()
    assert class_sentence(inbox.shown.arms[1], alpha=0.05) == ""
    assert [slot for slot, _ in inbox.strata(START + 6)] == [START]
    words = class_sentence(inbox.shown.arms[1], alpha=0.05)
    assert words.startswith("accuracy 0.333 (")
    assert "precision 0.500 (" in words
    assert "F1 0.500 (" in words
    assert "AUC 1.000 (" in words
