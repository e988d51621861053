import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from controlplane.simulate.policies.rank_sum import shift_at, statistic


def test_the_statistic_is_scipys_with_ties_and_continuity() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, (20, 12)).astype(float), rng.integers(1, 7, (20, 15)).astype(float)
    z = statistic(x, y, np.zeros(20))
    for path in range(20):
        p = mannwhitneyu(x[path], y[path], alternative="two-sided", method="asymptotic").pvalue
        assert 2 * norm.sf(abs(z[path])) == pytest.approx(p, rel=1e-6)


def test_the_interval_of_a_shift_holds_it() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(3, 1, (30, 40)), rng.normal(0, 1, (30, 40))
    low, middle, high = (shift_at(x, y, z) for z in (2.3263, 0.0, -2.3263))
    assert ((low < middle) & (middle < high)).all()
    assert np.mean((low < 3) & (high > 3)) >= 0.9
    np.testing.assert_allclose(middle, 3, atol=0.8)


def test_points_that_are_all_equal_say_nothing() -> None:
    assert statistic(np.ones((1, 5)), np.ones((1, 5)), np.zeros(1)).tolist() == [0.0]
