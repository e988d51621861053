import numpy as np
import pytest

from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.outputs import OutputDrift


def test_equal_answers_reach_the_limit_at_any_look_in_no_more_than_alpha_of_all_runs() -> None:
    """Looked at after each of 60 slots of a ramp, with classes whose shares move together: 5 % at most."""
    prng = np.random.default_rng(1)
    alarms = 0
    for _ in range(100):
        drift, highest = OutputDrift(3), 0.0
        for slot in range(60):
            weight = 0.1 + 0.8 * slot / 60.0
            shares = np.array([0.7, 0.2, 0.1]) if slot < 30 else np.array([0.4, 0.4, 0.2])
            b = prng.binomial(30, weight)
            drift.add(prng.multinomial(30 - b, shares), prng.multinomial(b, shares))
            highest = max(highest, drift.log_e())
        alarms += highest >= -np.log(0.05)
    assert alarms / 100.0 <= 0.05


@pytest.mark.parametrize(
    ("baseline", "candidate", "has_more"), [((90, 10), (60, 40), True), ((60, 40), (90, 10), False)]
)
def test_other_answers_are_found_in_both_directions(
    baseline: tuple[int, int], candidate: tuple[int, int], has_more: bool
) -> None:
    drift = OutputDrift(2)
    for _ in range(5):
        drift.add(baseline, candidate)
    assert drift.log_e() > -np.log(1e-6)
    bin_, more = drift.top()
    assert more is (has_more if bin_ == 1 else not has_more)


def test_nothing_and_an_idle_version_say_nothing() -> None:
    drift = OutputDrift(2)
    assert drift.log_e() == pytest.approx(0.0)
    drift.add([5, 5], [0, 0])
    assert drift.log_e() == pytest.approx(0.0)


def test_strata_may_come_in_any_order() -> None:
    one, other = OutputDrift(2), OutputDrift(2)
    strata = [([9, 1], [5, 5]), ([3, 3], [2, 4]), ([100, 1], [1, 100])]
    for baseline, candidate in strata:
        one.add(baseline, candidate)
    for baseline, candidate in reversed(strata):
        other.add(baseline, candidate)
    assert one.log_e() == pytest.approx(other.log_e())


@pytest.mark.parametrize("bad", [[-1, 1], [0.5, 1], [float("nan"), 1], [1, 2, 3], [], [2**60, 1]])
def test_bad_counts_are_refused_and_change_nothing(bad: list[float]) -> None:
    drift = OutputDrift(2)
    with pytest.raises(SeriesError):
        drift.add([1, 1], bad)
    assert drift.log_e() == pytest.approx(0.0)


@pytest.mark.parametrize("bins", [1, 257])
def test_bins_are_bounded(bins: int) -> None:
    with pytest.raises(SeriesError):
        OutputDrift(bins)
