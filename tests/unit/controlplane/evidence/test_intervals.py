import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.alternatives import Counts
from controlplane.evidence.histogram import dense
from controlplane.evidence.intervals import (
    Interval,
    MeanTally,
    difference_interval,
    distribution_band,
    quantile_band,
    share_interval,
    stratified_ratio,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_what_was_seen_and_narrows_with_it(seen: tuple[int, int]) -> None:
    bad, n = seen
    interval = share_interval(bad, n, alpha=0.05)
    assert 0.0 <= interval.low <= interval.high <= 1.0
    if n:
        assert interval.low <= bad / n <= interval.high
        wider = share_interval(bad, n, alpha=0.01)
        assert wider.low <= interval.low + 1e-9
        assert wider.high >= interval.high - 1e-9


def test_nothing_seen_is_nothing_known() -> None:
    assert share_interval(0, 0, alpha=0.05) == Interval(0.0, 1.0)
    assert MeanTally().interval(alpha=0.05) == Interval(0.0, 1.0)


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_looking_after_every_request_the_interval_misses_the_rate_no_more_often_than_promised(rate: float) -> None:
    """500 paths of 400 requests; bounds are by count, so each is computed once."""
    alpha, paths, n_max = 0.1, 500, 400
    rng = np.random.default_rng(1)
    running = (rng.random((paths, n_max)) < rate).cumsum(axis=1)
    missed = np.zeros(paths, dtype=bool)
    for n in range(5, n_max + 1, 5):
        bad = running[:, n - 1]
        for count in np.unique(bad):
            interval = share_interval(int(count), n, alpha=alpha)
            if not interval.low <= rate <= interval.high:
                missed |= bad == count
    assert missed.mean() <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / paths)


def test_the_difference_of_equal_arms_holds_zero_and_that_of_unlike_arms_does_not() -> None:
    equal = difference_interval(Counts(1000, 20, 500, 10), alpha=0.05)
    assert equal.low < 0 < equal.high
    assert difference_interval(Counts(1000, 20, 500, 100), alpha=0.05).low > 0


def test_means_of_scores_are_held_and_the_batches_may_be_of_any_size() -> None:
    rng, missed = np.random.default_rng(2), 0
    for _ in range(200):
        tally, scores = MeanTally(), rng.beta(8, 2, 600)
        for start in range(0, 600, 20):
            batch = scores[start : start + 20]
            tally.add(len(batch), float(batch.sum()), float((batch**2).sum()))
            interval = tally.interval(alpha=0.1)
            if not interval.low <= 0.8 <= interval.high:
                missed += 1
                break
    assert missed / 200 <= 0.1 + 3 * math.sqrt(0.09 / 200)
    assert interval.high - interval.low < 0.1


def test_a_quantile_lies_between_the_bins_of_its_band() -> None:
    rng = np.random.default_rng(3)
    bins = np.rint(rng.normal(100, 8, 20_000)).astype(int)
    counts = dense([{int(b): int(c) for b, c in zip(*np.unique(bins, return_counts=True), strict=True)}])[0]
    low, high = quantile_band(counts, 0.5, alpha=0.05)
    assert 98 <= low <= 100 <= high <= 102
    assert quantile_band(counts, 0.999, alpha=0.05)[1] == len(counts) - 1
    lowest, highest = distribution_band(dense([{}])[0], alpha=0.05)
    assert (lowest[0], highest[0]) == (0.0, 1.0)


def test_the_stratified_ratio_is_not_bent_by_a_split_that_moves_with_the_rate() -> None:
    """Twice as bad in both strata; pooled it looks 6 times as bad."""
    strata = [Counts(900, 9, 100, 2), Counts(100, 10, 900, 180)]
    assert stratified_ratio(strata) == pytest.approx(2.0)
    assert stratified_ratio([Counts(), Counts(10, 0, 10, 5)]) is None
