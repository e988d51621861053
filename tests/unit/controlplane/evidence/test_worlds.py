"""The judge against simulated traffic: false rollbacks, power, and advances, each as a short form of docs/judge.md.

Bounds are the promised probability plus three standard errors of the number of paths.
"""

import math
import statistics

import numpy as np
import pytest

from controlplane.evidence.judge import Judge
from controlplane.evidence.strata import MetricCounts, Stratum
from controlplane.evidence.verdict import Verdict
from tests.unit.controlplane.evidence import worlds
from tests.unit.controlplane.evidence.worlds import METRIC, Traffic, World, plan, steady

PATHS = 60
STEPS = (1000, 3000, 5000, 7000, 9000)
STEP_S = 12


def bound(alpha: float, paths: int) -> float:
    return alpha + 3 * math.sqrt(alpha * (1 - alpha) / paths)


def healthy(name: str, seed: int) -> World:
    """40 requests/s for a minute, both versions alike."""
    rate = {
        "steady": steady(0.02),
        "drift": worlds.drift(0.005, 0.1, 60),
        "incident": worlds.incident(0.01, 0.3, 15, 35),
        "200 sticky users of whom 3 % always fail": steady(0.02),
    }[name]
    users = worlds.Users()
    if "sticky" in name:
        users = worlds.always_bad(200, 0.03, np.random.default_rng(seed))
    return World(40, rate, rate, users)


@pytest.mark.parametrize("name", ["steady", "drift", "incident", "200 sticky users of whom 3 % always fail"])
def test_a_healthy_version_is_rolled_back_no_more_often_than_promised(name: str) -> None:
    judged = [
        worlds.fixed_ramp(Judge(plan(alpha=0.05)), healthy(name, seed), seed, step_s=STEP_S, weights=STEPS)
        for seed in range(PATHS)
    ]
    false_rollbacks = sum(served < math.inf for served in judged)
    assert false_rollbacks / PATHS <= bound(0.05, PATHS)


def counted_per_request(stratum: Stratum, start: int) -> Stratum:
    """The same requests, as if each had a user of its own."""

    def one_key_each(counts: MetricCounts, first: int) -> MetricCounts:
        keys = range(first, first + counts.observed)
        return MetricCounts(counts.observed, counts.bad, frozenset(keys[counts.bad :]), frozenset(keys[: counts.bad]))

    return Stratum(
        slot=stratum.slot,
        snapshot=stratum.snapshot,
        weight_class=stratum.weight_class,
        weight_bp=stratum.weight_bp,
        baseline={METRIC: one_key_each(stratum.baseline[METRIC], start)},
        candidate={METRIC: one_key_each(stratum.candidate[METRIC], start + 100_000)},
    )


