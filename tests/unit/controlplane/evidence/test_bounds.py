"""The bounds given the split: against exact enumeration, against each other, at the edges of what counts can be."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import hypergeom

from controlplane.evidence import kernel
from controlplane.evidence.bounds import EXACT_TERMS_MAX, Bound, log_e, log_e_badness, log_mgf, log_mgf_exact
from controlplane.evidence.kernel import LOG_RATIOS, RATIOS

SMALL = [(n_a, n_b, bad) for n_a in range(6) for n_b in range(6) for bad in range(n_a + n_b + 1)]


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def mean_e(n_a: int, n_b: int, bad: int, bound: Bound) -> np.ndarray:
    """The mean over every way in which `bad` of n_a + n_b can sit, each alike probable."""
    total = np.zeros(len(RATIOS))
    for k in range(max(0, bad - n_a), min(n_b, bad) + 1):
        chance = math.comb(n_b, k) * math.comb(n_a, bad - k) / math.comb(n_a + n_b, bad)
        total += chance * np.exp(log_e(ints(n_a), ints(bad - k), ints(n_b), ints(k), lam=LOG_RATIOS, bound=bound))[0]
    return total


@pytest.mark.parametrize("bound", list(Bound))
def test_the_mean_is_at_most_one_for_every_small_stratum(bound: Bound) -> None:
    for n_a, n_b, bad in SMALL:
        assert (mean_e(n_a, n_b, bad, bound) <= 1 + 1e-9).all(), (n_a, n_b, bad)


@pytest.mark.parametrize("bound", [Bound.EXACT, Bound.AUTO])
def test_the_exact_mean_is_one(bound: Bound) -> None:
    for n_a, n_b, bad in SMALL:
        np.testing.assert_allclose(mean_e(n_a, n_b, bad, bound), 1.0, rtol=1e-9)


def test_the_mean_is_at_most_one_when_the_candidate_is_better_in_every_way_of_drifting() -> None:
    """Four requests, two a arm, each with a chance of its own; the candidate's are at most the baseline's."""
    rates = (0.1, 0.5, 0.9)
    for slot_rates in itertools.product(rates, repeat=2):
        for better in (1.0, 0.6, 0.1):
            mean = np.zeros(len(RATIOS))
            for bad in itertools.product((0, 1), repeat=4):
                chance = 1.0
                for outcome, rate in zip(bad, (*[slot_rates[0]] * 2, *[slot_rates[0] * better] * 2), strict=True):
                    chance *= rate if outcome else 1 - rate
                value = log_e(ints(2), ints(bad[0] + bad[1]), ints(2), ints(bad[2] + bad[3]), lam=LOG_RATIOS)[0]
                mean += chance * np.exp(value)
            assert (mean <= 1 + 1e-9).all()


def test_the_exact_generating_function_is_scipys_hypergeometric() -> None:
    for n_a, n_b, bad in [(90, 10, 12), (40, 60, 70), (3, 400, 20)]:
        k = np.arange(0, min(n_b, bad) + 1)
        pmf = hypergeom(n_a + n_b, bad, n_b).pmf(k)
        expected = [math.log((pmf * np.exp(lam * k)).sum()) for lam in LOG_RATIOS]
        np.testing.assert_allclose(log_mgf_exact(ints(n_a), ints(n_b), ints(bad), lam=LOG_RATIOS)[0], expected)


def test_each_of_the_four_bounds_is_the_best_somewhere_and_the_minimum_is_close_to_exact_where_failures_are_rare() -> (
    None
):
    cases = {"first": (90, 10, 2), "second": (90, 10, 60), "third": (10, 90, 98), "fourth": (10, 90, 40)}
    n_a, n_b, bad = (np.array(column) for column in zip(*cases.values(), strict=True))
    lam = np.log([2.0])
    n, up, down = n_a + n_b, 1.0, -0.5
    share, rate = n_b / n, bad / n
    four = np.array(
        [
            bad * np.log1p(share * up),
            n_b * np.log1p(rate * up),
            lam[0] * n_b + (n - bad) * np.log1p(share * down),
            lam[0] * bad + n_a * np.log1p(rate * down),
        ]
    )
    assert four.argmin(axis=0).tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(log_mgf(n_a, n_b, bad, lam=lam, bound=Bound.MINIMUM)[:, 0], four.min(axis=0))
    rare = (ints(9000), ints(1000), ints(20))
    least, exact = log_mgf(*rare, lam=lam, bound=Bound.MINIMUM), log_mgf_exact(*rare, lam=lam)
    assert least == pytest.approx(exact, rel=2e-3)
    assert (least >= exact).all()


def test_auto_is_exact_while_few_values_are_possible_and_the_minimum_past_that() -> None:
    n_a, n_b, bad = ints(1000, 1000), ints(1000, 1000), ints(EXACT_TERMS_MAX - 1, EXACT_TERMS_MAX)
    auto = log_mgf(n_a, n_b, bad, lam=LOG_RATIOS)
    np.testing.assert_array_equal(auto[:1], log_mgf_exact(n_a[:1], n_b[:1], bad[:1], lam=LOG_RATIOS))
    np.testing.assert_array_equal(auto[1:], log_mgf(n_a[1:], n_b[1:], bad[1:], lam=LOG_RATIOS, bound=Bound.MINIMUM))


def test_a_minimum_with_the_weight_in_force_would_not_be_an_e_value() -> None:
    """Test of the tests: bounds given the split and the one that averages over it may not meet in one minimum.

    10 keys, 5 bad, each the candidate's with 30 %: the mean of the better of the two over all splits exceeds 1."""
    n, bad, weight, mean = 10, 5, 0.3, np.zeros(len(RATIOS))
    for k_b, good_b in itertools.product(range(bad + 1), range(n - bad + 1)):
        chance = math.comb(bad, k_b) * math.comb(n - bad, good_b)
        chance *= weight ** (k_b + good_b) * (1 - weight) ** (n - k_b - good_b)
        by_weight = kernel.log_e(ints(bad), ints(k_b), weight)[0]
        counts = (ints(n - k_b - good_b), ints(bad - k_b), ints(k_b + good_b), ints(k_b))
        by_split = log_e(*counts, lam=LOG_RATIOS, bound=Bound.MINIMUM)[0]
        mean += chance * np.exp(np.maximum(by_weight, by_split))
    assert (mean > 1.01).any()


