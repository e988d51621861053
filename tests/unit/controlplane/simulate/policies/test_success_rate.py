import numpy as np
import pytest

from controlplane.simulate.policies.success_rate import SuccessRatePolicy
from controlplane.simulate.traffic import ArmCounts, Second


def second(candidate_n: int, candidate_bad: int) -> Second:
    arms = (ArmCounts(np.array([50]), np.array([0])), ArmCounts(np.array([candidate_n]), np.array([candidate_bad])))
    return Second(arms, arms, None)


def minutes(policy: SuccessRatePolicy, *bad_of_100: int) -> list[int]:
    """The weight after each minute."""
    weights, number = [], 0
    for bad in bad_of_100:
        for _ in range(60):
            policy.observe(number, second(100, bad))
            number += 1
        weights.append(int(policy.weight_bp[0]))
    return weights


def test_a_failed_minute_holds_the_weight_or_does_not() -> None:
    assert minutes(SuccessRatePolicy(1, failures=5, holds=True), 0, 2, 2, 0) == [2000, 2000, 2000, 3000]
    assert minutes(SuccessRatePolicy(1, failures=4, holds=False), 0, 2, 2, 0) == [2000, 3000, 4000, 5000]


@pytest.mark.parametrize(("failures", "expected"), [(2, True), (3, False)])
def test_failed_minutes_are_never_forgotten(failures: int, expected: bool) -> None:
    policy = SuccessRatePolicy(1, failures=failures, holds=True)
    minutes(policy, 2, 0, 0, 2)
    assert bool(policy.observe(240, second(100, 0))[0]) is expected


def test_who_has_passed_nine_minutes_is_through_and_who_was_held_is_not() -> None:
    for bad, is_through in (((0,) * 9, True), ((0,) * 8, False), ((2, *(0,) * 8), False)):
        policy = SuccessRatePolicy(1, failures=5, holds=True)
        minutes(policy, *bad)
        assert bool(policy.promoted()[0]) is is_through
    policy = SuccessRatePolicy(1, failures=5, holds=False)
    minutes(policy, *(2, *(0,) * 8))
    assert policy.promoted()[0]


def test_a_minute_without_traffic_fails() -> None:
    policy = SuccessRatePolicy(1, failures=1, holds=True)
    for number in range(60):
        found = policy.observe(number, second(0, 0))
    assert found[0]
