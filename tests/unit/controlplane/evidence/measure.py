"""The measurements that docs/judge.md quotes: `python -m tests.unit.controlplane.evidence.measure --help`.

`false` and `boundary` are promises: the exit code is 1 if a share is above alpha by more than three standard errors.
"""

import argparse
import math
import os
import pickle
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np

from controlplane.evidence.judge import BinnedPlan, GuardrailPlan, Judge, JudgePlan
from tests.unit.controlplane.evidence.latency import (
    LATENCIES,
    LATENCY_ADVANCES,
    StickyLatency,
    latency_advance,
    latency_ramp,
    sticky_ramp,
)
from tests.unit.controlplane.evidence.worlds import (
    METRIC,
    START,
    Traffic,
    Users,
    World,
    advance_keys,
    always_bad,
    closed_loop,
    drift,
    fixed_ramp,
    heavy,
    incident,
    late,
    plan,
    steady,
    unlike,
)


def healthy_worlds(seed: int) -> Iterator[tuple[str, World]]:
    """Worlds in which both versions are the same; a rollback is a false one."""
    rng = np.random.default_rng(seed)
    half = steady(0.005)
    yield "steady", World(100, half, half)
    rising = drift(0.002, 0.01, 540)
    yield "drift", World(100, rising, rising)
    hit = incident(0.005, 0.10, 200, 245)
    yield "incident", World(100, hit, hit)
    outage = incident(0.005, 0.03, 120, 480)
    yield "outage", World(100, outage, outage)
    yield "sticky: 0.5 % always fail", World(100, half, half, always_bad(5000, 0.005, rng))
    yield "sticky: unlike users", World(100, half, half, unlike(5000, rng))
    yield "sticky: 10 heavy users", World(100, half, half, heavy(5000, 10, 0.025))
    yield "sticky: 2,000 users, 20 rps", World(20, half, half, unlike(2000, rng))


def _report(label: str, values: Sequence[float]) -> float:
    """The share of paths that came to an end."""
    hits = sorted(value for value in values if value < float("inf"))
    median = f"{statistics.median(hits):8.0f}" if hits else "       -"
    print(f"{label:34s} {len(hits) / len(values):6.3f} {median}", flush=True)
    return len(hits) / len(values)


