"""Rollback evidence of one metric, with and without a tolerance."""

import itertools
import math
from dataclasses import fields, replace

import numpy as np
import pytest

from controlplane.evidence.keys import NEVER
from controlplane.evidence.mixture import Starts
from controlplane.evidence.worse import Seen, WorseEvidence

NO_TALLY = np.zeros((1, 4))


def new_keys(a: tuple[int, int], b: tuple[int, int], metric: int = 0) -> Seen:
    """Keys never seen before: how many of the baseline and of the candidate, and how many of them are bad now."""
    n = a[0] + b[0]
    never = np.full(n, NEVER, dtype=np.int64)
    is_bad = np.array([index < a[1] for index in range(a[0])] + [index < b[1] for index in range(b[0])], dtype=bool)
    arms = np.repeat([0, 1], [a[0], b[0]])
    return Seen(np.full(n, metric), arms, is_bad, never, never)


def evidence(tolerance: float | None) -> WorseEvidence:
    starts = Starts()
    starts.begin_step(0)
    return WorseEvidence(starts, tolerances=[tolerance], limits=[None])


@pytest.mark.parametrize("baseline", [0.1, 0.4, 0.7])
def test_the_mean_within_the_tolerance_is_at_most_one(baseline: float) -> None:
    """Two strata of 2 + 2 keys, every outcome, the excess exactly at the tolerance."""
    tolerance, mean = 0.3, 0.0
    for bad in itertools.product(range(3), repeat=4):
        judged, chance = evidence(tolerance), 1.0
        for slot, (bad_a, bad_b) in enumerate((bad[:2], bad[2:])):
            for k, rate in ((bad_a, baseline), (bad_b, baseline + tolerance)):
                chance *= math.comb(2, k) * rate**k * (1 - rate) ** (2 - k)
            judged.fold(slot, 0.5, new_keys((2, bad_a), (2, bad_b)), NO_TALLY)
        mean += chance * math.exp(judged.log_e()[0])
    assert mean <= 1 + 1e-9


def test_a_tolerated_excess_never_convicts_though_the_plain_comparison_would() -> None:
    tolerant, plain = evidence(0.2), evidence(None)
    for slot in range(200):
        for judged in (tolerant, plain):
            judged.fold(slot, 0.5, new_keys((10, 0), (10, 1)), NO_TALLY)
    assert plain.log_e()[0] > math.log(1000)
    assert tolerant.log_e()[0] < 0


def test_an_excess_beyond_the_tolerance_convicts() -> None:
    judged = evidence(0.2)
    for slot in range(10):
        judged.fold(slot, 0.5, new_keys((10, 1), (10, 9)), NO_TALLY)
    assert judged.log_e()[0] > math.log(1000)


def test_a_slot_without_failures_changes_nothing_without_a_tolerance() -> None:
    judged = evidence(None)
    judged.fold(1, 0.1, new_keys((90, 0), (10, 0)), NO_TALLY)
    assert judged.log_e()[0] == pytest.approx(0.0)


def test_metrics_side_by_side_are_judged_as_each_alone() -> None:
    rng, plans = np.random.default_rng(5), [(None, None), (0.2, None), (None, 0.1), (0.1, 0.05)]
    starts = Starts()
    starts.begin_step(0)
    together = WorseEvidence(starts, tolerances=[plan[0] for plan in plans], limits=[plan[1] for plan in plans])
    apart = [WorseEvidence(starts, tolerances=[tolerance], limits=[limit]) for tolerance, limit in plans]
    for slot in range(30):
        if slot in (7, 19):
            opened = starts.restart(slot)
            for judged in (together, *apart):
                judged.opened(opened)
        parts = []
        for metric, judged in enumerate(apart):
            n_a, n_b = rng.integers(0, 6, 2).tolist()
            keys = new_keys((n_a, n_a // 3), (n_b, n_b // 2))
            keys = replace(keys, seen=rng.integers(NEVER, slot, n_a + n_b), bad=rng.integers(NEVER, slot, n_a + n_b))
            judged.fold(slot, 0.3, keys, NO_TALLY)
            parts.append(replace(keys, metrics=np.full(n_a + n_b, metric)))
        joined = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Seen)]
        together.fold(slot, 0.3, Seen(*joined), np.zeros((4, 4)))
    np.testing.assert_allclose(together.log_e(), [judged.log_e()[0] for judged in apart], atol=1e-9)
