import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.evidence.several import all_good, alpha_of, average_log_e, blamed

LOGS = st.lists(st.floats(-50, 50), min_size=1, max_size=8)


def logs(*values: float) -> list[float]:
    return [math.log(value) for value in values]


def test_the_example_of_the_paper_names_two() -> None:
    """(60, 25, 3, .8) at .1: 60 >= 40 and 2*25 >= 40, but 3*3 < 40."""
    assert blamed(logs(60, 25, 3, 0.8), alpha=0.1) == (0, 1)


def test_a_weaker_one_is_named_through_the_company_it_keeps() -> None:
    """Alone 25 of 4 would not do, nor would the first: 2*20 >= 40 holds for both."""
    assert blamed(logs(20, 1, 20, 1), alpha=0.1) == (0, 2)
    assert blamed(logs(20, 1, 1, 1), alpha=0.1) == ()
    assert blamed([], alpha=0.1) == ()


@given(LOGS)
def test_whom_bonferroni_names_e_bh_names_too(values: list[float]) -> None:
    alone = {index for index, value in enumerate(values) if value >= math.log(len(values) / 0.1) + 1e-12}
    assert alone <= set(blamed(values, alpha=0.1))


@given(LOGS)
def test_the_average_rejects_whenever_weighted_bonferroni_does(values: list[float]) -> None:
    omega = 1 / len(values)
    average = average_log_e(values, [omega] * len(values))
    assert average >= max(values) + math.log(omega) - 1e-9
    assert average <= max(values) + 1e-9


def test_the_average_of_wholly_dependent_metrics_keeps_the_mean() -> None:
    """The same e-value thrice: their product would have mean E[E^3]."""
    outcomes = [(0.5, 0.0001), (0.5, 1.9999)]
    mean = sum(p * math.exp(average_log_e([math.log(e)] * 3, [0.2, 0.3, 0.5])) for p, e in outcomes)
    assert mean == pytest.approx(1.0)
    assert sum(p * e**3 for p, e in outcomes) > 3


def test_the_expected_share_of_wrong_names_is_at_most_alpha() -> None:
    """Three healthy metrics whose e-values are 0 or 10, by every way to depend on two shared coins, and a bad one."""
    alpha, total = 0.4, 0.0
    for coins in itertools.product((0.1, 0.9), (0.1, 0.9)):
        chance = math.prod(coins)
        healthy = [10.0 if coins[0] == 0.1 else 1e-9, 10.0 if coins[1] == 0.1 else 1e-9]
        healthy.append(healthy[0])
        named = blamed(logs(*healthy, 30.0), alpha=alpha)
        total += chance * (sum(index < 3 for index in named) / len(named) if named else 0.0)
    assert total <= alpha


def test_an_advance_needs_every_guardrail() -> None:
    assert all_good(logs(20, 30), alpha=0.05)
    assert not all_good(logs(19, 1e9), alpha=0.05)
    assert not all_good([], alpha=0.05)


def test_candidates_share_alpha() -> None:
    assert sum(alpha_of(0.05, omega) for omega in (0.5, 0.3, 0.2)) == pytest.approx(0.05)
