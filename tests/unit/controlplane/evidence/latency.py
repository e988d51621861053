"""Simulated latencies for the judge: a lognormal with a slow tail, whole or shifted, in the contract's bins."""

from collections import Counter

import numpy as np

from controlplane.evidence.judge import BinnedPlan, Judge, JudgePlan
from controlplane.evidence.strata import BinCounts, Stratum
from controlplane.evidence.verdict import Verdict
from serinus.contract.edge import UPPER_EDGES
from tests.unit.controlplane.evidence.worlds import RAMP, START

METRIC = "latency"
RPS = 100
WARM_S = 10  # of the baseline alone, before the first step
_EDGES = np.array(UPPER_EDGES)

# name -> (the candidate's factor, share of its requests at about 12 s, shared drift over the rollout)
LATENCIES = {
    "A/A steady": (1.0, 0.0, 1.0),
    "A/A shared drift x1.5": (1.0, 0.0, 1.5),
    "all x1.10": (1.1, 0.0, 1.0),
    "all x1.25": (1.25, 0.0, 1.0),
    "2% of requests at ~12 s": (1.0, 0.02, 1.0),
    "5% of requests at ~12 s": (1.0, 0.05, 1.0),
}

# (margin in bins, the candidate's factor, the quantile up to which an advance looks)
LATENCY_ADVANCES = (
    (1, 1.0, 0.95),
    (2, 1.0, 0.95),
    (2, 1.0, 0.99),
    (4, 1.0, 0.99),
    (2, 2 ** (2 / 8), 0.95),
    (2, 2 ** (2 / 8), 0.99),
)


def seconds(n: int, rng: np.random.Generator, *, tail: float = 0.0) -> np.ndarray:
    """97 % LN(.8 s, .6) + 3 % LN(6 s, .5), of which `tail` is replaced by about 12 s."""
    value = np.where(
        rng.random(n) < 0.03, 6.0 * np.exp(0.5 * rng.normal(size=n)), 0.8 * np.exp(0.6 * rng.normal(size=n))
    )
    return np.where(rng.random(n) < tail, 12.0 * np.exp(0.1 * rng.normal(size=n)), value)


def _counts(first_key: int, value_s: np.ndarray) -> BinCounts:
    bins = np.searchsorted(_EDGES, value_s * 1e6, side="right").tolist()
    return BinCounts(dict(Counter(bins)), dict(enumerate(bins, first_key)))


def stratum(
    second: int, weight_bp: int, rng: np.random.Generator, *, slower: float, tail: float, moved: float
) -> Stratum:
    n = int(rng.poisson(RPS))
    candidate_n = int(rng.binomial(n, weight_bp / 10_000))
    baseline = _counts((second + WARM_S) * 10_000, moved * seconds(n - candidate_n, rng))
    candidate = _counts((second + WARM_S) * 10_000 + 5_000, moved * slower * seconds(candidate_n, rng, tail=tail))
    return Stratum(
        START + second, f"s{weight_bp}", "everyone", weight_bp, {}, {}, {METRIC: baseline}, {METRIC: candidate}
    )


def judge_of(rng: np.random.Generator, *, alpha: float, margin: int = 1, through: float = 0.99) -> Judge:
    planned = BinnedPlan(METRIC, 1.0, 0, margin, advance_through=through)
    judge = Judge(JudgePlan((planned,), alpha, 0.05, 0))
    for second in range(-WARM_S, 0):
        judge.fold(START + second, [stratum(second, 0, rng, slower=1.0, tail=0.0, moved=1.0)])
    return judge


def latency_ramp(seed: int, *, alpha: float, slower: float, tail: float, drift_by: float, step_s: int = 60) -> float:
    """Candidate requests before `worse`, or infinity, over the usual ramp."""
    rng = np.random.default_rng(seed)
    judge, served = judge_of(rng, alpha=alpha), 0
    for second in range(step_s * len(RAMP)):
        weight_bp = RAMP[second // step_s]
        if second % step_s == 0:
            judge.begin_step(slot=START + second, weight_bp=weight_bp, next_weight_bp=None)
        moved = 1.0 + (drift_by - 1.0) * second / (step_s * len(RAMP))
        seen = stratum(second, weight_bp, rng, slower=slower, tail=tail, moved=moved)
        served += len(seen.candidate_bins[METRIC].first_bins)
        judge.fold(START + second, [seen])
        if judge.assess().verdict is Verdict.WORSE:
            return served
    return float("inf")


def latency_advance(seed: int, *, margin: int, slower: float, through: float, horizon_s: int = 400) -> float:
    """Candidate requests before `good_enough` in one step at 50 %, or infinity."""
    rng = np.random.default_rng(seed)
    judge, served = judge_of(rng, alpha=1e-9, margin=margin, through=through), 0
    judge.begin_step(slot=START, weight_bp=5000, next_weight_bp=10_000)
    for second in range(horizon_s):
        seen = stratum(second, 5000, rng, slower=slower, tail=0.0, moved=1.0)
        served += len(seen.candidate_bins[METRIC].first_bins)
        judge.fold(START + second, [seen])
        if judge.assess().verdict is Verdict.GOOD_ENOUGH:
            return served
    return float("inf")


class StickyLatency:
    """2,000 users whose own levels differ by a factor of about e (LN sigma 1): the slow ones are slow each time.

    `heavy`: ten of them send 80 % of the requests and are fast."""

    def __init__(self, rng: np.random.Generator, *, heavy: bool, users: int = 2_000) -> None:
        self._rng = rng
        self._levels = np.exp(rng.normal(size=users))
        self._buckets = rng.integers(0, 10_000, users)
        self._shares = np.full(users, 1.0 / users)
        if heavy:
            self._levels[:10] = 0.2
            self._shares = np.concatenate([np.full(10, 0.08), np.full(users - 10, 0.2 / (users - 10))])

    def stratum(self, second: int, weight_bp: int) -> Stratum:
        users = self._rng.choice(len(self._levels), int(self._rng.poisson(RPS)), p=self._shares)
        value_s = self._levels[users] * np.exp(0.3 * self._rng.normal(size=len(users)))
        bins = np.searchsorted(_EDGES, value_s * 1e6, side="right")
        arms = [
            BinCounts(
                dict(Counter(bins[of].tolist())),
                dict(zip(users[of][::-1].tolist(), bins[of][::-1].tolist(), strict=True)),
            )
            for of in (self._buckets[users] >= weight_bp, self._buckets[users] < weight_bp)
        ]
        return Stratum(
            START + second, f"s{weight_bp}", "everyone", weight_bp, {}, {}, {METRIC: arms[0]}, {METRIC: arms[1]}
        )


def sticky_ramp(seed: int, *, alpha: float, heavy: bool, step_s: int = 60) -> float:
    """Seconds before a (false) `worse`, or infinity."""
    rng = np.random.default_rng(seed)
    judge = Judge(JudgePlan((BinnedPlan(METRIC, 1.0, 0, 1),), alpha, 0.05, 0))
    traffic = StickyLatency(rng, heavy=heavy)
    for second in range(-WARM_S, step_s * len(RAMP)):
        weight_bp = 0 if second < 0 else RAMP[second // step_s]
        if second >= 0 and second % step_s == 0:
            judge.begin_step(slot=START + second, weight_bp=weight_bp, next_weight_bp=None)
        judge.fold(START + second, [traffic.stratum(second, weight_bp)])
        if judge.assess().verdict is Verdict.WORSE:
            return second
    return float("inf")
