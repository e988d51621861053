"""What the judge costs: CPU of one slot, and the size of its state beside the key table; and 2,000 simulated rollouts.

`50 metrics` are 30 shares of requests, 10 of them with a tolerance, and 20 sizes in bins; every request tells all of
them. A slot is all from its strata to the decision (`fold`); the report of all figures (`assess`) is timed apart. Users
come back (2,000 of them), or each request is a key of its own. Weights 10 to 90 % in steps of 60 s, 600 slots.
"""

import pickle
import statistics
import time
from collections import Counter

import numpy as np

from controlplane.evidence.judge import BinnedPlan, GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import BinCounts, MetricCounts, Stratum
from controlplane.simulate.head_to_head import Setting
from controlplane.simulate.head_to_head import run as simulate
from tests.bench.result import Column, Goal, Result, percentile

# shares, of them with a tolerance, sizes
PLANS = {"2 metrics": (1, 0, 1), "50 metrics": (30, 10, 20)}
LOADS = (20, 100)
USERS = (2_000, 0)
_STEP_S = 60


def run(slots: int = 600, rollouts: int = 2_000) -> Result:
    """All settings, in order."""
    rows = [_row(name, rps, users, slots) for name in PLANS for rps in LOADS for users in USERS]
    began = time.perf_counter()
    simulate("serinus", Setting("sticky", 100.0, 0.005, 0.005, rollouts, 1))
    simulated_s = time.perf_counter() - began
    columns = [
        Column("metrics", "metrics"),
        Column("rps", "requests/s"),
        Column("keys", "keys"),
        Column("slot_ms_p50", "slot p50 ms"),
        Column("slot_ms_p90", "slot p90 ms"),
        Column("us_per_metric", "a metric us"),
        Column("asked_ms_p50", "to ask p50 ms"),
        Column("state_mb", "state MB"),
        Column("table_mb", "key table MB"),
    ]
    of_many = [row for row in rows if row["metrics"] == "50 metrics"]
    goals = [
        Goal(f"a slot with 50 metrics, {row['rps']} requests/s, {row['keys']}, median", row["slot_ms_p50"], 1.0, "ms")
        for row in of_many
    ]
    goals += [
        Goal("state of a rollout with 50 metrics beside the key table", max(r["state_mb"] for r in of_many), 1.0, "MB"),
        Goal("2,000 simulated rollouts of 540 s", simulated_s if rollouts >= 2_000 else None, 60.0, "s"),
    ]
    reading = ["CPU time of one process; the strata are built outside the clock. State is what a pickle of it takes."]
    return Result("judge", "What the judge costs", columns, rows, reading, goals)


def _row(name: str, rps: int, users: int, slots: int) -> dict[str, float | int | str]:
    shares, tolerant, sizes = PLANS[name]
    judge, traffic = Judge(_plan(shares, tolerant, sizes)), _Traffic(shares, sizes, rps, users)
    spent_ms: list[float] = []
    asked_ms: list[float] = []
    for slot in range(-15, slots):
        weight_bp = 0 if slot < 0 else min(1_000 * (1 + slot // _STEP_S), 9_000)
        if slot >= 0 and slot % _STEP_S == 0:
            judge.begin_step(slot=1_000 + slot, weight_bp=weight_bp, next_weight_bp=min(weight_bp + 1_000, 10_000))
        stratum = traffic.stratum(1_000 + slot, weight_bp)
        began = time.process_time()
        judge.fold(1_000 + slot, [stratum])
        folded = time.process_time()
        judge.assess()
        spent_ms.append((folded - began) * 1_000)
        asked_ms.append((time.process_time() - folded) * 1_000)
    table = len(pickle.dumps(judge._table))
    median = statistics.median(spent_ms)
    return {
        "metrics": name,
        "rps": rps,
        "keys": f"{users:,} users" if users else "a key a request",
        "slot_ms_p50": round(median, 3),
        "slot_ms_p90": round(percentile(spent_ms, 0.9), 3),
        "us_per_metric": round(1_000 * median / (shares + sizes), 1),
        "asked_ms_p50": round(statistics.median(asked_ms), 3),
        "state_mb": round((len(pickle.dumps(judge)) - table) / 1e6, 3),
        "table_mb": round(table / 1e6, 3),
    }


def _plan(shares: int, tolerant: int, sizes: int) -> JudgePlan:
    omega = 1.0 / (shares + sizes)
    guardrails = [GuardrailPlan(f"share-{i}", omega, 2_000 if i < tolerant else None, 25) for i in range(shares)]
    binned = [BinnedPlan(f"size-{i}", omega, 0, 2) for i in range(sizes)]
    return JudgePlan((*guardrails, *binned), 0.01, 0.05, 2)


class _Traffic:
    """Both versions alike: 1 % of requests are bad in each share, sizes are lognormal, sigma .6."""

    def __init__(self, shares: int, sizes: int, rps: int, users: int) -> None:
        self._rng = np.random.default_rng(1)
        self._shares, self._sizes, self._rps, self._users = shares, sizes, rps, users
        self._buckets = self._rng.integers(0, 10_000, max(users, 1))
        self._next_key = 0

    def stratum(self, slot: int, weight_bp: int) -> Stratum:
        n = int(self._rng.poisson(self._rps))
        if self._users:
            keys = self._rng.integers(0, self._users, n)
            is_candidate = self._buckets[keys] < weight_bp
        else:
            keys = np.arange(self._next_key, self._next_key + n)
            self._next_key += n
            is_candidate = self._rng.integers(0, 10_000, n) < weight_bp
        arms = [~is_candidate, is_candidate]
        shares: list[dict[str, MetricCounts]] = [{}, {}]
        sizes: list[dict[str, BinCounts]] = [{}, {}]
        for index in range(self._shares):
            is_bad = self._rng.random(n) < 0.01
            for arm, of in enumerate(arms):
                bad = frozenset(keys[of & is_bad].tolist())
                ok = frozenset(keys[of].tolist()) - bad
                shares[arm][f"share-{index}"] = MetricCounts(int(of.sum()), int((of & is_bad).sum()), ok, bad)
        for index in range(self._sizes):
            bins = np.rint(self._rng.normal(150, 7, n)).astype(int)
            for arm, of in enumerate(arms):
                firsts = dict(zip(keys[of].tolist(), bins[of].tolist(), strict=True))
                sizes[arm][f"size-{index}"] = BinCounts(dict(Counter(bins[of].tolist())), firsts)
        return Stratum(slot, f"s{weight_bp}", "everyone", weight_bp, *shares, *sizes)
