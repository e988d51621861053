import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.stats import multivariate_normal
from sklearn.covariance import OAS

from controlplane.evidence.diagnostics.errors import SeriesError, TooFewError
from controlplane.evidence.diagnostics.gaussian import GaussianModel, Moments

PRNG = np.random.default_rng(1)
MIX = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 2.0]])
ROWS = PRNG.standard_normal((20_000, 3)) @ MIX + np.array([5.0, -3.0, 100.0])


def model_of(rows: np.ndarray) -> GaussianModel:
    return GaussianModel.fit(Moments.of(rows))


def test_the_distance_is_that_of_mahalanobis() -> None:
    model = model_of(ROWS)
    expected = [
        mahalanobis(row, ROWS.mean(axis=0), np.linalg.inv(np.cov(ROWS, rowvar=False))) ** 2 for row in ROWS[:20]
    ]
    assert model.distance(ROWS[:20]).squared == pytest.approx(expected, rel=1e-2)
    assert model.shrinkage < 1e-3


def test_the_density_is_that_of_the_normal_law() -> None:
    expected = multivariate_normal(ROWS.mean(axis=0), np.cov(ROWS, rowvar=False)).logpdf(ROWS[:9])
    assert model_of(ROWS).log_density(ROWS[:9]) == pytest.approx(expected, abs=0.02)


def test_moments_merge_to_those_of_all_rows_in_any_order() -> None:
    """Chan, Golub & LeVeque 1983; also where the mean is huge beside the spread."""
    rows = ROWS[:300] + 1e9
    parts = [Moments.of(rows[:7]), Moments.of(rows[7:8]), Moments.of(rows[8:])]
    whole = Moments.of(rows)
    for merged in (parts[0].merge(parts[1]).merge(parts[2]), parts[2].merge(parts[0].merge(parts[1]))):
        assert merged.n == 300
        assert merged.mean == pytest.approx(whole.mean)
        assert merged.scatter == pytest.approx(whole.scatter, rel=1e-6, abs=1e-3)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_p_values_of_new_rows_keep_their_rate_with_few_rows_fitted(k: int) -> None:
    """Trap: against chi-square, 26 rows of 5 columns would call four times as many far."""
    prng = np.random.default_rng(k)
    n = 5 * k + 1 if k > 1 else 12
    p = np.concatenate(
        [model_of(prng.standard_normal((n, k))).distance(prng.standard_normal((20, k))).p_value for _ in range(400)]
    )
    assert (p < 0.05).mean() <= 0.06


def test_too_few_rows_for_the_columns_are_refused() -> None:
    """Trap: n must be above 5k."""
    with pytest.raises(TooFewError, match="5 a column"):
        model_of(ROWS[:15])
    assert model_of(ROWS[:16]).n == 16


def test_a_copy_of_a_column_is_shrunk_and_breaking_with_it_is_far() -> None:
    """Trap: a singular covariance has no inverse."""
    twins = np.column_stack([ROWS[:200, 0], ROWS[:200, 0]])
    model = model_of(twins)
    mean, sigma = twins.mean(axis=0), twins.std(axis=0)
    together, apart = model.distance([mean + sigma, mean + sigma * np.array([1.0, -1.0])]).squared
    assert np.isfinite([together, apart]).all()
    assert apart > 20.0 * together


def test_the_column_that_broke_with_the_others_is_named_not_the_one_with_the_largest_z() -> None:
    """Trap: of two columns that move together and one alone, 2 sigma high in all, the one that stayed behind broke."""
    prng = np.random.default_rng(5)
    load = prng.standard_normal(2_000)
    rows = np.column_stack([load, load + 0.1 * prng.standard_normal(2_000), prng.standard_normal(2_000)])
    distance = model_of(rows).distance([[0.0, 1.5, -2.5]])
    assert distance.p_value[0] < 1e-6
    assert distance.top[0] in (0, 1)


def test_p_values_have_no_units_and_densities_have() -> None:
    """Trap: a threshold on a density means nothing once seconds became milliseconds."""
    seconds, milliseconds = ROWS[:500], ROWS[:500] * 1_000.0
    row = ROWS[600:601]
    p_s, p_ms = model_of(seconds).distance(row).p_value, model_of(milliseconds).distance(row * 1_000.0).p_value
    assert p_s == pytest.approx(p_ms)
    density_s, density_ms = model_of(seconds).log_density(row), model_of(milliseconds).log_density(row * 1_000.0)
    assert density_s - density_ms == pytest.approx(3.0 * np.log(1_000.0))


def test_shrinkage_is_that_of_scikit_learn() -> None:
    """OAS, on standardised rows."""
    rows = PRNG.standard_normal((40, 6)) @ PRNG.standard_normal((6, 6))
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    assert model_of(rows).shrinkage == pytest.approx(OAS().fit(scaled).shrinkage_, rel=1e-9)


def test_columns_that_never_move_are_named() -> None:
    rows = np.column_stack([ROWS[:50, 0], np.full(50, 0.1)])
    with pytest.raises(SeriesError, match=r"\[1\]"):
        model_of(rows)


def test_bad_rows_are_refused() -> None:
    model = model_of(ROWS[:100])
    for call in (
        lambda: Moments.of([]),
        lambda: Moments.of([[float("nan")]]),
        lambda: model.distance([[1.0, 2.0]]),
        lambda: Moments.of([[1.0]]).merge(Moments.of([[1.0, 2.0]])),
    ):
        with pytest.raises(SeriesError):
            call()
