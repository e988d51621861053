"""The judge's promises and its speed in simulation: false alarms, wrong promotions, detection, pace, latency.

Seeded: the same figures on every machine. Processes run side by side, one a core. False rollbacks and detection use
the vectorised form of the judge (`controlplane.simulate`), which a test holds to the judge itself; the rest plays the
judge slot by slot. `allowed` for a share is its promise plus three standard errors of the run.
"""

import math
import os
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from controlplane.evidence.judge import Judge
from controlplane.simulate.head_to_head import Setting
from controlplane.simulate.head_to_head import run as simulate
from controlplane.simulate.worlds import NAMES
from tests.bench.result import Column, Goal, Result
from tests.unit.controlplane.evidence.latency import LATENCIES, latency_ramp
from tests.unit.controlplane.evidence.worlds import (
    Users,
    World,
    closed_loop,
    drift,
    heavy,
    incident,
    plan,
    steady,
    unlike,
)

LOADS = (5, 20, 100)
ALPHA = 0.05
BASELINE = 0.005
# (candidate's errors, world, candidate requests before the rollback at most)
DETECTED = ((0.01, "steady", 2_700), (0.02, "steady", 420), (0.05, "steady", 95), (0.02, "late", 1_900))
# name in `LATENCIES` -> candidate requests before the rollback at most; None: it is no fault
LATENCY_GOALS = {
    "A/A shared drift x1.5": None,
    "all x1.25": 160,
    "all x1.10": 950,
    "2% of requests at ~12 s": 620,
}
_SEED = 100_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure's worth of work: what it is, on which setting, and the promise that holds for it."""

    what: str
    setting: str
    share_at_most: float | None  # of paths in which the judge did what `what` says
    median_at_most: float | None  # of those paths; in `unit`
    unit: str
    share_at_least: float | None = None


def run(rollouts: int = 1_000, paths: int = 100) -> Result:
    """All cells; about a quarter of an hour on two quiet cores."""
    work = [*_false(rollouts), *_detected(rollouts), *_promoted(paths), *_latency(paths)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_play, work, chunksize=1))
    rows = [
        {"what": cell.what, "setting": cell.setting, "share": share, "median": median, "unit": cell.unit, "paths": n}
        for (cell, _, _), (share, median, n) in zip(work, found, strict=True)
    ]
    goals = [
        goal
        for (cell, _, _), (share, median, n) in zip(work, found, strict=True)
        for goal in _goals(cell, share, median, n)
    ]
    columns = [Column(key, key) for key in ("what", "setting", "share", "median", "unit", "paths")]
    reading = [f"alpha {ALPHA:.0%}, baseline errors {BASELINE:.1%}, weights 10 to 90 % in 540 s unless said."]
    return Result("numbers", "The judge's promises in simulation", columns, rows, reading, goals)


Work = tuple[Cell, Callable[..., tuple[float, float | None, int]], tuple[object, ...]]


def _play(work: Work) -> tuple[float, float | None, int]:
    _, function, arguments = work
    return function(*arguments)


def _goals(cell: Cell, share: float, median: float | None, n: int) -> list[Goal]:
    goals = []
    where = f"{cell.what}, {cell.setting}"
    if cell.share_at_most is not None:
        allowed = cell.share_at_most + 3.0 * math.sqrt(cell.share_at_most * (1.0 - cell.share_at_most) / n)
        goals.append(Goal(f"{where}: share", share, round(allowed, 4), ""))
    if cell.share_at_least is not None:
        goals.append(Goal(f"{where}: share missed", round(1.0 - share, 4), round(1.0 - cell.share_at_least, 4), ""))
    if cell.median_at_most is not None:
        goals.append(Goal(f"{where}: median", median, cell.median_at_most, cell.unit))
    return goals


def _false(rollouts: int) -> list[Work]:
    work: list[Work] = []
    for rps in LOADS:
        for world in NAMES:
            for judge in ("serinus", "serinus-reactive"):
                how = "weights by the clock" if judge == "serinus" else "weights react to the last slot"
                cell = Cell("false rollback", f"{world}, {rps}/s, {how}", ALPHA, None, "requests")
                work.append((cell, _simulated, (judge, world, rps, BASELINE, rollouts)))
    return work