@pytest.mark.parametrize("bound", list(Bound))
def test_a_stratum_with_one_arm_says_nothing(bound: Bound) -> None:
    counts = (ints(0, 9, 0), ints(0, 9, 0), ints(9, 0, 0), ints(9, 0, 0))
    np.testing.assert_array_equal(log_e(*counts, lam=LOG_RATIOS, bound=bound), np.zeros((3, len(RATIOS))))


@pytest.mark.parametrize("bound", [Bound.AUTO, Bound.MINIMUM])
def test_an_outage_in_which_everything_fails_says_nothing(bound: Bound) -> None:
    counts = (ints(90), ints(90), ints(10), ints(10))
    np.testing.assert_array_equal(log_e(*counts, lam=LOG_RATIOS, bound=bound), np.zeros((1, len(RATIOS))))


def test_huge_counts_stay_finite_and_come_near_their_limit() -> None:
    huge = 10**12
    value = log_e(ints(9 * huge), ints(90), ints(huge), ints(10), lam=LOG_RATIOS)
    exact = log_e(ints(9 * 10**6), ints(90), ints(10**6), ints(10), lam=LOG_RATIOS)
    np.testing.assert_allclose(value, exact, atol=5e-3)
    everything = log_e(ints(9 * huge), ints(4 * huge), ints(huge), ints(huge // 2), lam=LOG_RATIOS)
    assert np.isfinite(everything).all()


BADNESS = np.array([0.0, 0.3, 0.5, 1.0])


@pytest.mark.parametrize("weight", [None, 0.5])
def test_the_mean_of_bounded_badness_is_at_most_one(weight: float | None) -> None:
    """Every way in which six observations with given scores can sit in the arms; given the split, per split."""
    scores = (0, 1, 1, 2, 3, 3)
    by_split: dict[int, list[np.ndarray]] = {}
    for arms in itertools.product((0, 1), repeat=len(scores)):
        bins = [
            np.bincount([s for s, arm in zip(scores, arms, strict=True) if arm == of], minlength=4) for of in (0, 1)
        ]
        value = np.exp(log_e_badness(bins[0], bins[1], BADNESS, lam=LOG_RATIOS, weight=weight))
        by_split.setdefault(sum(arms), []).append(value)
    if weight is None:
        for values in by_split.values():
            assert (np.mean(values, axis=0) <= 1 + 1e-9).all()
    else:
        assert (np.mean([value for values in by_split.values() for value in values], axis=0) <= 1 + 1e-9).all()


def test_binary_badness_is_the_binary_kernel() -> None:
    """Three of its four bounds: the one through the good ones of B has no form for scores."""
    good_and_bad = np.array([0.0, 1.0])
    value = log_e_badness(ints(880, 20), ints(70, 30), good_and_bad, lam=LOG_RATIOS, weight=None)
    binary = log_e(ints(900), ints(20), ints(100), ints(30), lam=LOG_RATIOS, bound=Bound.MINIMUM)[0]
    np.testing.assert_allclose(value, binary)
    by_weight = log_e_badness(ints(880, 20), ints(70, 30), good_and_bad, lam=LOG_RATIOS, weight=0.1)
    np.testing.assert_allclose(by_weight, kernel.log_e(ints(50), ints(30), 0.1)[0])


def test_scores_of_one_arm_say_nothing() -> None:
    assert not log_e_badness(ints(0, 0), ints(3, 4), np.array([0.0, 1.0]), lam=LOG_RATIOS, weight=None).any()