def _side_by_side(path: Callable[[int], float], seeds: Sequence[int]) -> list[float]:
    """One path a seed, on all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(path, seeds, chunksize=10))


def _kept(shares: Sequence[float], paths: int, promised: float) -> bool:
    allowed = promised + 3.0 * math.sqrt(promised * (1.0 - promised) / paths)
    kept = all(share <= allowed for share in shares)
    print(f"promised {promised:g}, allowed {allowed:.3f}: {'kept' if kept else 'BROKEN'}")
    return kept


def _false_path(world: int, alpha: float, seed: int) -> float:
    return fixed_ramp(Judge(plan(alpha=alpha)), list(healthy_worlds(seed))[world][1], seed)


def measure_false(seeds: range, alpha: float) -> bool:
    """Probability of a false rollback over a whole ramp, per healthy world."""
    shares = [
        _report(label, _side_by_side(partial(_false_path, index, alpha), seeds))
        for index, (label, _) in enumerate(healthy_worlds(0))
    ]
    return _kept(shares, len(seeds), alpha)


def measure_power(seeds: range, alpha: float) -> None:
    """Probability of a rollback, median candidate requests before it (late: those of the 300 s before included)."""
    rates = {"1%": steady(0.01), "2%": steady(0.02), "5%": steady(0.05), "late 2%": late(0.005, 0.02, 300)}
    for label, rate in rates.items():
        world = World(100, steady(0.005), rate)
        _report(f"0.5% -> {label}", [fixed_ramp(Judge(plan(alpha=alpha)), world, s) for s in seeds])


ADVANCES = (  # rate of both arms, budget, next weight, weight, requests/s
    (0.005, 500, 5000, 1000, 10),
    (0.005, 500, 5000, 1000, 100),
    (0.005, 500, 10_000, 5000, 10),
    (0.1, 2000, 10_000, 5000, 10),
    (0.1, 1000, 5000, 1000, 10),
    (0.005, 25, 500, 100, 100),
    (0.005, 25, 10_000, 5000, 100),
)


# A wrong advance is promised to be no more frequent than this, whatever the alpha of a rollback.
ADVANCE_ALPHA = 0.05


def _advance_path(case: int, alpha: float, is_at_boundary: bool, seed: int) -> float:
    rate, budget_bp, next_bp, weight_bp, rps = ADVANCES[case]
    world = World(rps, steady(rate), steady(rate + budget_bp / next_bp * is_at_boundary))
    # With the rollback out of the way a wrong advance is not hidden behind it.
    judged = plan(budget_bp=budget_bp, alpha=1e-9 if is_at_boundary else alpha)
    horizon_s = 300 if is_at_boundary else 1500
    return advance_keys(Judge(judged), world, seed, weight_bp=weight_bp, next_bp=next_bp, horizon_s=horizon_s)


def measure_advance(seeds: range, alpha: float, *, is_at_boundary: bool = False) -> list[float]:
    """Probability of `good_enough` in one step, median candidate keys when it comes."""
    return [
        _report(
            f"p={rate} d={budget_bp / next_bp:.4g} w={weight_bp / 1e4} {rps}/s",
            _side_by_side(partial(_advance_path, case, alpha, is_at_boundary), seeds),
        )
        for case, (rate, budget_bp, next_bp, weight_bp, rps) in enumerate(ADVANCES)
    ]


def measure_boundary(seeds: range, alpha: float) -> bool:
    """Probability of a wrong `good_enough` with the excess exactly at the limit."""
    return _kept(measure_advance(seeds, alpha, is_at_boundary=True), len(seeds), ADVANCE_ALPHA)


LOOP_RATES = (0.005, 0.0075, 0.01, 0.02, 0.05)


def measure_loop(seeds: range, alpha: float) -> None:
    """Rollouts that evidence drives, default steps, harm budget 0.25 %."""
    for rate in LOOP_RATES:
        world = World(100, steady(0.005), steady(rate))
        releases = [closed_loop(Judge(plan(alpha=alpha)), world, s) for s in seeds]
        for verdict in ("promoted", "worse"):
            of = [release for release in releases if release.verdict == verdict]
            if of:
                seconds = statistics.median(release.seconds for release in of)
                served = statistics.median(release.candidate_requests for release in of)
                print(f"{rate:.2%} {verdict:9s} {len(of) / len(releases):.3f} {seconds:5.0f} s {served:6.0f} requests")


def measure_tolerance(seeds: range, alpha: float) -> None:
    """Rollback beyond a tolerance of 20pp, 2,000 sticky users, 10 requests/s."""
    for candidate in (0.1, 0.3, 0.5, 0.9):
        world = World(10, steady(0.1), steady(candidate), Users(2000))
        judged = plan(alpha=alpha, tolerance_bp=2000)
        found = [fixed_ramp(Judge(judged), world, s, weights=(1000, 5000)) for s in seeds]
        _report(f"0.1 -> {candidate}, tolerance 20pp", found)


def measure_latency(seeds: range, alpha: float) -> None:
    """Probability of a rollback for latency alone, median candidate requests before it; 100 requests/s, own keys."""
    for label, (slower, tail, drift_by) in LATENCIES.items():
        found = [latency_ramp(s, alpha=alpha, slower=slower, tail=tail, drift_by=drift_by) for s in seeds]
        _report(label, found)


def measure_latency_sticky(seeds: range, alpha: float) -> None:
    """Probability of a false rollback for latency where users have levels of their own; median seconds."""
    for is_heavy in (False, True):
        _report(
            f"A/A 2,000 users{', 10 heavy' * is_heavy}", [sticky_ramp(s, alpha=alpha, heavy=is_heavy) for s in seeds]
        )


def measure_latency_advance(seeds: range, _alpha: float) -> None:
    """Probability of `good_enough` in a step at 50 %, median candidate requests, by margin and true slowness."""
    for margin, slower, through in LATENCY_ADVANCES:
        found = [latency_advance(s, margin=margin, slower=slower, through=through) for s in seeds]
        _report(f"margin {margin} bins, x{slower:.3f}, to p{100 * through:g}", found)


def measure_cost_many(seeds: range, alpha: float) -> None:
    """Processor time of one slot with 50 metrics, 40 shares and 10 sizes, 20 requests/s, and the judge's size."""
    shares = tuple(GuardrailPlan(f"m{index}", 0.02, None, 25) for index in range(40))
    sizes = tuple(BinnedPlan(f"s{index}", 0.02, 2, 1) for index in range(10))
    rng = np.random.default_rng(seeds[0])
    judge, traffic = Judge(JudgePlan(shares + sizes, alpha, 0.05, 2)), StickyLatency(rng, heavy=False, users=300)
    errors, spent_ms = Traffic(World(20, steady(0.02), steady(0.02), Users(300)), seeds[0]), []
    judge.fold(0, [traffic.stratum(-START, 0)])
    judge.begin_step(slot=1, weight_bp=5000, next_weight_bp=10_000)
    for slot in range(1, 600):
        seen, sized = errors.stratum(slot, 5000, second=slot), traffic.stratum(slot - START, 5000)
        stratum = replace(
            seen,
            baseline={plan.metric: seen.baseline[METRIC] for plan in shares},
            candidate={plan.metric: seen.candidate[METRIC] for plan in shares},
            baseline_bins={plan.metric: sized.baseline_bins["latency"] for plan in sizes},
            candidate_bins={plan.metric: sized.candidate_bins["latency"] for plan in sizes},
        )
        before_s = time.process_time()
        judge.fold(slot, [stratum])
        spent_ms.append((time.process_time() - before_s) * 1000)
    print(f"50 metrics: median {statistics.median(spent_ms):.2f} ms, p90 {np.percentile(spent_ms, 90):.2f} ms")
    print(f"state, key table included: {len(pickle.dumps(judge)) / 1e6:.2f} MB")


