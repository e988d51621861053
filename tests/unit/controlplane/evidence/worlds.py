"""Simulated traffic for the judge: users with buckets, rates that move, weights that ramp. Seeded; one run, one seed.

`python -m tests.unit.controlplane.evidence.worlds --help` repeats the measurements that docs/judge.md quotes.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.judge import GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import MetricCounts, Stratum
from controlplane.evidence.verdict import Verdict

METRIC = "errors"
Rate = Callable[[int], float]


@dataclass(frozen=True)
class Users:
    """Who sends: `count` sticky users, or (0) a new key with every request. `rates` per user replace the world's."""

    count: int = 0
    rates: np.ndarray | None = None
    shares: np.ndarray | None = None


@dataclass(frozen=True)
class World:
    """Requests per second and failure rates by second; `users.rates` are multiplied by candidate/baseline."""

    rps: float
    baseline: Rate
    candidate: Rate
    users: Users = Users()


def steady(rate: float) -> Rate:
    return lambda _: rate


def drift(low: float, high: float, seconds: int) -> Rate:
    return lambda t: low + (high - low) * min(1.0, t / seconds)


def incident(rate: float, peak: float, start: int, end: int) -> Rate:
    return lambda t: peak if start <= t < end else rate


def late(rate: float, after: float, start: int) -> Rate:
    return lambda t: after if t >= start else rate


def always_bad(count: int, share: float, rng: np.random.Generator) -> Users:
    """Users of whom a share fails with every request, and nobody else ever."""
    return Users(count, rates=(rng.random(count) < share).astype(float))


def unlike(count: int, rng: np.random.Generator) -> Users:
    """Users with failure rates Beta(.05, 9.95): mean 0.5 %, most never, few often."""
    return Users(count, rates=rng.beta(0.05, 9.95, count))


def heavy(count: int, heavy_count: int, rate: float) -> Users:
    """A few users send 80 % of the requests and never fail."""
    shares = np.full(count, 0.2 / (count - heavy_count))
    shares[:heavy_count] = 0.8 / heavy_count
    rates = np.full(count, rate)
    rates[:heavy_count] = 0.0
    return Users(count, rates, shares)


class Traffic:
    """One path of a world: its users have buckets for good."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = np.random.default_rng(seed)
        self._buckets = self._rng.integers(0, 10_000, max(1, world.users.count))
        self._next_key = 0

    def stratum(self, slot: int, weight_bp: int, *, second: int) -> Stratum:
        world, rng = self._world, self._rng
        n = int(rng.poisson(world.rps))
        if world.users.count:
            users = rng.choice(world.users.count, n, p=world.users.shares)
            buckets = self._buckets[users]
        else:
            users = np.arange(self._next_key, self._next_key + n)
            self._next_key += n
            buckets = rng.integers(0, 10_000, n)
        is_candidate = buckets < weight_bp
        rates = np.where(is_candidate, world.candidate(second), world.baseline(second))
        if world.users.rates is not None:
            rates = np.where(is_candidate, rates / world.baseline(second), 1.0) * world.users.rates[users]
        is_bad = rng.random(n) < rates
        return Stratum(
            slot=slot,
            snapshot=f"s{weight_bp}",
            weight_class="everyone",
            weight_bp=weight_bp,
            baseline={METRIC: _counts(users[~is_candidate], is_bad[~is_candidate])},
            candidate={METRIC: _counts(users[is_candidate], is_bad[is_candidate])},
        )


def _counts(users: np.ndarray, is_bad: np.ndarray) -> MetricCounts:
    bad = frozenset(users[is_bad].tolist())
    return MetricCounts(len(users), int(is_bad.sum()), frozenset(users.tolist()) - bad, bad)


def plan(
    *, alpha: float = 0.05, budget_bp: int = 25, tolerance_bp: int | None = None, follow_up_slots: int = 1
) -> JudgePlan:
    return JudgePlan((GuardrailPlan(METRIC, 1.0, tolerance_bp, budget_bp),), alpha, 0.05, follow_up_slots)


RAMP = tuple(range(1000, 10_000, 1000))
START = 1_000_000


def fixed_ramp(judge: Judge, world: World, seed: int, *, step_s: int = 60, weights: tuple[int, ...] = RAMP) -> float:
    """Candidate requests served before `worse`, or infinity: the weights follow the clock whatever the judge says."""
    traffic, served = Traffic(world, seed), 0
    for second in range(step_s * len(weights)):
        weight_bp = weights[second // step_s]
        if second % step_s == 0:
            following = (*weights, None)[second // step_s + 1]
            judge.begin_step(slot=START + second, weight_bp=weight_bp, next_weight_bp=following)
        stratum = traffic.stratum(START + second, weight_bp, second=second)
        served += stratum.candidate[METRIC].observed
        judge.fold(START + second, [stratum])
        if judge.assess().verdict is Verdict.WORSE:
            return served
    return float("inf")


@dataclass(frozen=True)
class Release:
    """How a rollout driven by the evidence went."""

    verdict: str  # promoted, worse, or undecided at the horizon
    seconds: int
    candidate_requests: int
    weight_bp_max: int


def closed_loop(
    judge: Judge,
    world: World,
    seed: int,
    *,
    weights: tuple[int, ...] = (500, 1000, 2500, 5000, 10_000),
    horizon_s: int = 1800,
) -> Release:
    """Evidence sets the pace: the next weight is given when the judge says good_enough, and no sooner."""
    traffic, served, index = Traffic(world, seed), 0, 0
    judge.begin_step(slot=START, weight_bp=weights[0], next_weight_bp=weights[1])
    for second in range(horizon_s):
        stratum = traffic.stratum(START + second, weights[index], second=second)
        served += stratum.candidate[METRIC].observed
        judge.fold(START + second, [stratum])
        verdict = judge.assess().verdict
        if verdict is Verdict.WORSE:
            return Release("worse", second + 1, served, weights[index])
        if verdict is Verdict.GOOD_ENOUGH:
            index += 1
            if index == len(weights) - 1:
                return Release("promoted", second + 1, served, weights[index])
            judge.begin_step(slot=START + second + 1, weight_bp=weights[index], next_weight_bp=weights[index + 1])
    return Release("undecided", horizon_s, served, weights[index])


def advance_keys(judge: Judge, world: World, seed: int, *, weight_bp: int, next_bp: int, horizon_s: int) -> float:
    """Candidate keys counted when the first step's evidence suffices, or infinity."""
    traffic = Traffic(world, seed)
    judge.begin_step(slot=START, weight_bp=weight_bp, next_weight_bp=next_bp)
    for second in range(horizon_s):
        judge.fold(START + second, [traffic.stratum(START + second, weight_bp, second=second)])
        assessment = judge.assess()
        if assessment.verdict is Verdict.GOOD_ENOUGH:
            return assessment.rows[0].candidate_n
    return float("inf")


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


