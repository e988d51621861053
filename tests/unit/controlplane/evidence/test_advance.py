"""Advance evidence: cohorts, and the e-value's mean at the limit by exact enumeration."""

import itertools
import math

import numpy as np
import pytest

from controlplane.evidence.advance import Cohort, MarginEvidence, Meetings
from controlplane.evidence.harm import NOTHING_TO_SHOW_LOG_E
from controlplane.evidence.kernel import Floats


def chance_of(n: int, k: int, rate: float) -> float:
    return math.comb(n, k) * rate**k * (1 - rate) ** (n - k)


def row(*counts: int) -> Floats:
    return np.array([counts], dtype=np.float64)


def cohort(slot: int) -> Cohort:
    return Cohort(slot, 5000, row(0, 0, 0, 0), row(0, 0, 0, 0))


def margin_evidence(limit: float | None) -> MarginEvidence:
    evidence = MarginEvidence()
    evidence.begin_step([limit])
    return evidence


@pytest.mark.parametrize("baseline", [0.0, 0.05, 0.3, 0.8])
def test_the_mean_at_the_limit_is_at_most_one_though_alternatives_follow_the_past(baseline: float) -> None:
    """Two strata of 3 + 2 keys, every outcome: the second bets on what the first has shown."""
    limit, mean = 0.2, 0.0
    arms = list(itertools.product(range(4), range(3)))
    for first, second in itertools.product(arms, repeat=2):
        evidence = margin_evidence(limit)
        chance = 1.0
        for bad_a, bad_b in (first, second):
            chance *= chance_of(3, bad_a, baseline) * chance_of(2, bad_b, baseline + limit)
            evidence.add(row(3, bad_a, 2, bad_b), 4000)
        mean += chance * math.exp(evidence.log_e()[0])
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("baseline", [0.05, 0.6])
def test_the_mean_stays_at_most_one_when_a_step_between_asks_about_another_limit(baseline: float) -> None:
    """One stratum of 3 + 2 keys in each of two steps, the excess exactly at the second one's limit."""
    mean, arms = 0.0, list(itertools.product(range(4), range(3)))
    for first, second in itertools.product(arms, repeat=2):
        evidence, chance = margin_evidence(0.35), 1.0
        for bad_a, bad_b in (first, second):
            chance *= chance_of(3, bad_a, baseline) * chance_of(2, bad_b, baseline + 0.2)
        evidence.add(row(3, first[0], 2, first[1]), 4000)
        evidence.begin_step([0.2])
        evidence.add(row(3, second[0], 2, second[1]), 4000)
        mean += chance * math.exp(evidence.log_e()[0])
    assert mean <= 1 + 1e-6


def test_what_earlier_steps_have_shown_counts_most_and_is_asked_the_new_question() -> None:
    long, short = margin_evidence(0.4), margin_evidence(0.4)
    for _ in range(10):
        long.add(row(30, 0, 30, 0), 5000)
    for evidence in (long, short):
        evidence.begin_step([0.1])
    assert long.log_e()[0] == pytest.approx(0.0), "nothing was seen at this weight"
    for evidence in (long, short):
        evidence.add(row(1, 0, 1, 0), 5000)
    assert long.log_e()[0] > math.log(20) > short.log_e()[0]
    asked_at_once = margin_evidence(0.1)
    for n in (*[30] * 10, 1):
        asked_at_once.add(row(n, 0, n, 0), 5000)
    assert math.exp(long.log_e()[0]) == pytest.approx(math.exp(asked_at_once.log_e()[0]) * 0.95 + 0.05, rel=0.05)


def test_a_past_that_looked_good_does_not_help_a_step_that_does_not() -> None:
    evidence = margin_evidence(0.4)
    for _ in range(50):
        evidence.add(row(30, 0, 30, 0), 5000)
    evidence.begin_step([0.1])
    evidence.add(row(30, 0, 30, 9), 5000)
    assert evidence.log_e()[0] < 0


def test_keys_that_are_new_to_the_step_alone_do_not_count_twice_since_the_beginning() -> None:
    evidence = margin_evidence(0.1)
    for _ in range(50):
        evidence.add(row(10, 0, 10, 0), 5000, new=row(0, 0, 0, 0))
    alone = margin_evidence(0.1)
    for _ in range(50):
        alone.add(row(10, 0, 10, 0), 5000)
    assert math.exp(evidence.log_e()[0]) == pytest.approx(math.exp(alone.log_e()[0]) * 0.05 + 0.95, rel=1e-4)


def test_alike_arms_gather_evidence_and_an_excess_beyond_the_limit_does_not() -> None:
    alike, beyond = margin_evidence(0.1), margin_evidence(0.1)
    for _ in range(20):
        alike.add(row(10, 0, 10, 0), 5000)
        beyond.add(row(10, 0, 10, 3), 5000)
    assert alike.log_e()[0] > math.log(20)
    assert beyond.log_e()[0] < 0


@pytest.mark.parametrize("weight_bp", [0, 10_000])
def test_one_arm_alone_teaches_rates_but_is_no_evidence(weight_bp: int) -> None:
    taught, fresh = margin_evidence(0.1), margin_evidence(0.1)
    taught.add(row(1000, 300, 0, 0), weight_bp)
    assert taught.log_e()[0] == pytest.approx(0.0)
    for evidence in (taught, fresh):
        evidence.add(row(50, 15, 50, 15), 5000)
    assert taught.log_e()[0] > fresh.log_e()[0]


def test_with_nothing_to_show_the_evidence_is_high_and_finite() -> None:
    evidence = margin_evidence(None)
    evidence.add(row(10, 0, 10, 10), 5000)
    assert evidence.log_e()[0] == NOTHING_TO_SHOW_LOG_E
    assert math.isfinite(NOTHING_TO_SHOW_LOG_E)


def test_a_cohort_is_handed_over_once_its_follow_up_has_closed() -> None:
    meetings = Meetings(follow_up_slots=3)
    number = meetings.begin(cohort(10))
    later = meetings.begin(cohort(11))
    assert list(meetings.mature(12)) == []
    assert [handed.slot for handed in meetings.mature(13)] == [10]
    assert meetings.first_number == number + 1
    assert meetings[later].slot == 11


def test_numbers_are_never_used_again_after_a_new_step() -> None:
    meetings = Meetings(follow_up_slots=3)
    old = meetings.begin(cohort(10))
    meetings.forget()
    assert meetings.first_number > old
    assert meetings.begin(cohort(12)) > old
    assert [handed.slot for handed in meetings.mature(100)] == [12]


def test_evidences_side_by_side_are_as_each_alone_and_a_part_may_be_told_alone() -> None:
    rng, limits = np.random.default_rng(2), [0.1, None, 0.3]
    together, apart = MarginEvidence(3), [MarginEvidence() for _ in limits]
    for step in (limits, [0.2, 0.1, None]):
        together.begin_step(step)
        for evidence, limit in zip(apart, step, strict=True):
            evidence.begin_step([limit])
        for _ in range(50):
            counts = np.stack([rng.integers(5, 9, 3), rng.integers(0, 3, 3)] * 2, axis=1).astype(float)
            together.add(counts[:2], 4000)
            together.add(counts[2:], 4000, first=2)
            for evidence, of in zip(apart, counts, strict=True):
                evidence.add(of[None], 4000)
    np.testing.assert_allclose(together.log_e(), [evidence.log_e()[0] for evidence in apart], atol=1e-9)
