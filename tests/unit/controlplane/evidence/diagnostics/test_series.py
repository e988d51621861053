import numpy as np
import pytest

from controlplane.evidence.diagnostics import series
from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.errors import EvidenceError


def test_good_numbers_come_back_as_floats() -> None:
    assert series.finite([1, 2], name="x").dtype == np.float64
    assert series.counted([0, 10**12], name="x").tolist() == [0.0, 1e12]
    assert np.isnan(series.with_gaps([1.0, float("nan")], name="x")[1])


@pytest.mark.parametrize("bad", [[1.0, float("nan")], [float("inf")], [-1e61], [[1.0], [2.0]], ["a"], [None, 1.0], 3.0])
def test_what_is_no_series_of_finite_numbers_is_refused_with_a_next_step(bad: object) -> None:
    with pytest.raises(SeriesError) as fault:
        series.finite(bad, name="latency")  # type: ignore[arg-type]
    assert "latency" in str(fault.value)
    assert "; next: " in str(fault.value)


def test_what_is_nearer_to_0_than_any_unit_leads_is_0() -> None:
    assert series.finite([1e-61, -1e-300, 1e-59], name="x").tolist() == [0.0, 0.0, 1e-59]
    assert series.table([[1e-61]], name="x").tolist() == [[0.0]]


def test_tallies_may_all_be_0_or_none() -> None:
    assert series.tallies([0, 0], name="x").tolist() == [0.0, 0.0]
    assert series.tallies([], name="x").tolist() == []


def test_too_few_points_say_how_many_are_needed() -> None:
    with pytest.raises(TooFewError) as fault:
        series.finite([], name="latency")
    assert (fault.value.found, fault.value.needed) == (0, 1)


@pytest.mark.parametrize("bad", [[-1, 2], [0.5, 1], [2**53, 1], [0, 0], [], [float("nan")]])
def test_counts_are_whole_not_negative_exact_and_not_all_zero(bad: list[float]) -> None:
    with pytest.raises(SeriesError):
        series.counted(bad, name="bins")


@pytest.mark.parametrize("bad", [[], [[]], [1.0, 2.0], [[1.0], [float("nan")]], [[1.0], [1.0, 2.0]], [[float("inf")]]])
def test_a_table_has_rows_and_columns_of_finite_numbers(bad: object) -> None:
    with pytest.raises(SeriesError):
        series.table(bad, name="rows")  # type: ignore[arg-type]


def test_a_table_has_the_columns_of_the_fit() -> None:
    with pytest.raises(SeriesError, match="2 columns, the model has 3"):
        series.table([[1.0, 2.0]], name="rows", columns=3)


def test_lengths_must_agree() -> None:
    with pytest.raises(SeriesError, match=r"\[1, 2\]"):
        series.same_length("a and b", np.zeros(1), np.zeros(2))


def test_a_setting_outside_its_range_is_named() -> None:
    with pytest.raises(SettingError, match="alpha is 0"):
        series.within("alpha", 0.0, low=0.0, high=1.0)
    with pytest.raises(SettingError):
        series.within("alpha", float("nan"), low=0.0, high=1.0)
    assert series.within("alpha", 1.0, low=0.0, high=1.0) == 1.0


def test_every_error_is_one_of_the_judges_with_a_code_of_its_own() -> None:
    codes = {kind.code for kind in (EvidenceError, SeriesError, TooFewError, SettingError)}
    assert len(codes) == 4
    assert issubclass(SeriesError, EvidenceError)
    assert issubclass(SettingError, EvidenceError)
