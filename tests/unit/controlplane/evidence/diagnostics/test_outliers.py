import numpy as np
import pytest

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.diagnostics.outliers import (
    MODIFIED_Z_LIMIT,
    Quartiles,
    false_alarms_a_day,
    iqr_fences,
    largest_z,
    modified_z,
    three_sigma,
    z_scores,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, 7.1.6: 90 values, Q1 429.75, Q3 742.25, 1441 is an outlier.
NIST = [30, 171, 184, 201, 212, 250, 265, 270, 272, 289, 305, 306, 322, 322, 336, 346, 351, 370, 390, 404, 409, 411]
NIST += [436, 437, 439, 441, 444, 448, 451, 453, 470, 480, 482, 487, 494, 495, 499, 503, 514, 521, 522, 527, 548, 550]
NIST += [559, 560, 570, 572, 574, 578, 585, 592, 592, 607, 616, 618, 621, 629, 637, 638, 640, 656, 668, 707, 709, 719]
NIST += [737, 739, 752, 758, 766, 792, 792, 794, 802, 818, 830, 832, 843, 858, 860, 869, 918, 925, 953, 991, 1000, 1005]
NIST += [1068, 1441]


@pytest.mark.parametrize("n", [2, 3, 10, 11, 30])
def test_a_point_inside_its_own_baseline_has_a_z_of_at_most_n_minus_1_over_root_n(n: int) -> None:
    """Trap: 3-sigma can never fire for n <= 10, however large the value."""
    scores = z_scores([0.0] * (n - 1) + [1e9])
    assert scores[-1] == pytest.approx(largest_z(n))
    assert (largest_z(n) > 3.0) is (n > 10)


def test_against_other_points_the_same_value_is_seen_at_once() -> None:
    reference = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]
    assert three_sigma([1e9, 1.5], reference).tolist() == [True, False]


def test_3_sigma_at_one_point_a_second_is_wrong_233_times_a_day() -> None:
    assert false_alarms_a_day(3.0, period_s=1.0) == pytest.approx(233.3, abs=0.1)
    assert 86_400.0 / false_alarms_a_day(3.0, period_s=1.0) == pytest.approx(370.4, abs=0.1)


def test_3_sigma_holds_its_rate_on_new_points_of_a_long_reference() -> None:
    prng = np.random.default_rng(1)
    rate = np.mean([three_sigma(prng.standard_normal(200), prng.standard_normal(500)).mean() for _ in range(200)])
    assert rate == pytest.approx(0.0027, abs=0.001)


def test_z_scores_of_equal_values_are_0() -> None:
    """Zero variance is a stated no-op."""
    assert z_scores([0.1] * 7).tolist() == [0.0] * 7
    assert modified_z([0.1] * 7).tolist() == [0.0] * 7


def test_modified_z_by_hand() -> None:
    """Median 2.45, absolute deviations .05 .15 .15 .15 .15 .35 .35 5.75: MAD .15."""
    scores = modified_z([2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.6, 8.2])
    assert scores[-1] == pytest.approx(0.6745 * 5.75 / 0.15)
    assert (np.abs(scores) > MODIFIED_Z_LIMIT).tolist() == [False] * 7 + [True]


def test_two_outliers_hide_each_other_from_the_mean_but_not_from_the_median() -> None:
    """Trap: masking."""
    values = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]
    assert np.abs(z_scores(values)).max() < 2.0
    assert (np.abs(modified_z(values)) > MODIFIED_Z_LIMIT).tolist() == [False] * 8 + [True] * 2


def test_where_more_than_half_are_equal_the_mean_deviation_stands_in() -> None:
    """Trap: a MAD of 0 would divide by 0, or make everything an outlier. Mean deviation 10/11."""
    values = [0.0] * 10 + [10.0]
    assert modified_z(values)[-1] == pytest.approx(10.0 / (1.253314 * 10.0 / 11.0))
    assert modified_z(values)[0] == 0.0


def test_fences_are_those_of_nists_example_by_nists_quartiles() -> None:
    """Q1 = 429.75, Q3 = 742.25; inner fences -39 and 1211, outer -507.75 and 1679.75."""
    inner = iqr_fences(NIST, quartiles=Quartiles.NIST)
    outer = iqr_fences(NIST, factor=3.0, quartiles=Quartiles.NIST)
    assert (inner.low, inner.high) == pytest.approx((-39.0, 1211.0))
    assert (outer.low, outer.high) == pytest.approx((-507.75, 1679.75))
    assert inner.beyond(NIST).tolist() == [False] * 89 + [True]
    assert not outer.beyond(NIST).any()


@pytest.mark.parametrize("quartiles", Quartiles)
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([21, 23, 24, 25, 50, 29, 23, 21], [False] * 4 + [True] + [False] * 3),
        ([1, 1, 1, 5, -1, -1, -1, -5], [False, False, False, True, False, False, False, True]),
    ],
)
def test_kayentas_detector_cases_have_the_same_outliers(
    values: list[float], expected: list[bool], quartiles: Quartiles
) -> None:
    """spinnaker/kayenta, DetectorSuite: IQR detection, one-sided and two-sided."""
    assert iqr_fences(values, quartiles=quartiles).beyond(values).tolist() == expected


def test_the_two_conventions_of_a_quartile_can_part_on_one_and_the_same_value() -> None:
    """Trap: state the convention; on eight points it moves the fence by more than a quarter."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 14.5]
    linear, nist = (iqr_fences(values, quartiles=each) for each in (Quartiles.LINEAR, Quartiles.NIST))
    assert linear.beyond([13.0]).tolist() == [True]
    assert nist.beyond([13.0]).tolist() == [False]


def test_no_values_are_beyond_no_fence() -> None:
    assert iqr_fences([1, 2, 3, 4]).beyond([]).tolist() == []


@pytest.mark.parametrize("bad", [[], [float("nan")] * 20, [float("inf")] * 20, [1.0]])
def test_bad_series_are_refused(bad: list[float]) -> None:
    for call in (
        lambda: z_scores(bad),
        lambda: modified_z(bad),
        lambda: iqr_fences(bad),
        lambda: three_sigma([1.0], bad),
    ):
        with pytest.raises(SeriesError):
            call()


def test_a_reference_that_never_moved_or_is_short_is_refused() -> None:
    with pytest.raises(SeriesError, match="equal"):
        three_sigma([1.0], [0.1] * 20)
    with pytest.raises(TooFewError):
        three_sigma([1.0], [1.0, 2.0] * 4)
    with pytest.raises(SettingError):
        three_sigma([1.0], [1.0, 2.0] * 9, width=0.0)
    with pytest.raises(SettingError):
        iqr_fences([1, 2, 3, 4], factor=0.0)
    with pytest.raises(SettingError):
        false_alarms_a_day(3.0, period_s=0.0)