def _report(label: str, values: list[float]) -> None:
    hits = sorted(value for value in values if value < float("inf"))
    median = f"{statistics.median(hits):8.0f}" if hits else "       -"
    print(f"{label:34s} {len(hits) / len(values):6.3f} {median}", flush=True)


def measure_false(seeds: range, alpha: float) -> None:
    """Probability of a false rollback over a whole ramp, per healthy world."""
    for index, (label, _) in enumerate(healthy_worlds(0)):
        worlds = [list(healthy_worlds(seed))[index][1] for seed in seeds]
        judged = [fixed_ramp(Judge(plan(alpha=alpha)), w, s) for w, s in zip(worlds, seeds, strict=True)]
        _report(label, judged)


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


def measure_advance(seeds: range, alpha: float, *, is_at_boundary: bool = False) -> None:
    """Probability of `good_enough` in one step, median candidate keys when it comes."""
    for rate, budget_bp, next_bp, weight_bp, rps in ADVANCES:
        excess = budget_bp / next_bp
        world = World(rps, steady(rate), steady(rate + excess * is_at_boundary))
        step = {"weight_bp": weight_bp, "next_bp": next_bp, "horizon_s": 300 if is_at_boundary else 1500}
        # With the rollback out of the way a wrong advance is not hidden behind it.
        judged = plan(budget_bp=budget_bp, alpha=1e-9 if is_at_boundary else alpha)
        found = [advance_keys(Judge(judged), world, s, **step) for s in seeds]
        _report(f"p={rate} d={excess:.4g} w={weight_bp / 1e4} {rps}/s", found)


def measure_boundary(seeds: range, alpha: float) -> None:
    """Probability of a wrong `good_enough` with the excess exactly at the limit."""
    measure_advance(seeds, alpha, is_at_boundary=True)


def measure_loop(seeds: range, alpha: float) -> None:
    """Rollouts that evidence drives, default steps, harm budget 0.25 %."""
    for rate in (0.005, 0.0075, 0.01, 0.02, 0.05):
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


MEASUREMENTS = {
    "false": measure_false,
    "power": measure_power,
    "advance": measure_advance,
    "boundary": measure_boundary,
    "loop": measure_loop,
    "tolerance": measure_tolerance,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the judge on simulated worlds.")
    parser.add_argument("what", choices=list(MEASUREMENTS))
    parser.add_argument("--paths", type=int, default=200)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.perf_counter()
    seeds = range(asked.seed * 100_000, asked.seed * 100_000 + asked.paths)
    MEASUREMENTS[asked.what](seeds, asked.alpha)
    print(f"{asked.paths} paths, alpha {asked.alpha}, seed {asked.seed}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