def measure_cost(seeds: range, alpha: float) -> None:
    """Processor time of one slot at 300 requests/s, two guardrails, one with a tolerance (ignores alpha)."""
    guardrails = (GuardrailPlan(METRIC, 0.5, None, 25), GuardrailPlan("length", 0.5, 2000, 2000))
    for label, users in (("a key per request", Users()), ("2,000 users", Users(2000))):
        traffic, judge = (
            Traffic(World(300, steady(0.02), steady(0.02), users), seeds[0]),
            Judge(JudgePlan(guardrails, alpha, 0.05, 10)),
        )
        judge.begin_step(slot=0, weight_bp=5000, next_weight_bp=10_000)
        spent_ms = []
        for slot in range(1000):
            seen = traffic.stratum(slot, 5000, second=slot)
            both = [{METRIC: arm[METRIC], "length": arm[METRIC]} for arm in (seen.baseline, seen.candidate)]
            stratum = replace(seen, baseline=both[0], candidate=both[1])
            before_s = time.process_time()
            judge.fold(slot, [stratum])
            spent_ms.append((time.process_time() - before_s) * 1000)
        print(f"{label:34s} median {statistics.median(spent_ms):.2f} ms, p90 {np.percentile(spent_ms, 90):.2f} ms")


MEASUREMENTS = {
    "latency": measure_latency,
    "latency-sticky": measure_latency_sticky,
    "latency-advance": measure_latency_advance,
    "cost": measure_cost,
    "cost-many": measure_cost_many,
    "false": measure_false,
    "power": measure_power,
    "advance": measure_advance,
    "boundary": measure_boundary,
    "loop": measure_loop,
    "tolerance": measure_tolerance,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the judge on simulated worlds.")
    parser.add_argument("what", choices=list(MEASUREMENTS))
    parser.add_argument("--paths", type=int, default=200)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.perf_counter()
    seeds = range(asked.seed * 100_000, asked.seed * 100_000 + asked.paths)
    kept = MEASUREMENTS[asked.what](seeds, asked.alpha)
    print(f"{asked.paths} paths, alpha {asked.alpha}, seed {asked.seed}, {time.perf_counter() - began:.0f} s")
    return 1 if kept is False else 0


if __name__ == "__main__":
    sys.exit(main())
