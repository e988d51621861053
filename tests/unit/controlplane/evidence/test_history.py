import numpy as np
import pytest

from controlplane.evidence import margin
from controlplane.evidence.alternatives import Counts, Tally, estimates_of, good_enough_pairs
from controlplane.evidence.history import STRATA_MAX, History


def test_strata_asked_again_give_the_sum_of_what_each_said() -> None:
    history, tally, rng = History.empty(), Tally(), np.random.default_rng(1)
    expected = np.zeros(3)
    for _ in range(200):
        bad_a, bad_b = rng.binomial((40, 20), 0.1).tolist()
        counts, estimates = Counts(40, bad_a, 20, bad_b), estimates_of(tally)
        history.add(counts, estimates)
        for index, (a, b) in enumerate(zip(*good_enough_pairs(estimates, 0.05), strict=True)):
            expected[index] += margin.log_e(40, bad_a, 20, bad_b, a=float(a), b=float(b), d=0.05)
        tally.add(counts)
    np.testing.assert_allclose(history.log_e(0.05), expected, atol=1e-3)


def test_the_first_strata_are_kept_and_later_ones_left_out() -> None:
    history = History.empty()
    for index in range(STRATA_MAX + 100):
        history.add(Counts(10, 0, 10, 10 if index >= STRATA_MAX else 0), estimates_of(Tally()))
    full = history.log_e(0.1)
    assert (full > 0).any(), "not one of the bad ones counts"


def test_a_stratum_in_which_nobody_was_met_takes_no_room() -> None:
    history = History.empty()
    for _ in range(STRATA_MAX):
        history.add(Counts(), estimates_of(Tally()))
    history.add(Counts(100, 0, 100, 0), estimates_of(Tally()))
    assert history.log_e(0.1).max() > 1


def test_no_history_says_nothing() -> None:
    assert History.empty().log_e(0.1).tolist() == pytest.approx([0.0] * 3)
