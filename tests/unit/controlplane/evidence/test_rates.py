"""Rates: the mean by exact summation, seeded worlds, and intervals that hold at every look."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from controlplane.evidence.errors import CountsError, PlanError, SlotOrderError
from controlplane.evidence.rates import RateCounts, RateEvidence, RatePlan, rate_interval

START = 1_000_000


def evidence(*, tolerated: float = 1.0, margin: float = 1.5) -> RateEvidence:
    held = RateEvidence([RatePlan("restarts", tolerated, margin)])
    held.begin_step(START)
    return held


@pytest.mark.parametrize(("t_a", "t_b"), [(90.0, 10.0), (1.0, 1.0), (0.5, 7.0)])
def test_at_the_tolerated_factor_the_mean_is_one_given_the_events(t_a: float, t_b: float) -> None:
    for events in range(1, 8):
        mean = 0.0
        for k in range(events + 1):
            held = evidence(tolerated=1.3)
            held.fold(START, [RateCounts(events - k, t_a, k, t_b)])
            mean += binom.pmf(k, events, 1.3 * t_b / (t_a + 1.3 * t_b)) * math.exp(held.worse_log_e()[0])
        assert mean == pytest.approx(1.0)


def test_at_the_margin_the_mean_of_good_enough_is_one_given_the_events() -> None:
    for events in range(1, 8):
        mean = 0.0
        for k in range(events + 1):
            held = evidence(margin=1.5)
            held.fold(START, [RateCounts(events - k, 9.0, k, 1.0)])
            mean += binom.pmf(k, events, 1.5 / 10.5) * math.exp(held.good_log_e()[0])
        assert mean == pytest.approx(1.0)


def highest(seed: int, factor: float, *, direction: str = "worse", seconds: int = 300) -> float:
    """A common rate that drifts fivefold while the candidate's exposure grows."""
    rng, held, most = np.random.default_rng(seed), evidence(), -math.inf
    for second in range(seconds):
        t_b = 0.1 + 0.8 * second / seconds
        rate = 2.0 + 8.0 * second / seconds
        counts = RateCounts(int(rng.poisson(rate * (1 - t_b))), 1 - t_b, int(rng.poisson(factor * rate * t_b)), t_b)
        held.fold(START + second, [counts])
        most = max(most, float((held.worse_log_e() if direction == "worse" else held.good_log_e())[0]))
    return most


def test_a_shared_drift_is_no_difference() -> None:
    crossed = sum(highest(seed, 1.0) >= math.log(20) for seed in range(60))
    assert crossed / 60 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)


def test_twice_the_rate_is_found_and_an_equal_one_is_shown_to_be_within_the_margin() -> None:
    assert all(highest(seed, 2.0) >= math.log(20) for seed in range(10))
    assert all(highest(seed, 1.0, direction="good") >= math.log(20) for seed in range(10))


def test_one_arm_or_no_event_says_nothing() -> None:
    held = evidence()
    held.fold(START, [RateCounts(0, 1.0, 0, 1.0)])
    held.fold(START + 1, [RateCounts(5, 1.0, 0, 0.0)])
    held.fold(START + 2, [RateCounts(0, 0.0, 0, 0.0)])
    assert held.worse_log_e().tolist() == pytest.approx([0.0])
    assert held.good_log_e().tolist() == [0.0]


def test_late_starts_open_and_steps_restart_what_is_asked_of_a_step() -> None:
    held = evidence()
    for second in range(0, 300, 10):
        held.fold(START + second, [RateCounts(9, 1.0, 1, 1.0)])
    assert held.good_log_e()[0] > 0
    held.begin_step(START + 400)
    assert held.good_log_e()[0] == 0.0


@pytest.mark.parametrize(
    "row",
    [
        RateCounts(-1, 1.0, 0, 1.0),
        RateCounts(10**13, 1.0, 0, 1.0),
        RateCounts(1, 0.0, 0, 1.0),
        RateCounts(1, math.nan, 0, 1.0),
        RateCounts(1, math.inf, 0, 1.0),
        RateCounts(1.0, 1.0, 0, 1.0),  # type: ignore[arg-type]
    ],
)
def test_counts_that_cannot_be_are_refused_and_change_nothing(row: RateCounts) -> None:
    held = evidence()
    with pytest.raises(CountsError):
        held.fold(START, [row])
    held.fold(START, [RateCounts(1, 1.0, 1, 1.0)])


def test_a_slot_comes_once_and_every_rate_has_a_row() -> None:
    held = evidence()
    with pytest.raises(CountsError):
        held.fold(START, [])
    held.fold(START, [RateCounts(1, 1.0, 1, 1.0)])
    with pytest.raises(SlotOrderError):
        held.fold(START, [RateCounts(1, 1.0, 1, 1.0)])
    with pytest.raises(CountsError):
        held.begin_step(-1)


@pytest.mark.parametrize(("tolerated", "margin"), [(0.9, 1.5), (1.0, 1.0), (math.nan, 1.5), (1.0, math.inf)])
def test_factors_that_cannot_be_are_refused(tolerated: float, margin: float) -> None:
    with pytest.raises(PlanError):
        RateEvidence([RatePlan("restarts", tolerated, margin)])


def test_an_interval_holds_its_rate_at_every_look() -> None:
    missed = 0
    for seed in range(100):
        events = np.random.default_rng(seed).poisson(0.7, 60).cumsum().tolist()
        for exposure in range(1, 61, 3):
            interval = rate_interval(events[exposure - 1], float(exposure), alpha=0.05)
            if not interval.low <= 0.7 <= interval.high:
                missed += 1
                break
    assert missed / 100 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)


def test_an_interval_shrinks_round_what_was_seen() -> None:
    assert rate_interval(0, 0.0, alpha=0.05).high == math.inf
    nothing, some, many = (rate_interval(n, float(t), alpha=0.05) for n, t in ((0, 10), (20, 10), (20_000, 10_000)))
    assert nothing.low == 0.0 < nothing.high < 1.0
    assert some.low < 2.0 < some.high
    assert many.low > 1.9
    assert many.high < 2.1
    with pytest.raises(CountsError):
        rate_interval(-1, 1.0, alpha=0.05)
