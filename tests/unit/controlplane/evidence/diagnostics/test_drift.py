import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from controlplane.evidence.diagnostics.drift import (
    PSI_ACT,
    Reading,
    bin_by_reference,
    chi_square,
    expected_psi,
    jensen_shannon,
    kolmogorov_smirnov,
    merge_samples,
    psi,
    wasserstein_1,
)
from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError

FLAT = np.full(10, 0.1)
A, B = [10, 20, 30, 40], [15, 25, 25, 35]


def test_psi_by_hand() -> None:
    p, q = (np.array(A) + 0.5) / 102.0, (np.array(B) + 0.5) / 102.0
    assert psi(A, B).value == pytest.approx(float(((q - p) * np.log(q / p)).sum()))


def test_the_others_are_those_of_scipy() -> None:
    assert jensen_shannon(A, B).value == pytest.approx(jensenshannon(A, B) ** 2)
    assert chi_square(A, B).value == pytest.approx(chi2_contingency([A, B], correction=False).statistic)
    prng = np.random.default_rng(1)
    one, other = prng.lognormal(0.0, 1.0, 200), prng.lognormal(0.3, 1.0, 300)
    positions, before, now = merge_samples(one, other)
    assert kolmogorov_smirnov(before, now).value == pytest.approx(ks_2samp(one, other).statistic)
    assert wasserstein_1(before, now, positions).value == pytest.approx(wasserstein_distance(one, other))


def test_psi_of_100_against_100_passes_a_tenth_four_times_in_five_without_drift() -> None:
    """Trap: the .1 rule knows no n. Mean .18 = (B-1)(1/n+1/m); the limit here is passed in 5 % only."""
    prng = np.random.default_rng(2)
    readings = [psi(prng.multinomial(100, FLAT), prng.multinomial(100, FLAT)) for _ in range(2_000)]
    values = np.array([reading.value for reading in readings])
    assert expected_psi(10, 100, 100) == pytest.approx(0.18)
    assert values.mean() == pytest.approx(0.175, abs=0.02)
    assert (values > 0.1).mean() == pytest.approx(0.81, abs=0.05)
    assert np.mean([reading.is_drift for reading in readings]) <= 0.06


def test_with_much_traffic_the_rule_for_people_is_the_larger_limit() -> None:
    """Trap: with millions, what nobody would care about is "significant"."""
    n = 10**7
    reading = psi((FLAT * n).astype(int), (np.array([0.101, 0.099] + [0.1] * 8) * n).astype(int))
    assert reading.value > reading.by_chance
    assert reading.limit == 0.1
    assert not reading.is_drift
    assert psi([1, 9], [9, 1], least=PSI_ACT).limit >= PSI_ACT
    huge = chi_square([10**12, 10**12], [1_001 * 10**9, 999 * 10**9])
    assert huge.value > 1e5
    assert not huge.is_drift


@pytest.mark.parametrize("n", [30, 100, 1_000])
@pytest.mark.parametrize("size", [2, 5, 10, 40])
def test_no_limit_is_passed_more_often_than_it_says_without_drift(n: int, size: int) -> None:
    prng = np.random.default_rng(n + size)
    shares = np.arange(1, size + 1) / np.arange(1, size + 1).sum()
    alarms = np.zeros(5)
    for _ in range(600):
        a, b = prng.multinomial(n, shares), prng.multinomial(n, shares)
        readings = (
            psi(a, b, least=0.0),
            jensen_shannon(a, b, least=0.0),
            kolmogorov_smirnov(a, b),
            wasserstein_1(a, b, np.arange(size)),
            chi_square(a, b, least_v=0.0),
        )
        alarms += [reading.is_drift for reading in readings]
    # 5 %, 2.5 times the Monte-Carlo error, and what discrete counts add.
    assert (alarms / 600.0 <= 0.08).all(), alarms / 600.0


def test_the_limit_of_wasserstein_is_no_wider_than_it_must_be() -> None:
    prng = np.random.default_rng(9)
    alarms = []
    for _ in range(600):
        positions, a, b = merge_samples(prng.lognormal(0.0, 1.0, 400), prng.lognormal(0.0, 1.0, 400))
        alarms.append(wasserstein_1(a, b, positions).is_drift)
    assert 0.025 <= np.mean(alarms) <= 0.075


def test_a_doubling_is_drift_to_each_of_them() -> None:
    prng = np.random.default_rng(3)
    one, other = prng.lognormal(0.0, 0.5, 500), prng.lognormal(0.7, 0.5, 500)
    before, now = bin_by_reference(one, other)
    positions, *raw = merge_samples(one, other)
    readings = [psi(before, now), jensen_shannon(before, now), chi_square(before, now)]
    readings += [kolmogorov_smirnov(*raw), wasserstein_1(*raw, positions)]
    assert all(reading.is_drift for reading in readings)
    assert all(reading.strength > 1.0 for reading in readings)


