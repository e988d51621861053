import math

import numpy as np
import pytest

from controlplane.evidence.srm import log_bayes_factor, observed_share, p_value


def exact(k: int, n: int, w: float) -> float:
    chances = [math.comb(n, i) * w**i * (1 - w) ** (n - i) for i in range(n + 1)]
    return min(1.0, 2 * min(math.fsum(chances[: k + 1]), math.fsum(chances[k:])))


@pytest.mark.parametrize("n", [1, 2, 10, 40])
@pytest.mark.parametrize("weight_bp", [1, 1000, 5000, 9999])
def test_the_p_value_is_the_exact_doubled_tail(n: int, weight_bp: int) -> None:
    for k in range(n + 1):
        assert p_value(k, n, weight_bp) == pytest.approx(exact(k, n, weight_bp / 1e4), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("weight_bp", [0, 5000, 10_000])
def test_without_keys_every_split_is_plausible(weight_bp: int) -> None:
    assert observed_share(0, 0, weight_bp).is_plausible


@pytest.mark.parametrize(
    ("candidate", "weight_bp", "p"), [(0, 0, 1.0), (1, 0, 0.0), (9, 10_000, 1.0), (8, 10_000, 0.0)]
)
def test_at_the_ends_one_key_on_the_wrong_side_is_a_fault(candidate: int, weight_bp: int, p: float) -> None:
    assert p_value(candidate, 9, weight_bp) == p


def test_a_split_far_from_the_weight_is_implausible_and_one_near_is_not() -> None:
    assert observed_share(520, 1000, 5000).is_plausible
    share = observed_share(100, 1000, 5000)
    assert (share.candidate_keys, share.keys, share.weight_bp) == (100, 1000, 5000)
    assert not share.is_plausible
    assert share.p_value < 1e-100


@pytest.mark.parametrize("weight_bp", [100, 5000])
@pytest.mark.parametrize("n", [1, 7, 30])
def test_the_mean_of_the_bayes_factor_under_the_weight_in_force_is_one(n: int, weight_bp: int) -> None:
    w = weight_bp / 1e4
    chances = [math.comb(n, k) * w**k * (1 - w) ** (n - k) for k in range(n + 1)]
    mean = math.fsum(chance * math.exp(log_bayes_factor(k, n, weight_bp)) for k, chance in enumerate(chances))
    assert mean == pytest.approx(1.0)


def test_looking_at_every_key_raises_no_more_alarms_than_promised() -> None:
    """2,000 paths of 2,000 keys at 10 %, at a level that can be measured: one in twenty instead of one in a thousand."""
    rng = np.random.default_rng(1)
    running = (rng.random((2000, 2000)) < 0.1).cumsum(axis=1)
    alarmed = np.zeros(2000, dtype=bool)
    for n in range(10, 2001, 10):
        counts = running[:, n - 1]
        for k in np.unique(counts):
            if log_bayes_factor(int(k), n, 1000) >= math.log(20):
                alarmed |= counts == k
    assert alarmed.mean() <= 0.05


def test_a_split_that_is_off_by_a_tenth_is_seen_within_ten_thousand_keys() -> None:
    assert not observed_share(5500, 10_000, 5000).is_plausible
    assert observed_share(5150, 10_000, 5000).is_plausible


def test_an_impossible_key_is_an_alarm_at_once() -> None:
    assert not observed_share(1, 5, 0).is_plausible
    assert observed_share(5, 5, 10_000).is_plausible
