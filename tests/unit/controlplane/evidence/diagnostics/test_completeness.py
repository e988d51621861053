import numpy as np
import pytest
from scipy.stats import f as f_law
from scipy.stats import ttest_ind

from controlplane.evidence.diagnostics.completeness import Check, Missing, mean_check, missing_check, spread_check
from controlplane.evidence.diagnostics.errors import SeriesError, TooFewError

NAN = float("nan")


def test_missing_values_are_counted() -> None:
    assert Missing.of([1.0, NAN, 3.0, NAN]) == Missing(2, 4)
    assert Missing.of([]).share == 0.0


def test_a_mean_of_what_is_left_hides_what_the_count_of_the_missing_shows() -> None:
    """Trap: slow answers time out and have no latency, so the mean of the rest looks fine."""
    prng = np.random.default_rng(1)
    before = prng.normal(1.0, 0.2, 500)
    after = np.append(prng.normal(1.0, 0.2, 450), np.full(50, NAN))
    assert mean_check(before, after[np.isfinite(after)]).p_value > 0.01
    check = missing_check(Missing.of(before), Missing.of(after))
    assert check.change == pytest.approx(0.1)
    assert check.p_value < 1e-9


def test_a_nan_never_enters_a_mean() -> None:
    """Trap: one NaN makes a sum NaN, and NaN is above no limit."""
    with pytest.raises(SeriesError, match="no number at 1"):
        mean_check([1.0, NAN], [1.0, 2.0])


@pytest.mark.parametrize(
    ("reference", "current"),
    [(Missing(0, 0), Missing(5, 5)), (Missing(0, 9), Missing(0, 9)), (Missing(9, 9), Missing(9, 9))],
)
def test_without_values_or_without_a_difference_the_check_says_nothing(reference: Missing, current: Missing) -> None:
    assert missing_check(reference, current).p_value == 1.0


def test_the_check_of_missing_values_keeps_its_rate() -> None:
    prng = np.random.default_rng(2)
    p = [
        missing_check(Missing(int(prng.binomial(200, 0.05)), 200), Missing(int(prng.binomial(90, 0.05)), 90)).p_value
        for _ in range(2_000)
    ]
    assert (np.array(p) < 0.05).mean() <= 0.06


@pytest.mark.parametrize(("missing", "total"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(missing: int, total: int) -> None:
    with pytest.raises(SeriesError):
        Missing(missing, total)


def test_the_mean_is_checked_by_welch() -> None:
    prng = np.random.default_rng(3)
    one, other = prng.normal(0.0, 1.0, 40), prng.normal(0.5, 3.0, 25)
    assert mean_check(one, other).p_value == pytest.approx(ttest_ind(one, other, equal_var=False).pvalue)
    assert mean_check(one, other).change == pytest.approx(other.mean() - one.mean())


def test_means_of_values_that_never_move_are_equal_or_not() -> None:
    assert mean_check([0.25] * 3, [0.25] * 5) == Check(0.0, 1.0)
    assert mean_check([0.1] * 3, [0.1] * 5).p_value == 1.0
    assert mean_check([0.1] * 3, [0.2] * 5).p_value == 0.0


def test_the_spread_of_a_heavy_tail_is_not_called_different_as_the_f_test_does() -> None:
    """Trap: the F test assumes a normal law; on lognormal latencies it is wrong half the time."""
    prng = np.random.default_rng(4)
    ours, theirs = [], []
    for _ in range(500):
        one, other = prng.lognormal(0.0, 0.8, 200), prng.lognormal(0.0, 0.8, 200)
        ours.append(spread_check(one, other).p_value)
        ratio = other.var(ddof=1) / one.var(ddof=1)
        theirs.append(2.0 * min(f_law.sf(ratio, 199, 199), f_law.cdf(ratio, 199, 199)))
    assert (np.array(theirs) < 0.05).mean() > 0.4
    assert (np.array(ours) < 0.05).mean() < 0.08


def test_a_doubled_spread_is_found() -> None:
    prng = np.random.default_rng(5)
    check = spread_check(prng.normal(0.0, 1.0, 300), prng.normal(0.0, 2.0, 300))
    assert check.change == pytest.approx(2.0, rel=0.15)
    assert check.p_value < 1e-6


def test_too_few_points_or_none_that_move_are_refused() -> None:
    with pytest.raises(TooFewError):
        mean_check([1.0], [1.0, 2.0])
    with pytest.raises(TooFewError):
        spread_check([1.0, 2.0] * 9, [1.0, 2.0] * 20)
    with pytest.raises(SeriesError, match="equal"):
        spread_check([1.0] * 20, [1.0, 2.0] * 10)
    with pytest.raises(SeriesError, match="equal"):
        spread_check([1.0, 2.0] * 10, [1.0] * 20)