def test_counted_per_request_the_sticky_world_would_break_the_promise() -> None:
    """The test of the tests: the world is hard enough to tell a wrong unit from the right one."""
    rollbacks, paths = 0, 30
    for seed in range(paths):
        traffic = Traffic(healthy("200 sticky users of whom 3 % always fail", seed), seed)
        judged = Judge(plan(alpha=0.05))
        for second in range(STEP_S * len(STEPS)):
            slot, weight_bp = worlds.START + second, STEPS[second // STEP_S]
            if second % STEP_S == 0:
                judged.begin_step(slot=slot, weight_bp=weight_bp, next_weight_bp=None)
            seen = traffic.stratum(slot, weight_bp, second=second)
            judged.fold(slot, [counted_per_request(seen, second * 1_000_000)])
        rollbacks += judged.assess().verdict is Verdict.WORSE
    assert rollbacks / paths > bound(0.05, paths)


def test_ten_times_the_failures_are_found_within_200_candidate_requests_in_the_median() -> None:
    """0.5 % -> 5 % at 100 requests/s, alpha 5 %; the long form measures 82."""
    world = World(100, steady(0.005), steady(0.05))
    served = [worlds.fixed_ramp(Judge(plan(alpha=0.05)), world, seed) for seed in range(30)]
    assert max(served) < math.inf
    assert statistics.median(served) <= 200


def test_ten_times_the_failures_late_in_a_rollout_are_found_too() -> None:
    """The candidate breaks a minute after the last weight change, when the first component has lost its stake."""
    world = World(50, steady(0.01), worlds.late(0.01, 0.1, 60))
    served = [
        worlds.fixed_ramp(Judge(plan(alpha=0.05)), world, seed, step_s=120, weights=(5000,)) for seed in range(20)
    ]
    before = 60 * 50 * 0.5
    late = [found - before for found in served if found > before]
    assert len(late) >= 18
    assert statistics.median(late) <= 400


@pytest.mark.parametrize(
    ("rate", "step", "keys_max"),
    [
        (0.005, {"budget_bp": 500, "weight_bp": 1000, "next_bp": 5000}, 45),
        (0.005, {"budget_bp": 500, "weight_bp": 5000, "next_bp": 10_000}, 95),
        (0.1, {"budget_bp": 1000, "weight_bp": 1000, "next_bp": 5000}, 55),
    ],
)
def test_alike_versions_advance_after_few_candidate_keys(rate: float, step: dict[str, int], keys_max: int) -> None:
    """The long form measures 33, 78 and 32 at 10 requests/s; what the follow-up holds back comes on top."""
    world = World(10, steady(rate), steady(rate))
    weights = {"weight_bp": step["weight_bp"], "next_bp": step["next_bp"]}
    judged = plan(budget_bp=step["budget_bp"])
    needed = [worlds.advance_keys(Judge(judged), world, seed, **weights, horizon_s=300) for seed in range(30)]
    assert statistics.median(needed) <= keys_max


@pytest.mark.parametrize("users", [worlds.Users(), worlds.Users(400)], ids=["sticky: request", "400 users"])
def test_an_excess_at_the_limit_advances_no_more_often_than_promised(users: worlds.Users) -> None:
    """Excess exactly 10pp, limit 10pp, for as long as a minute."""
    world = World(20, steady(0.02), steady(0.12), users)
    judged = [
        worlds.advance_keys(
            Judge(plan(budget_bp=500, alpha=1e-9)), world, seed, weight_bp=3000, next_bp=5000, horizon_s=60
        )
        for seed in range(40)
    ]
    assert sum(found < math.inf for found in judged) / 40 <= bound(0.05, 40)


def test_a_few_users_who_are_broken_for_good_do_not_fade_from_view() -> None:
    """2 % of the candidate's users always fail, the limit is 1pp. First meetings alone forget them."""
    wrong, paths = 0, 20
    for seed in range(paths):
        users = worlds.always_bad(1000, 0.02, np.random.default_rng(seed))
        world = World(50, steady(1.0), steady(1.0), users)
        traffic, judged = Traffic(world, seed), Judge(plan(budget_bp=100, alpha=1e-9))
        judged.begin_step(slot=worlds.START, weight_bp=5000, next_weight_bp=10_000)
        for second in range(60):
            seen = traffic.stratum(worlds.START + second, 5000, second=second)
            healed = seen.baseline[METRIC]
            healed = MetricCounts(healed.observed, 0, healed.keys_ok | healed.keys_bad, frozenset())
            broken = Stratum(seen.slot, "s", "everyone", 5000, {METRIC: healed}, seen.candidate)
            judged.fold(worlds.START + second, [broken])
            wrong += judged.assess().verdict is Verdict.GOOD_ENOUGH
    assert wrong == 0


def test_evidence_drives_a_healthy_candidate_up_and_stops_a_broken_one_early() -> None:
    """Steps 10, 50, 100 %, harm budget 5 %, 50 requests/s of 2,000 users."""
    for candidate, verdict in ((0.01, "promoted"), (0.5, "worse")):
        world = World(50, steady(0.01), steady(candidate), worlds.Users(2000))
        for seed in range(10):
            released = worlds.closed_loop(
                Judge(plan(budget_bp=500, alpha=0.01)), world, seed, weights=(1000, 5000, 10_000), horizon_s=120
            )
            assert released.verdict == verdict
            assert verdict == "promoted" or released.weight_bp_max == 1000