def _detected(rollouts: int) -> list[Work]:
    work: list[Work] = []
    for errors, world, at_most in DETECTED:
        # A late fault has 240 s left: its share has no goal of its own.
        least = 0.99 if world == "steady" else None
        cell = Cell("found", f"{world} {errors:.0%} errors, 100/s", None, at_most, "requests", least)
        work.append((cell, _simulated, ("serinus", world, 100, errors, rollouts)))
    return work


def _simulated(judge: str, world: str, rps: float, errors: float, rollouts: int) -> tuple[float, float | None, int]:
    found = simulate(judge, Setting(world, rps, BASELINE, errors, rollouts, 1, ALPHA))
    return found.rollback_share, found.median_requests, rollouts


def _promoted(paths: int) -> list[Work]:
    what, harm = "promoted (5/10/25/50/100 %)", "harm budget 0.25 %"
    healthy = Cell(what, f"healthy, {harm}, 100/s", None, 270, "s")
    work: list[Work] = [(healthy, _loop, ("steady", BASELINE, paths))]
    for world in ("steady", "drift", "incident", "sticky", "heavy-keys"):
        # At half the traffic an excess of 0.5pp is the whole budget, at all of it 0.25pp.
        cell = Cell(what, f"{world}, excess exactly at the budget, {harm}, 100/s", ALPHA, None, "s")
        work.append((cell, _loop, (world, BASELINE + 0.0025, paths)))
    broken = Cell(what, f"1 % of 5,000 users broken for ever, {harm}, 100/s", ALPHA, None, "s")
    return [*work, (broken, _loop, ("broken", BASELINE, paths))]


def _loop(world: str, errors: float, paths: int) -> tuple[float, float | None, int]:
    """Share of rollouts that reach 100 %, and the median seconds until then."""
    seconds = []
    for seed in range(_SEED, _SEED + paths):
        # The rollback is out of the way, so that a wrong advance is not hidden behind it.
        judge = Judge(plan(alpha=ALPHA if errors == BASELINE and world == "steady" else 1e-9))
        release = closed_loop(judge, _world(world, errors, seed), seed, horizon_s=900)
        if release.verdict == "promoted":
            seconds.append(release.seconds)
    return len(seconds) / paths, statistics.median(seconds) if seconds else None, paths


def _world(name: str, errors: float, seed: int) -> World:
    rng = np.random.default_rng(seed)
    alike = World(100, steady(BASELINE), steady(errors))
    match name:
        case "drift":
            low, high = drift(0.002, 0.01, 540), drift(0.002 + errors - BASELINE, 0.01 + errors - BASELINE, 540)
            return replace(alike, baseline=low, candidate=high)
        case "incident":
            hits = incident(BASELINE, 0.10, 100, 145), incident(errors, 0.10 + errors - BASELINE, 100, 145)
            return replace(alike, baseline=hits[0], candidate=hits[1])
        case "sticky":
            return replace(alike, users=unlike(5_000, rng))
        case "heavy-keys":
            return replace(alike, users=heavy(5_000, 10, 0.025))
        case "broken":
            return replace(alike, users=Users(5_000, broken=rng.random(5_000) < 0.01))
        case _:
            return alike


def _latency(paths: int) -> list[Work]:
    work: list[Work] = []
    for name, at_most in LATENCY_GOALS.items():
        share = ALPHA if at_most is None else None
        cell = Cell("latency: rolled back", f"{name}, 100/s", share, at_most, "requests")
        work.append((cell, _latency_cell, (name, paths)))
    return work


def _latency_cell(name: str, paths: int) -> tuple[float, float | None, int]:
    slower, tail, drift_by = LATENCIES[name]
    served = [
        latency_ramp(seed, alpha=ALPHA, slower=slower, tail=tail, drift_by=drift_by)
        for seed in range(_SEED, _SEED + paths)
    ]
    found = [requests for requests in served if requests < math.inf]
    return len(found) / paths, statistics.median(found) if found else None, paths
