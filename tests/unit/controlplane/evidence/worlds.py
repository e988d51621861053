"""Simulated traffic for the judge: users with buckets, rates that move, weights that ramp. Seeded; one run, one seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.judge import GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import MetricCounts, Stratum
from controlplane.evidence.verdict import Verdict

METRIC = "errors"
Rate = Callable[[int], float]


@dataclass(frozen=True)
class Users:
    """Who sends: `count` sticky users, or (0) a new key with every request. `rates` per user replace the world's; the
    `broken` always fail on the candidate."""

    count: int = 0
    rates: np.ndarray | None = None
    shares: np.ndarray | None = None
    broken: np.ndarray | None = None


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
        if world.users.broken is not None:
            rates = np.where(is_candidate & world.users.broken[users], 1.0, rates)
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
