"""Rollback evidence of one metric, with and without a tolerance."""

import itertools
import math

import numpy as np
import pytest

from controlplane.evidence.alternatives import Tally
from controlplane.evidence.keys import NEVER
from controlplane.evidence.mixture import Starts
from controlplane.evidence.worse import Previous, WorseEvidence


def new_keys(n: int, bad: int) -> Previous:
    """`n` keys never seen before, `bad` of them bad now."""
    never = np.full(n, NEVER, dtype=np.int64)
    return Previous(bad=never[:bad], seen=never, seen_of_bad=never[:bad])


def evidence(tolerance: float | None) -> WorseEvidence:
    starts = Starts()
    starts.begin_step(0)
    return WorseEvidence(starts, tolerance=tolerance)


@pytest.mark.parametrize("baseline", [0.1, 0.4, 0.7])
def test_the_mean_within_the_tolerance_is_at_most_one(baseline: float) -> None:
    """Two strata of 2 + 2 keys, every outcome, the excess exactly at the tolerance."""
    tolerance, mean = 0.3, 0.0
    for bad in itertools.product(range(3), repeat=4):
        judged, chance = evidence(tolerance), 1.0
        for slot, (bad_a, bad_b) in enumerate((bad[:2], bad[2:])):
            for k, rate in ((bad_a, baseline), (bad_b, baseline + tolerance)):
                chance *= math.comb(2, k) * rate**k * (1 - rate) ** (2 - k)
            judged.fold(slot, 0.5, new_keys(2, bad_a), new_keys(2, bad_b), Tally())
        mean += chance * math.exp(judged.log_e())
    assert mean <= 1 + 1e-9


def test_a_tolerated_excess_never_convicts_though_the_plain_comparison_would() -> None:
    tolerant, plain = evidence(0.2), evidence(None)
    for slot in range(200):
        for judged in (tolerant, plain):
            judged.fold(slot, 0.5, new_keys(10, 0), new_keys(10, 1), Tally())
    assert plain.log_e() > math.log(1000)
    assert tolerant.log_e() < 0


def test_an_excess_beyond_the_tolerance_convicts() -> None:
    judged = evidence(0.2)
    for slot in range(10):
        judged.fold(slot, 0.5, new_keys(10, 1), new_keys(10, 9), Tally())
    assert judged.log_e() > math.log(1000)


def test_a_slot_without_failures_changes_nothing_without_a_tolerance() -> None:
    judged = evidence(None)
    judged.fold(1, 0.1, new_keys(90, 0), new_keys(10, 0), Tally())
    assert judged.log_e() == pytest.approx(0.0)
