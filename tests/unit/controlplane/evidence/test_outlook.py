"""Plans: time for requests and for users who come back, exposures, the traffic needed, and what is warned of."""

import math
from dataclasses import replace

import pytest

from controlplane.evidence.outlook import Ask, Traffic, outlook, time_to_meet
from controlplane.evidence.planning import ramp

ASK = Ask((100, 500, 2500, 5000, 10_000), 25, 0.01, 0.05, 1.0, 30.0, 86_400.0)
BUSY = Traffic(100.0, 0.005, None)


def test_with_keys_of_their_own_requests_take_the_time_that_the_ramp_takes() -> None:
    plain = ramp(ASK.steps_bp, rps=100.0, rate=0.005, budget_bp=25, alpha=0.05, min_step_s=0.0)
    found = outlook(replace(ASK, min_step_s=0.0), BUSY)
    assert found.seconds_to_promote == pytest.approx(sum(step.seconds for step in plain))
    assert 240 < outlook(ASK, BUSY).seconds_to_promote < 500
    assert found.warnings[0].startswith("the first step (1%) is given without evidence")


def test_users_who_come_back_take_longer_to_meet_and_a_day_may_not_bring_them() -> None:
    assert time_to_meet(500, Traffic(10.0, 0.005, 1_000_000)) == pytest.approx(50, rel=0.01)
    assert time_to_meet(500, Traffic(10.0, 0.005, 1_000)) == pytest.approx(100 * math.log(2))
    assert time_to_meet(1_000, Traffic(10.0, 0.005, 1_000)) == math.inf
    assert time_to_meet(999, Traffic(0.001, 0.005, 1_000)) == math.inf


def test_twelve_tenants_are_told_at_once_that_they_will_never_decide() -> None:
    found = outlook(ASK, replace(BUSY, users=12))
    assert found.seconds_to_promote == math.inf
    assert found.users_to_decide > 12
    assert any(text.startswith("too few users to decide: 12 a day") for text in found.warnings)
    assert any(text.startswith("too few users on the first step: about 0.1 a day") for text in found.warnings)
    assert found.rps_needed is None
    assert all(exposure.seconds == math.inf for exposure in found.exposures)


def test_enough_users_and_a_first_step_within_the_budget_are_warned_of_nothing() -> None:
    ask = replace(ASK, steps_bp=(25, 100, 500, 2500, 5000, 10_000))
    assert outlook(ask, replace(BUSY, users=1_000_000)).warnings == ()


def test_a_worse_version_is_found_with_fewer_requests() -> None:
    exposed = [exposure.candidate_requests for exposure in outlook(ASK, BUSY).exposures]
    assert exposed == sorted(exposed, reverse=True)
    # Measured at alpha 1 % from 10 % on: 4,630, 531 and 128 at 1, 2 and 5 %.
    assert 2_500 < exposed[0] < 6_000
    assert 300 < exposed[1] < 800
    assert 60 < exposed[2] < 200


def test_the_traffic_needed_is_what_just_meets_the_deadline() -> None:
    ask = replace(ASK, deadline_s=3_600.0)
    needed = outlook(ask, BUSY).rps_needed
    assert needed is not None
    assert outlook(ask, replace(BUSY, rps=needed)).seconds_to_promote == pytest.approx(3_600, rel=0.01)
    slow = outlook(ask, replace(BUSY, rps=needed / 2))
    assert any("not promoted before the deadline" in text for text in slow.warnings)


def test_a_rollout_straight_to_everyone_has_nothing_to_wait_for() -> None:
    found = outlook(replace(ASK, steps_bp=(10_000,)), BUSY)
    assert (found.steps, found.seconds_to_promote, found.users_to_decide) == ((), 0.0, 0)


def test_a_warm_up_and_a_bake_count_before_the_deadline() -> None:
    plain, longer = outlook(ASK, BUSY), outlook(replace(ASK, warm_up_s=60.0, bake_s=600.0), BUSY)
    assert longer.seconds_to_promote == pytest.approx(plain.seconds_to_promote + 660.0)
    assert longer.steps == plain.steps
    tight = replace(ASK, deadline_s=plain.seconds_to_promote + 1.0)
    assert not any("deadline" in warning for warning in outlook(tight, BUSY).warnings)
    assert any("deadline" in warning for warning in outlook(replace(tight, bake_s=600.0), BUSY).warnings)
