"""The margin e-value: its projection against bisection, its mean over the whole null by exact enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.margin import log_e, log_e_all, project


def bisected(n_a: float, n_b: float, a: float, b: float, d: float) -> float:
    """The root of nA(p-a)/(p(1-p)) + nB(p+d-b)/((p+d)(1-p-d)), which grows with p; by its sign alone."""
    low, high = 0.0, 1.0 - d
    for _ in range(60):
        p = (low + high) / 2
        q = p + d
        slope = n_a * (p - a) * q * (1 - q) + n_b * (q - b) * p * (1 - p)
        low, high = (low, p) if slope > 0 else (p, high)
    return low


RATES = st.floats(1e-4, 1 - 1e-4)
# A margin is a whole number of basis points. Below a rounding error of 1 both sides of the projection cancel out.
MARGINS = st.just(0.0) | st.floats(1e-5, 0.99)


@settings(max_examples=300, deadline=None)
@given(n_a=st.integers(0, 500), n_b=st.integers(0, 500), a=RATES, b=RATES, d=st.floats(0.0, 0.99))
def test_the_closed_form_is_the_root_that_bisection_finds(n_a: int, n_b: int, a: float, b: float, d: float) -> None:
    if n_a + n_b == 0:
        return
    p = project(n_b / (n_a + n_b), a, b, d)
    assert 0.0 < p < 1.0 - d
    assert p == pytest.approx(bisected(n_a, n_b, a, b, d), abs=1e-7)


def supremum(n_a: int, n_b: int, a: float, b: float, d: float, *, is_below: bool) -> float:
    """The largest mean of the e-value over a grid of the null {qB <= qA + d} (or >=), each by full enumeration."""
    grid = np.linspace(0.0, 1.0, 41)
    means = np.zeros((len(grid), len(grid)))
    for k_a, k_b in itertools.product(range(n_a + 1), range(n_b + 1)):
        value = math.exp(log_e(n_a, k_a, n_b, k_b, a=a, b=b, d=d))
        chance_a = math.comb(n_a, k_a) * grid**k_a * (1 - grid) ** (n_a - k_a)
        chance_b = math.comb(n_b, k_b) * grid**k_b * (1 - grid) ** (n_b - k_b)
        means += value * np.outer(chance_a, chance_b)
    q_a, q_b = np.meshgrid(grid, grid, indexing="ij")
    null = q_b <= q_a + d + 1e-12 if is_below else q_b >= q_a + d - 1e-12
    return float(means[null].max())


@pytest.mark.parametrize(("n_a", "n_b"), [(1, 0), (0, 1), (1, 1), (9, 1), (3, 3), (1, 8), (12, 5)])
@pytest.mark.parametrize("d", [0.0, 0.025, 0.1, 0.5, 0.9])
def test_the_mean_is_at_most_one_on_the_whole_null(n_a: int, n_b: int, d: float) -> None:
    """Both directions, alternatives near and far, any split: nA and nB need not follow a weight."""
    for a in (0.005, 0.1, 0.4):
        for b in {a, min(a + d, 0.995), min(a, 0.3)}:
            if b <= a + d:
                assert supremum(n_a, n_b, a, b, d, is_below=False) <= 1 + 1e-9
        for b in {0.5 * (1 + a + d), 0.999}:
            if a + d < b < 1:
                assert supremum(n_a, n_b, a, b, d, is_below=True) <= 1 + 1e-9


def test_the_mean_is_one_at_the_projection_itself() -> None:
    """Nothing is given away: the bound is met."""
    n_a, n_b, a, b, d = 6, 4, 0.05, 0.05, 0.2
    p = project(n_b / (n_a + n_b), a, b, d)
    mean = 0.0
    for k_a, k_b in itertools.product(range(n_a + 1), range(n_b + 1)):
        value = math.exp(log_e(n_a, k_a, n_b, k_b, a=a, b=b, d=d))
        chance_a = math.comb(n_a, k_a) * p**k_a * (1 - p) ** (n_a - k_a)
        chance_b = math.comb(n_b, k_b) * (p + d) ** k_b * (1 - p - d) ** (n_b - k_b)
        mean += value * chance_a * chance_b
    assert mean == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(0, 60), min_size=4, max_size=4), a=RATES, b=RATES, d=MARGINS)
def test_over_arrays_it_is_the_same(counts: list[int], a: float, b: float, d: float) -> None:
    bad_a, good_a, bad_b, good_b = counts
    columns = (bad_a + good_a, bad_a, bad_b + good_b, bad_b)
    one = log_e(*columns, a=a, b=b, d=d)
    rows = (np.array([[float(count)], [0.0]]) for count in columns)
    many = log_e_all(*rows, a=np.array([a, a]), b=np.array([b, b]), d=d)
    # Near the edge of what a rate may be the two ways to project differ by up to 1e-7 (20,000 cases); a verdict needs 3.
    np.testing.assert_allclose(many, [[one, one], [0.0, 0.0]], rtol=1e-9, atol=1e-6)


def test_nobody_observed_is_no_evidence() -> None:
    assert log_e(0, 0, 0, 0, a=0.1, b=0.2, d=0.1) == 0.0


def test_a_candidate_alone_can_still_be_shown_to_fail_less_than_the_margin() -> None:
    """pB >= pA + d implies pB >= d."""
    assert log_e(0, 0, 40, 0, a=0.01, b=0.01, d=0.1) == pytest.approx(40 * math.log(0.99 / 0.9), abs=1e-6)
