"""Strata kept for the next step's question."""

import numpy as np
import pytest

from controlplane.evidence import margin
from controlplane.evidence.alternatives import Estimates, Tallies, estimates_of, good_enough_pairs
from controlplane.evidence.history import STRATA_MAX, STRATA_MAX_OF_ALL, History
from controlplane.evidence.kernel import Floats

FIRST, TENTH = np.array([0]), np.array([0.1])


def untold(size: int = 1) -> Estimates:
    return estimates_of(Tallies(size).rows)


def row(*counts: float) -> Floats:
    return np.array([counts], dtype=float)


def test_strata_asked_again_give_the_sum_of_what_each_said() -> None:
    history, tallies, rng = History(1), Tallies(1), np.random.default_rng(1)
    expected = np.zeros(3)
    for _ in range(200):
        bad_a, bad_b = rng.binomial((40, 20), 0.1).tolist()
        counts, estimates = row(40, bad_a, 20, bad_b), estimates_of(tallies.rows)
        history.add(counts, estimates)
        for index, (a, b) in enumerate(zip(*(pairs[0] for pairs in good_enough_pairs(estimates, 0.05)), strict=True)):
            expected[index] += margin.log_e(40, bad_a, 20, bad_b, a=float(a), b=float(b), d=0.05)
        tallies.add(counts)
    np.testing.assert_allclose(history.log_e(FIRST, np.array([0.05]))[0], expected, atol=1e-3)


def test_the_first_strata_are_kept_and_later_ones_left_out() -> None:
    history = History(1)
    for index in range(STRATA_MAX + 100):
        history.add(row(10, 0, 10, 10 if index >= STRATA_MAX else 0), untold())
    assert (history.log_e(FIRST, TENTH) > 0).any(), "not one of the bad ones counts"


def test_many_metrics_share_the_room() -> None:
    size = 64
    history, kept = History(size), STRATA_MAX_OF_ALL // size
    for index in range(kept + 50):
        history.add(np.tile(row(10, 0, 10, 10 if index >= kept else 0), (size, 1)), untold(size))
    assert (history.log_e(np.array([63]), TENTH) > 0).any()


def test_a_stratum_in_which_nobody_was_met_takes_no_room() -> None:
    history = History(1)
    for _ in range(STRATA_MAX):
        history.add(row(0, 0, 0, 0), untold())
    history.add(row(100, 0, 100, 0), untold())
    assert history.log_e(FIRST, TENTH).max() > 1


def test_a_second_with_more_than_four_thousand_million_is_left_out() -> None:
    history = History(1)
    history.add(row(1e12, 1e11, 1e12, 0), untold())
    assert history.log_e(FIRST, TENTH)[0].tolist() == pytest.approx([0.0] * 3)


def test_each_evidence_keeps_its_own() -> None:
    history = History(3)
    history.add(np.concatenate([row(100, 0, 100, 0), row(100, 0, 100, 90)]), untold(2), first=1)
    none, good, bad = history.log_e(np.arange(3), np.array([0.1, 0.1, 0.1])).max(axis=1)
    assert none == pytest.approx(0.0)
    assert bad < 0 < good


def test_no_history_says_nothing() -> None:
    assert History(1).log_e(FIRST, TENTH)[0].tolist() == pytest.approx([0.0] * 3)
