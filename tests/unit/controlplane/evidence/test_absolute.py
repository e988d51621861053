"""The absolute limit: its mean by enumeration, its speed, and a shared incident."""

import itertools
import math

import numpy as np
import pytest

from controlplane.evidence.absolute import AbsoluteEvidence
from controlplane.evidence.mixture import COMPONENTS_MAX, Starts
from controlplane.evidence.verdict import Verdict
from tests.unit.controlplane.evidence.counts import begun_with_max, counted, keys, row, stratum


def evidence() -> tuple[Starts, AbsoluteEvidence]:
    starts = Starts()
    starts.begin_step(0)
    return starts, AbsoluteEvidence(starts, limits=np.array([0.05]))


def add(judged: AbsoluteEvidence, components: int = 1, **counts: int) -> None:
    columns = {"baseline_n": 0, "baseline_bad": 0, "candidate_n": 0, "candidate_bad": 0} | counts
    judged.add(**{name: np.full((1, components), count) for name, count in columns.items()})


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.05])
def test_the_mean_up_to_the_limit_is_at_most_one(rate: float) -> None:
    mean = 0.0
    for bad in itertools.product(range(4), repeat=3):
        _, judged = evidence()
        chance = 1.0
        for k in bad:
            chance *= math.comb(3, k) * rate**k * (1 - rate) ** (3 - k)
            add(judged, candidate_n=3, candidate_bad=k)
        mean += chance * math.exp(judged.log_e()[0])
    assert mean <= 1 + 1e-9
    assert rate < 0.05 or mean == pytest.approx(1.0)


def test_gross_failure_is_shown_by_a_handful_of_users() -> None:
    _, judged = evidence()
    add(judged, baseline_n=50, candidate_n=5, candidate_bad=5)
    assert judged.log_e()[0] > math.log(1000)


def test_both_arms_beyond_the_limit_are_an_incident() -> None:
    _, judged = evidence()
    add(judged, baseline_n=100, baseline_bad=30, candidate_n=100, candidate_bad=30)
    assert judged.is_shared()[0]
    assert judged.log_e()[0] <= 0.0


def test_a_baseline_that_was_bad_before_a_component_began_does_not_shield_the_candidate() -> None:
    starts, judged = evidence()
    add(judged, baseline_n=100, baseline_bad=30)
    judged.opened(starts.restart(60))
    add(judged, components=2, baseline_n=50, candidate_n=30, candidate_bad=30)
    judged.opened(starts.restart(120))
    assert judged.log_e()[0] > math.log(1000)


def test_components_stay_bounded() -> None:
    starts, judged = evidence()
    for slot in range(1, COMPONENTS_MAX + 3):
        judged.opened(starts.restart(slot))
    add(judged, components=COMPONENTS_MAX, candidate_n=1)
    assert math.isfinite(judged.log_e()[0])


def test_the_judge_rolls_back_what_is_beyond_the_limit_and_holds_when_both_are() -> None:
    alone, shared = begun_with_max(500), begun_with_max(500)
    alone.fold(100, [stratum(100, baseline=counted(keys(0, 40)), candidate=counted(keys(100, 20), bad=keys(200, 20)))])
    assert alone.assess().verdict is Verdict.WORSE
    for slot in range(100, 110):
        failing = [counted(keys(start + 100 * slot, 20), bad=keys(start + 100 * slot + 20, 20)) for start in (0, 50)]
        shared.fold(slot, [stratum(slot, baseline=failing[0], candidate=failing[1])])
    assert shared.assess().verdict is not Verdict.WORSE
    assert row(shared.assess()).findings[0].startswith("the baseline is beyond the absolute limit too")
