"""Metrics with a size: who counts where, means by exact enumeration, and worlds."""

import itertools
import math
import pickle

import numpy as np
import pytest

from controlplane.evidence.binned import _log_bets
from controlplane.evidence.judge import BinnedPlan, Judge, JudgePlan
from controlplane.evidence.measured import words_of
from controlplane.evidence.plan import QUANTILES
from controlplane.evidence.verdict import Verdict
from tests.unit.controlplane.evidence.counts import TTFT, begun_binned, binned, row, sized


def told(judged: Judge, slots: int, *, slower: int = 0, n: int = 30, seed: int = 1) -> Judge:
    """`n` new users an arm and slot, bins around 90; the candidate's `slower` bins higher."""
    rng = np.random.default_rng(seed)
    for slot in range(100, 100 + slots):
        baseline, candidate = np.rint(rng.normal(90, 7, (2, n))).astype(int)
        first = slot * 1000
        judged.fold(
            slot,
            [
                sized(
                    slot,
                    baseline={first + index: int(bin_) for index, bin_ in enumerate(baseline)},
                    candidate={first + 500 + index: int(bin_) + slower for index, bin_ in enumerate(candidate)},
                )
            ],
        )
    return judged


@pytest.mark.parametrize("weight_bp", [3000, 5000])
def test_the_mean_under_equal_versions_is_at_most_one(weight_bp: int) -> None:
    """Eight keys with given bins, four a slot, a component start between: all 2^8 ways to sit in the arms."""
    bins, mean, ready = (85, 90, 95, 99, 99, 81, 96, 92), 0.0, pickle.dumps(begun_binned())
    for arms in itertools.product((0, 1), repeat=8):
        judged: Judge = pickle.loads(ready)
        for slot, start in ((100, 0), (101, 4)):
            placed: list[dict[int, int]] = [{}, {}]
            for key in range(start, start + 4):
                placed[arms[key]][key] = bins[key]
            if start:
                judged.begin_step(slot=slot, weight_bp=weight_bp, next_weight_bp=10_000)
            judged.fold(slot, [sized(slot, baseline=placed[0], candidate=placed[1], weight_bp=weight_bp)])
        weight = weight_bp / 10_000
        mean += math.prod(weight if arm else 1 - weight for arm in arms) * math.exp(judged.assess().overall_worse_log_e)
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_the_mean_of_an_advance_at_the_margin_is_at_most_one() -> None:
    """Every candidate exactly the margin slower: all ways in which seven keys can sit in the arms."""
    bins, mean, ready = (85, 90, 95, 99, 99, 81, 96), 0.0, pickle.dumps(begun_binned(margin=2))
    for arms in itertools.product((0, 1), repeat=7):
        judged: Judge = pickle.loads(ready)
        placed: list[dict[int, int]] = [{}, {}]
        for key, arm in enumerate(arms):
            placed[arm][key] = bins[key] + 2 * arm
        judged.fold(100, [sized(100, baseline=placed[0], candidate=placed[1])])
        mean += 0.5**7 * math.exp(row(judged.assess()).good_log_e)
    assert mean <= 1 + 1e-9


def test_a_slower_candidate_is_worse_and_an_equal_one_good_enough() -> None:
    assert told(begun_binned(), 20, slower=4).assess().verdict is Verdict.WORSE
    equal = told(begun_binned(margin=4), 120).assess()
    assert equal.verdict is Verdict.GOOD_ENOUGH
    assert row(equal).limit == "no more than 41.4% above the baseline at every edge"


def test_the_limit_says_the_declared_margin_beside_what_it_was_cut_to() -> None:
    planned = BinnedPlan("latency", 1.0, tolerated_bins=3, margin_bins=2, declared="25%")
    cut = "no more than 18.9% above the baseline at every edge (margin 25%, in whole steps of 9.1%)"
    assert words_of(planned, 5_000) == cut
    assert words_of(planned, None) == "no limit: last step"


def test_a_shift_within_the_tolerance_is_no_reason_to_go_back() -> None:
    judged = told(begun_binned(tolerated=4, margin=2), 100, slower=3)
    assert judged.assess().verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert row(judged.assess()).worse_log_e < 0


def test_a_drift_of_both_arms_is_no_evidence() -> None:
    judged = begun_binned()
    for slot in range(100, 160):
        moved = 80 + (slot - 100) // 4
        keys = range(slot * 100, slot * 100 + 40)
        arms = ({k: moved + k % 9 for k in keys[:20]}, {k: moved + k % 9 for k in keys[20:]})
        judged.fold(slot, [sized(slot, baseline=arms[0], candidate=arms[1])])
    assert row(judged.assess()).worse_log_e < 1


def test_a_key_is_observed_once_however_slow_it_is_each_time() -> None:
    judged = begun_binned()
    for slot in range(100, 150):
        judged.fold(slot, [sized(slot, baseline={1: 80, 2: 80, 3: 80}, candidate={7: 200})])
    assert (row(judged.assess()).candidate_n, row(judged.assess()).candidate_requests) == (1, 50)
    assert judged.assess().overall_worse_log_e < 2


