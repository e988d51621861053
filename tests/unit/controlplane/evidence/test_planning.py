import math
import statistics

import pytest

from controlplane.evidence import planning as p
from controlplane.simulate.head_to_head import Setting, run
from serinus.contract.weight import WEIGHT_TOTAL_BP

RAMP = {"rps": 100.0, "rate": 0.005, "budget_bp": 25, "alpha": 0.05, "min_step_s": 30.0}


@pytest.mark.parametrize("candidate", [0.02, 0.05])
def test_the_expected_exposure_is_near_the_simulated_one(candidate: float) -> None:
    expected = statistics.mean(
        p.requests_to_rollback(0.005, candidate, weight=weight, alpha=0.05) for weight in (0.1, 0.3)
    )
    found = run("serinus", Setting("steady", 100.0, 0.005, candidate, 60, 1))
    assert found.median_requests is not None
    assert found.median_requests == pytest.approx(expected, rel=0.6)


def test_a_small_weight_costs_time_not_users() -> None:
    small, large = (p.requests_to_rollback(0.005, 0.02, weight=weight, alpha=0.01) for weight in (0.01, 0.2))
    assert small == pytest.approx(large, rel=0.35)
    assert p.requests_to_rollback(0.02, 0.02, weight=0.1, alpha=0.05) == math.inf


def test_an_advance_needs_more_the_tighter_it_asks() -> None:
    wide, tight = (p.requests_to_advance(0.005, limit, weight=0.5, alpha=0.05) for limit in (0.05, 0.0025))
    assert wide == pytest.approx(78, rel=0.1), "measured: 78"
    assert tight == pytest.approx(9_740, rel=0.1), "measured: 9,740"


def test_what_is_missing_is_told_in_requests() -> None:
    assert p.remaining(1.0, needed=3.0, per_request=0.01) == pytest.approx(200)
    assert p.remaining(3.5, needed=3.0, per_request=0.01) == 0.0
    assert p.remaining(1.0, needed=3.0, per_request=0.0) == math.inf


def test_a_ramp_takes_at_least_its_minimum_and_uses_what_earlier_steps_have_shown() -> None:
    steps = p.ramp((500, 1000, 2500, 5000, 10_000), **RAMP)
    assert [step.weight_bp for step in steps] == [500, 1000, 2500, 5000]
    assert all(step.seconds >= 30 for step in steps)
    assert math.fsum(step.seconds for step in steps) == pytest.approx(269, rel=0.1), "measured: 269"
    alone = p.ramp((5000, 10_000), **RAMP)
    assert steps[-1].seconds < alone[0].seconds
    assert p.ramp((10, 20), **RAMP)[0].seconds == 30, "nothing is to be shown within the budget"


@pytest.mark.parametrize("users", [10, 500, 100_000])
@pytest.mark.parametrize("budget_bp", [25, 500])
def test_automatic_steps_rise_to_all_and_begin_within_the_budget_or_with_twenty_users(
    users: int, budget_bp: int
) -> None:
    steps = p.steps_auto(users=users, **(RAMP | {"budget_bp": budget_bp}))
    assert steps[-1] == WEIGHT_TOTAL_BP
    assert list(steps) == sorted(set(steps))
    assert len(steps) <= p.STEPS_MAX + 1
    assert steps[0] <= max(budget_bp, 20 * WEIGHT_TOTAL_BP / users) or steps[0] == 5000


def test_too_few_users_are_told_in_numbers() -> None:
    needed = p.users_to_decide(rate=0.005, steps_bp=(500, 1000, 10_000), budget_bp=25, alpha=0.05)
    assert needed > 10_000
    assert p.users_to_decide(rate=0.005, steps_bp=(10, 20), budget_bp=25, alpha=0.05) == 0
    assert 3 <= p.users_to_roll_back(weight=0.1, alpha=0.01) <= 6


def test_a_divergence_is_zero_only_where_shares_are_equal() -> None:
    assert p.divergence(0.3, 0.3) == 0.0
    assert p.divergence(0.3, 0.2) > 0
    assert p.divergence(0.3, 0.0) == math.inf
    assert p.divergence(0.0, 0.5) == pytest.approx(math.log(2))
