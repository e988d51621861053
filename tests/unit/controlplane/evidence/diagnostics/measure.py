"""The figures of docs/diagnostics.md: python -m tests.unit.controlplane.evidence.diagnostics.measure [--plot FILE.svg]."""

import argparse

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from controlplane.evidence.diagnostics.annotation import Cause
from controlplane.evidence.diagnostics.charts import ewma_chart
from controlplane.evidence.diagnostics.drift import psi
from controlplane.evidence.diagnostics.outliers import false_alarms_a_day
from tests.unit.controlplane.evidence.diagnostics.slots import CHANGE_AT, SLOTS, late, run, steady


def told(causes: set[Cause], rates: tuple[np.ndarray, np.ndarray], *, paths: int, rps: int = 100) -> float:
    """Share of rollouts in which one of the causes is named."""
    return float(np.mean([any(each.cause in causes for each in run(seed, rates, rps=rps)) for seed in range(paths)]))


def figures(paths: int) -> None:
    print(f"3-sigma at a point a second: {false_alarms_a_day(3.0, period_s=1.0):.0f} false alarms a day")
    prng, flat = np.random.default_rng(1), np.full(10, 0.1)
    readings = [psi(prng.multinomial(100, flat), prng.multinomial(100, flat)) for _ in range(10 * paths)]
    beyond = np.mean([each.value > 0.1 for each in readings]), np.mean([each.is_drift for each in readings])
    print(f"PSI, 100 against 100 in ten bins, no drift: above .1 {beyond[0]:.3f}, above our limit {beyond[1]:.3f}")
    for rps in (5, 20, 100):
        found = [told(set(Cause), (steady(rate), steady(rate)), paths=paths, rps=rps) for rate in (0.005, 0.05, 0.2)]
        print(f"alike, {rps}/s, errors .5 / 5 / 20 %: annotated at the end {found}")
    for then in (0.02, 0.03, 0.05):
        alone = (steady(0.01), late(0.01, then=then))
        both = (late(0.01, then=then),) * 2
        found = [
            told({Cause.CANDIDATE_CHANGED}, alone, paths=paths),
            told({Cause.BOTH_CHANGED}, both, paths=paths),
            told({Cause.CANDIDATE_CHANGED, Cause.BASELINE_CHANGED}, both, paths=paths),
        ]
        print(f"1 -> {then:.0%} from second {CHANGE_AT}: candidate alone named, shared named, shared misnamed {found}")


def plot(path: str) -> None:
    """A small lasting shift: what 3 sigma and an EWMA chart see of it."""
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "serinus"
    prng = np.random.default_rng(4)
    latency = prng.normal(1.0, 0.1, SLOTS) + np.where(np.arange(SLOTS) < CHANGE_AT, 0.0, 0.12)
    chart = ewma_chart(latency, mean=1.0, sigma=0.1)
    figure = Figure(figsize=(8.0, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(latency, color="0.8", linewidth=0.6, label="latency of a second, s")
    axes.plot(chart.smoothed, color="tab:blue", linewidth=1.2, label="EWMA, smoothing .2")
    axes.plot(chart.high, color="tab:red", linewidth=0.8, label="one false alarm in 500 points")
    axes.plot(chart.low, color="tab:red", linewidth=0.8)
    axes.axhline(1.3, color="tab:gray", linewidth=0.8, linestyle="--", label="3 sigma")
    axes.set_xlabel("second; +1.2 sigma from second 300 on")
    axes.set_ylabel("s")
    axes.legend(loc="upper left", fontsize=7, ncols=2)
    figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paths", type=int, default=400)
    parser.add_argument("--plot")
    asked = parser.parse_args()
    figures(asked.paths)
    if asked.plot:
        plot(asked.plot)
