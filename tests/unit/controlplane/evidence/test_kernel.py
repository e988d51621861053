"""The kernel, by exact enumeration of who sits where."""

import math

import numpy as np
import pytest

from controlplane.evidence.kernel import LOG_RATIOS, RATIOS, STAKES, log_e


def mean_e(keys: int, candidate_share: float, weight: float) -> np.ndarray:
    """The mean e-value per ratio when each of `keys` failing keys is the candidate's with `candidate_share`."""
    total = np.zeros(len(RATIOS))
    for k in range(keys + 1):
        chance = math.comb(keys, k) * candidate_share**k * (1 - candidate_share) ** (keys - k)
        total += chance * np.exp(log_e(np.array([keys]), np.array([k]), weight))[0]
    return total


@pytest.mark.parametrize("keys", [0, 1, 2, 7, 30])
@pytest.mark.parametrize("weight", [0.0001, 0.01, 0.1, 0.5, 0.9, 0.9999])
def test_the_mean_under_equal_arms_is_exactly_one(keys: int, weight: float) -> None:
    np.testing.assert_allclose(mean_e(keys, weight, weight), 1.0, rtol=1e-9)


@pytest.mark.parametrize("better", [0.0, 0.3, 0.9])
def test_the_mean_under_a_better_candidate_is_below_one(better: float) -> None:
    assert (mean_e(5, 0.5 * better, 0.5) < 1.0).all()


def test_the_formula_is_the_documents() -> None:
    """lam*kB - K*ln(1 + w(e^lam - 1)), with lam the logarithm of the ratio."""
    expected = [3 * math.log(ratio) - 4 * math.log(1 + 0.1 * (ratio - 1)) for ratio in RATIOS]
    np.testing.assert_allclose(log_e(np.array([4]), np.array([3]), 0.1), [expected])
    np.testing.assert_allclose(np.exp(LOG_RATIOS), RATIOS)


def test_evidence_adds_up_over_strata_of_one_weight_however_they_are_cut() -> None:
    whole = log_e(np.array([9]), np.array([4]), 0.25)
    parts = log_e(np.array([5]), np.array([4]), 0.25) + log_e(np.array([4]), np.array([0]), 0.25)
    np.testing.assert_allclose(whole, parts)


def test_an_incident_that_hits_both_arms_alike_says_nothing_for_long() -> None:
    """1,000 failing keys split by the weight: every ratio's evidence falls."""
    assert (log_e(np.array([1000]), np.array([100]), 0.1) < 0).all()


def test_the_stakes_on_the_ratios_sum_to_one() -> None:
    assert math.fsum(STAKES) == pytest.approx(1.0)
    assert len(STAKES) == len(RATIOS)
