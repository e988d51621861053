import numpy as np
import pytest

from controlplane.evidence.diagnostics.annotate import CELLS, ArmSlots, annotate
from controlplane.evidence.diagnostics.annotation import Cause, Effect
from controlplane.evidence.diagnostics.errors import SeriesError
from tests.unit.controlplane.evidence.diagnostics.slots import SLOTS, late, run, steady


@pytest.mark.parametrize("rate", [0.005, 0.05])
def test_versions_that_stay_as_they_were_are_seldom_annotated(rate: float) -> None:
    noted = [bool(run(seed, (steady(rate), steady(rate)))) for seed in range(150)]
    assert np.mean(noted) <= 0.05


def test_a_candidate_that_changes_alone_is_named_and_never_more_than_noted() -> None:
    found = [run(seed, (steady(0.01), late(0.01, then=0.05))) for seed in range(20)]
    charts = [[each for each in run_ if each.method == "ewma-chart"] for run_ in found]
    assert all([each.cause for each in run_] == [Cause.CANDIDATE_CHANGED] for run_ in charts)
    assert {each.effect for run_ in found for each in run_} == {Effect.NOTE}


def test_a_baseline_that_changes_alone_is_named() -> None:
    (only, *_) = run(1, (late(0.01, then=0.10), steady(0.01)))
    assert only.cause is Cause.BASELINE_CHANGED


def test_an_incident_of_both_points_at_what_they_share_and_at_neither() -> None:
    """Trap: a candidate's chart alone would accuse it of the incident."""
    causes = [{each.cause for each in run(seed, (late(0.01, then=0.06),) * 2)} for seed in range(20)]
    assert all(Cause.BOTH_CHANGED in each for each in causes)
    assert not any({Cause.CANDIDATE_CHANGED, Cause.BASELINE_CHANGED} & each for each in causes)


def test_the_silence_of_a_version_with_few_requests_does_not_accuse_the_other() -> None:
    """Trap: in a small incident of both, the chart of the version with a tenth of the requests seldom alarms."""
    found = [run(seed, (late(0.01, then=0.02),) * 2) for seed in range(100)]
    causes = [{each.cause for each in run_} for run_ in found]
    alone = [bool({Cause.CANDIDATE_CHANGED, Cause.BASELINE_CHANGED} & each) for each in causes]
    assert np.mean(alone) <= 0.05
    assert np.mean([Cause.BOTH_CHANGED in each for each in causes]) >= 0.5


def test_where_the_other_version_cannot_be_compared_nobody_is_named() -> None:
    """One without requests, and one with so few that one failure fits a rise and none at all."""
    requests, bad = np.full(450, 100), np.where(np.arange(450) < 300, 1, 5)
    few = ArmSlots(np.ones(450), np.where(np.arange(450) % 90 == 0, 1, 0))
    for other in (ArmSlots(np.zeros(450), np.zeros(450)), few):
        found = annotate("errors", other, ArmSlots(requests, bad))
        charted = [each for each in found if each.method == "ewma-chart"]
        assert [each.cause for each in charted] == [Cause.UNUSUAL]
        assert "too few requests to compare" in charted[0].sentence


def test_users_who_always_fail_widen_the_chart_instead_of_alarming_it() -> None:
    """Trap: sticky failures scatter more than chance; the reference's own scatter sets the scale."""
    prng = np.random.default_rng(3)
    noted = 0
    for _ in range(60):
        requests = np.full(SLOTS, 50)
        bursts = [prng.binomial(requests, prng.beta(0.5, 19.5, SLOTS)) for _ in range(2)]
        noted += bool(annotate("errors", ArmSlots(requests, bursts[0]), ArmSlots(requests, bursts[1])))
    assert noted / 60 <= 0.15


def test_values_missing_for_one_version_ask_to_hold() -> None:
    requests, bad = [100] * 60, [1] * 60
    found = annotate("latency", ArmSlots(requests, bad, [0] * 60), ArmSlots(requests, bad, [5] * 60))
    assert [(each.cause, each.effect) for each in found] == [(Cause.DATA_MISSING, Effect.HOLD)]
    assert "5.0% of the candidate's" in found[0].sentence
    assert annotate("latency", ArmSlots(requests, bad, [5] * 60), ArmSlots(requests, bad, [5] * 60)) == ()


def test_a_last_moment_that_stands_out_is_told() -> None:
    requests = np.full(450, 100)
    bad = np.random.default_rng(5).binomial(requests, 0.05)
    bad[-10:] = 40
    found = annotate("errors", ArmSlots(requests, bad), ArmSlots(requests, np.full(450, 5)))
    assert "modified-z" in {each.method for each in found}


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        (ArmSlots([], []), ArmSlots([], [])),
        (ArmSlots([5] * 9, [1] * 9), ArmSlots([5] * 9, [0] * 9)),
        (ArmSlots([0] * 90, [0] * 90), ArmSlots([0] * 90, [0] * 90)),
        (ArmSlots([9] * 90, [0] * 90), ArmSlots([0] * 90, [0] * 90)),
        (ArmSlots([9] * 90, [9] * 90), ArmSlots([9] * 90, [9] * 90)),
        (ArmSlots([9] * 90, [0] * 90), ArmSlots([9] * 90, [0] * 90)),
        (ArmSlots([10**12] + [1] * 89, [0] * 90), ArmSlots([1] * 90, [0] * 90)),
    ],
)
def test_too_little_an_idle_version_or_no_change_says_nothing(baseline: ArmSlots, candidate: ArmSlots) -> None:
    assert annotate("errors", baseline, candidate) == ()


@pytest.mark.parametrize(
    ("requests", "bad", "missing"),
    [
        ([5] * 60, [6] * 60, None),
        ([5] * 60, [-1] * 60, None),
        ([5.5] * 60, [1] * 60, None),
        ([float("nan")] * 60, [1] * 60, None),
        ([5] * 60, [1] * 59, None),
        ([5] * 59, [1] * 59, None),
        ([5] * 60, [1] * 60, [6] * 60),
        ([5] * 60, [1] * 60, [0] * 59),
    ],
)
def test_impossible_counts_are_refused(requests: list[float], bad: list[float], missing: list[float] | None) -> None:
    with pytest.raises(SeriesError):
        annotate("errors", ArmSlots([5] * 60, [1] * 60), ArmSlots(requests, bad, missing))


def test_the_same_slots_read_the_same_and_are_few() -> None:
    one, other = (run(7, (late(0.01, then=0.1), late(0.01, then=0.2))) for _ in range(2))
    assert one == other
    assert len(one) <= 6
    assert CELLS == 45