def test_requests_must_pass_too() -> None:
    """New users are alike, but one old user of the candidate gets 30 slow answers a slot."""
    judged = begun_binned(margin=4)
    judged.fold(100, [sized(100, baseline={}, candidate={7: 90})])
    rng = np.random.default_rng(3)
    for slot in range(101, 220):
        baseline, candidate = np.rint(rng.normal(90, 7, (2, 30))).astype(int)
        seen = sized(
            slot,
            baseline={slot * 1000 + i: int(b) for i, b in enumerate(baseline)},
            candidate={slot * 1000 + 500 + i: int(b) for i, b in enumerate(candidate)} | {7: 150},
        )
        bins = dict(seen.candidate_bins[TTFT].bins)
        bins[150] += 29
        seen.candidate_bins[TTFT].bins.update(bins)  # type: ignore[attr-defined]
        judged.fold(slot, [seen])
    assert row(judged.assess()).good_log_e < 0


def test_nothing_is_judged_before_the_baseline_has_shown_where_to_cut() -> None:
    judged = begun_binned(edges_seen=False)
    first = dict.fromkeys(range(199), 90)
    judged.fold(100, [sized(100, baseline=first, candidate=dict.fromkeys(range(500, 600), 200))])
    assert judged.assess().overall_worse_log_e == pytest.approx(0.0)
    assert row(judged.assess()).findings == ("no edges yet: 200 observations of the baseline are needed first",)
    judged.fold(101, [sized(101, baseline={999: 90}, candidate={})])
    judged.fold(
        102,
        [
            sized(
                102,
                baseline=dict.fromkeys(range(1000, 1030), 90),
                candidate=dict.fromkeys(range(2000, 2030), 200),
            )
        ],
    )
    assert judged.assess().verdict is Verdict.WORSE


def test_a_limit_is_an_edge_of_its_own() -> None:
    judged = told(begun_binned(limits=(140,)), 1)
    judged.fold(101, [sized(101, baseline={1: 141, 2: 140}, candidate=dict.fromkeys(range(10, 60), 150))])
    assert "the limit" in row(judged.assess()).findings[-1] or "p" in row(judged.assess()).findings[-1]


@pytest.mark.parametrize("limits", [(), (40,), (40, 60)])
def test_the_stakes_of_a_metric_sum_to_one_and_a_limit_has_an_edges_share(limits: tuple[int, ...]) -> None:
    planned = BinnedPlan("latency", 1.0, 0, 1, limit_bins=limits)
    stakes = np.exp(_log_bets(planned, edge_count=len(QUANTILES) + 2)).reshape(len(QUANTILES) + 2, -1)
    assert stakes.sum() == pytest.approx(1.0)
    own = len(QUANTILES) + len(limits)
    assert stakes[len(QUANTILES) : own].sum(axis=1) == pytest.approx(np.full(len(limits), 1.0 / own))
    assert not stakes[own:].any()


def test_the_telling_edge_is_named_with_its_counts() -> None:
    judged = told(begun_binned(), 20, slower=6)
    assessed = row(judged.assess())
    assert assessed.findings[-1].startswith("bad means above ")
    assert assessed.candidate_bad / assessed.candidate_n > assessed.baseline_bad / assessed.baseline_n + 0.2


def test_edges_move_with_the_baseline_from_step_to_step() -> None:
    judged = begun_binned()
    for slot in range(100, 160):
        judged.fold(slot, [sized(slot, baseline={slot * 1000 + key: 200 for key in range(400)})])
    judged.begin_step(slot=160, weight_bp=6000, next_weight_bp=10_000)
    arms = (dict.fromkeys(range(30), 201), dict.fromkeys(range(100, 130), 220))
    judged.fold(160, [sized(160, baseline=arms[0], candidate=arms[1], weight_bp=6000)])
    assert judged.assess().overall_worse_log_e < 3, "above both arms' old edges, above the new ones alike"


@pytest.mark.parametrize("next_weight_bp", [None])
def test_in_the_last_step_there_is_nothing_to_show(next_weight_bp: int | None) -> None:
    judged = begun_binned()
    judged.begin_step(slot=110, weight_bp=10_000, next_weight_bp=next_weight_bp)
    assert judged.assess().verdict is Verdict.GOOD_ENOUGH
    assert row(judged.assess()).limit == "no limit: last step"


def test_a_contested_key_is_left_out_and_so_is_one_without_a_row() -> None:
    judged = begun_binned()
    judged.fold(100, [sized(100, baseline={1: 80, 2: 90}, candidate={1: 200, 3: 90})])
    assert (row(judged.assess()).baseline_n, row(judged.assess()).candidate_n) == (1, 1)
    small = Judge(JudgePlan((BinnedPlan(TTFT, 1.0, 0, 1),), 0.01, 0.05, 0), keys_max=201)
    small.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
    small.fold(100, [sized(100, baseline=dict.fromkeys(range(200), 90))])
    small.fold(101, [sized(101, baseline={1: 90, 900: 90, 901: 90}, candidate={})])
    assert row(small.assess()).baseline_n == 0
    assert "key table full" in row(small.assess()).findings[0]


def test_before_the_first_step_sizes_are_only_learned() -> None:
    judged = Judge(JudgePlan((BinnedPlan(TTFT, 1.0, 0, 1),), 0.01, 0.05, 0))
    judged.fold(99, [sized(99, baseline={1: 90}, candidate={2: 250})])
    assert judged.assess().overall_worse_log_e == pytest.approx(0.0)
    assert binned({1: 90}).bins == {90: 1}