def test_an_empty_bin_stays_finite() -> None:
    """Trap: the plain formula has a logarithm of 0."""
    assert np.isfinite(psi([0, 100], [100, 0]).value)
    assert jensen_shannon([0, 100], [100, 0]).value == pytest.approx(np.log(2.0))


def test_bins_of_equal_width_hide_what_bins_by_quantiles_show() -> None:
    """Trap: ten equal bins up to the largest latency put nearly all of a heavy tail into the first."""
    prng = np.random.default_rng(4)
    one = np.append(prng.lognormal(0.0, 0.5, 2_000), 1_000.0)
    other = np.append(prng.lognormal(0.7, 0.5, 2_000), 1_000.0)
    edges = np.linspace(0.0, 1_000.0, 11)
    assert not psi(np.histogram(one, edges)[0], np.histogram(other, edges)[0]).is_drift
    assert psi(*bin_by_reference(one, other)).is_drift


def test_a_value_that_most_points_have_is_a_bin_of_its_own() -> None:
    before, now = bin_by_reference([0.0] * 60 + list(range(1, 41)), [0.0] * 30 + list(range(1, 71)))
    assert before[0] == 60
    assert now[0] == 30
    assert before.sum() == now.sum() == 100


def test_thin_bins_are_put_together_before_chi_square() -> None:
    """Cochran 1954: 40 bins with one each are no chi-square."""
    thin = chi_square([500, 500] + [1] * 40, [500, 500] + [1] * 40, least_v=0.0)
    assert thin.limit == pytest.approx(5.991, abs=1e-3)
    assert chi_square([1, 1], [1, 1]).value == 0.0
    one_thin = chi_square([500, 100, 1], [400, 200, 1], least_v=0.0)
    assert one_thin == chi_square([500, 101], [400, 201], least_v=0.0)


def test_the_same_counts_never_drift_and_order_matters_only_where_it_should() -> None:
    assert not any(each(A, A).is_drift for each in (psi, jensen_shannon, chi_square, kolmogorov_smirnov))
    shuffled = [3, 1, 0, 2]
    one, other = np.array(A), np.array([40, 10, 20, 30])
    for each in (psi, jensen_shannon, chi_square):
        assert each(one, other).value == pytest.approx(each(one[shuffled], other[shuffled]).value)
    assert wasserstein_1(A, A, [0, 1, 2, 3]).value == 0.0


def test_wasserstein_has_the_unit_of_its_positions() -> None:
    moved = wasserstein_1([10, 0, 0], [0, 0, 10], [0.0, 1.0, 3.0])
    assert moved.value == pytest.approx(3.0)
    assert wasserstein_1([10, 0, 0], [0, 0, 10], [0.0, 1_000.0, 3_000.0]).value == pytest.approx(3_000.0)


def test_many_different_values_are_looked_at_in_bounded_work() -> None:
    prng = np.random.default_rng(5)
    positions, a, b = merge_samples(prng.standard_normal(5_000), prng.standard_normal(5_000))
    assert not wasserstein_1(a, b, positions).is_drift


def test_bins_that_nobody_is_in_say_nothing() -> None:
    assert psi([*A, 0], [*B, 0]) == psi(A, B)
    assert not psi([5, 0], [7, 0]).is_drift
    assert not wasserstein_1([5, 0], [7, 0], [0, 1]).is_drift


def test_a_reading_without_a_limit_has_no_strength() -> None:
    assert Reading("psi", 0.0, 0.0, 0.0).strength == 0.0


@pytest.mark.parametrize("bad", [[-1, 2], [0, 0], [], [0.5, 0.5], [float("nan"), 1.0]])
def test_bad_counts_are_refused(bad: list[float]) -> None:
    for each in (psi, jensen_shannon, kolmogorov_smirnov, chi_square):
        with pytest.raises(SeriesError):
            each(bad, [1, 2])
    with pytest.raises(SeriesError):
        wasserstein_1(bad, [1, 2], [0, 1])


def test_lengths_one_bin_positions_and_settings_are_refused() -> None:
    with pytest.raises(SeriesError):
        psi([1, 2, 3], [1, 2])
    with pytest.raises(SeriesError, match="one bin"):
        psi([3], [4])
    with pytest.raises(SeriesError, match="grow"):
        wasserstein_1([1, 2], [1, 2], [1, 1])
    with pytest.raises(SeriesError):
        psi(A, B, least=-1.0)
    with pytest.raises(SettingError):
        bin_by_reference([1.0] * 50, [1.0], bins=1)
    with pytest.raises(TooFewError):
        bin_by_reference([1.0] * 19, [1.0])


def test_few_observations_in_many_bins_are_no_drift_to_jensen_and_shannon() -> None:
    """Trap: 30 in 40 bins overlap by luck alone; thin bins are put together before it is worked out."""
    prng = np.random.default_rng(6)
    shares = np.full(40, 1.0 / 40.0)
    alarms = [
        jensen_shannon(prng.multinomial(30, shares), prng.multinomial(30, shares), least=0.0).is_drift
        for _ in range(300)
    ]
    assert np.mean(alarms) <= 0.08
