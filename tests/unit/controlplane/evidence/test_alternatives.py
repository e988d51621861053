"""Alternatives: inside 0..1, on their own side of the limit, and following the past."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.alternatives import (
    GOOD_ENOUGH_LOG_STAKES,
    TALLY_MAX,
    WORSE_BETS,
    Tallies,
    estimates_of,
    good_enough_pairs,
    worse_rates,
)


def rates_of(tallies: Tallies, d: float) -> list[tuple[float, float]]:
    a, b = good_enough_pairs(estimates_of(tallies.rows), d)
    return list(zip(a[0].tolist(), b[0].tolist(), strict=True))


def tally_of(*counts: int) -> Tallies:
    """Of (baseline n, bad, candidate n, bad)."""
    tallies = Tallies(1)
    tallies.add(np.array([counts], dtype=float))
    return tallies


ARM = st.integers(0, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@settings(max_examples=200, deadline=None)
@given(baseline=ARM, candidate=ARM, limit_bp=st.integers(1, 9999))
def test_alternatives_stand_on_their_side_of_the_limit(
    baseline: tuple[int, int], candidate: tuple[int, int], limit_bp: int
) -> None:
    tally, d = tally_of(*baseline, *candidate), limit_bp / 1e4
    pairs = rates_of(tally, d)
    assert len(pairs) == len(GOOD_ENOUGH_LOG_STAKES)
    assert all(0 < a < 1 and 0 < b < 1 and b <= a + d for a, b in pairs)
    a, b = worse_rates(tally.rows, np.array([d]))
    assert (a.shape, b.shape) == ((1, 1), (1, WORSE_BETS))
    assert ((a > 0) & (a < 1) & (b > 0) & (b < 1) & (b >= a + d)).all()


def test_the_stakes_sum_to_one() -> None:
    assert np.exp(GOOD_ENOUGH_LOG_STAKES).sum() == pytest.approx(1.0)


def test_estimates_follow_what_was_seen() -> None:
    pairs = rates_of(tally_of(5000, 500, 5000, 1000), 0.5)
    np.testing.assert_allclose(pairs, [(0.15, 0.15), (0.1, 0.2), (0.15, 0.15)], atol=0.002)
    a, b = worse_rates(tally_of(5000, 500, 5000, 4000).rows, np.array([0.2]))
    np.testing.assert_allclose(a, 0.1, atol=0.002)
    np.testing.assert_allclose(b[0], [0.37, 0.51, 0.79, 0.8], atol=0.01)


def test_the_past_fades_so_that_a_rate_that_moved_is_followed() -> None:
    tally = tally_of(int(TALLY_MAX), 0, 0, 0)
    for _ in range(5):
        tally.add(np.array([[TALLY_MAX / 2, TALLY_MAX / 4, 0, 0]]))
    (_, (baseline, _), _) = rates_of(tally, 0.1)
    assert baseline > 0.45


def test_only_the_rows_that_are_told_of_learn_and_only_full_ones_fade() -> None:
    tallies = Tallies(3)
    tallies.add(np.array([[2 * TALLY_MAX, 0, 0, 0], [10.0, 1, 10, 2]]), first=1)
    assert tallies.rows.tolist() == [[0, 0, 0, 0], [TALLY_MAX / 2, 0, 0, 0], [10, 1, 10, 2]]
