import numpy as np
import pytest

from controlplane.evidence.alternatives import Counts
from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.indices import delay_index, resource_index, success_index
from controlplane.evidence.intervals import stratified_ratio


def test_p_is_successes_over_requests() -> None:
    assert success_index(99, 100).p == 0.99
    assert success_index(0, 5).p == 0.0


def test_p_comes_with_how_much_it_knows() -> None:
    """Trap: 1 of 1 and 1,000 of 1,000 are both P = 1."""
    one, thousand = success_index(1, 1), success_index(1_000, 1_000)
    assert one.p == thousand.p == 1.0
    assert one.interval.low < 0.2
    assert thousand.interval.low > 0.98
    assert one.interval.high == thousand.interval.high == 1.0


def test_a_pooled_p_blames_a_candidate_for_the_incident_that_met_more_of_it() -> None:
    """Trap: the incident of both came at 90 % weight; inside each stratum the versions are alike."""
    calm, incident = Counts(9_000, 90, 1_000, 10), Counts(1_000, 100, 9_000, 900)
    baseline = success_index(10_000 - 190, 10_000).p
    candidate = success_index(10_000 - 910, 10_000).p
    assert (1.0 - candidate) / (1.0 - baseline) > 4.0
    assert stratified_ratio([calm, incident]) == pytest.approx(1.0)


@pytest.mark.parametrize(("s", "n"), [(0, 0), (-1, 5), (6, 5), (1.0, 2), (True, 2), (float("nan"), 5)])
def test_impossible_counts_are_refused(s: int, n: int) -> None:
    with pytest.raises(SeriesError):
        success_index(s, n)


def test_r_is_used_over_available_and_may_pass_1() -> None:
    """Trap: a queue wants more than there is; cut at 1, an overload of ten looks like a full machine."""
    assert resource_index(3.0, 4.0) == 0.75
    assert resource_index(0.0, 4.0) == 0.0
    assert resource_index(40.0, 4.0) == 10.0


@pytest.mark.parametrize(("c", "m"), [(1.0, 0.0), (-1.0, 4.0), (1.0, -4.0), (float("nan"), 4.0), (1.0, float("inf"))])
def test_r_of_nothing_or_of_no_number_is_refused(c: float, m: float) -> None:
    with pytest.raises(SeriesError):
        resource_index(c, m)


def test_d_is_the_difference_in_parts_of_the_reference() -> None:
    assert delay_index([1.2], [1.0], [0.8]) == pytest.approx(0.25)
    assert delay_index([0.8], [1.0], [1.0]) == pytest.approx(-0.2)
    assert delay_index([1.0, 2.0, 3.0], [2.0], [1.0, 1.0]) == 0.0


def test_d_is_not_that_of_one_slow_answer() -> None:
    """Trap: by means, one answer of a minute among a hundred makes the versions differ by half."""
    usual = np.full(100, 1.0)
    slow = np.append(usual, 60.0)
    assert (slow.mean() - usual.mean()) / usual.mean() > 0.5
    assert delay_index(slow, usual, usual) == 0.0


@pytest.mark.parametrize("bad", [[], [0.0], [-1.0, 2.0], [float("nan")]])
def test_times_that_cannot_be_are_refused(bad: list[float]) -> None:
    for times in ((bad, [1.0], [1.0]), ([1.0], bad, [1.0]), ([1.0], [1.0], bad)):
        with pytest.raises(SeriesError):
            delay_index(*times)
