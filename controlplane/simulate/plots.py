"""The pictures of docs/judge.md, as SVG text: false alarms by world, and what a bad version costs. Pure; seeded.

matplotlib's object interface only. Bars and lines differ in hatching and marker, so that a print without colour says
the same; without dates and random ids, so that a second run gives the same file.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from controlplane.evidence.recorded import RecordedSlot, judge_recorded
from controlplane.simulate.head_to_head import Result, Setting, run
from controlplane.simulate.worlds import NAMES

JUDGES = ("serinus", "kayenta", "flagger", "argo", "z-peek")
_STYLES = (
    ("#d17a00", "", "o"),
    ("#4c5a67", "///", "s"),
    ("#a11d33", "--", "^"),
    ("#7a8f3c", "xxx", "v"),
    ("#9db4c8", "", "x"),
)
CANDIDATE_ERRORS = (0.0075, 0.01, 0.015, 0.02, 0.03, 0.05)
ALIKE = Setting("steady", 100.0, 0.005, 0.005, 200, 1)


def pictures(rollouts: int = ALIKE.rollouts) -> dict[str, str]:
    """File name to SVG."""
    alike = replace(ALIKE, rollouts=rollouts)
    false = {judge: [run(judge, replace(alike, world=world)) for world in NAMES] for judge in JUDGES}
    found = {
        judge: [run(judge, replace(alike, candidate_errors=rate)) for rate in CANDIDATE_ERRORS] for judge in JUDGES[:4]
    }
    return {
        "judge-worlds.svg": _svg(lambda figure: _worlds(figure.subplots(), false, alike)),
        "judge-exposure.svg": _svg(lambda figure: _exposure(figure.subplots(), found)),
        "judge-evidence.svg": _svg(lambda figure: _evidence(figure.subplots())),
    }


def _worlds(axes: Axes, results: dict[str, list[Result]], setting: Setting) -> None:
    width = 0.8 / len(results)
    for index, (judge, row) in enumerate(results.items()):
        colour, hatch, _ = _STYLES[index]
        at = [place + (index - (len(results) - 1) / 2) * width for place in range(len(row))]
        shares = [100 * one.rollback_share for one in row]
        axes.bar(at, shares, width, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=judge)
    axes.axhline(100 * setting.alpha, color="black", linewidth=0.8, linestyle="--")
    axes.text(-0.65, 100 * setting.alpha + 1, "promised", fontsize=8)
    axes.set_xticks(range(len(NAMES)), NAMES, rotation=20)
    _label(axes, "", "equal versions rolled back, %")


def _exposure(axes: Axes, results: dict[str, list[Result]]) -> None:
    """Where at least nine of ten were found: a median over fewer flatters who misses the hard ones."""
    for index, (judge, row) in enumerate(results.items()):
        colour, _, marker = _STYLES[index]
        points = [
            (100 * rate, one.median_requests)
            for rate, one in zip(CANDIDATE_ERRORS, row, strict=True)
            if one.rollback_share >= 0.9 and one.median_requests
        ]
        axes.plot([x for x, _ in points], [y for _, y in points], color=colour, marker=marker, label=judge)
    axes.set_yscale("log")
    _label(axes, "the candidate's failures, % (the baseline's: 0.5 %)", "its requests before rollback, median")


def _evidence(axes: Axes) -> None:
    """A shared incident (seconds 60-105) and, in one of two, a candidate four times worse from second 180 on."""
    for label, worse, style in (("four times worse from 180 s on", 4, "-"), ("equal versions", 1, "--")):
        path = judge_recorded(_counts(worse), alpha=ALIKE.alpha)
        colour = _STYLES[0][0] if worse > 1 else _STYLES[1][0]
        axes.plot(path.slots, path.log_e, style, color=colour, label=label)
    axes.axhline(-math.log(ALIKE.alpha), color="black", linewidth=0.8)
    axes.text(0, -math.log(ALIKE.alpha) + 0.1, "needed at 5 %", fontsize=8)
    axes.axvspan(60, 105, color="#e5e5e5")
    axes.text(62, 5.2, "10 % of both fail", fontsize=8)
    axes.set_ylim(-1.6, 6.0)  # what comes after the verdict says nothing
    _label(axes, "seconds", "evidence that it is worse, ln E")


def _counts(worse: int) -> list[RecordedSlot]:
    """100 requests/s, a tenth of them the candidate's; counts as expected, rounded so that none is lost."""
    rows, kept = [], [0.0, 0.0]
    for slot in range(360):
        rate = 0.10 if 60 <= slot < 105 else 0.005
        counts = []
        for arm, n in enumerate((90, 10)):
            kept[arm] += n * rate * (worse if arm and slot >= 180 else 1)
            counts.append((n, int(kept[arm])))
            kept[arm] -= counts[-1][1]
        rows.append(RecordedSlot(slot, *counts[0], *counts[1], 1_000))
    return rows


def _label(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)


def _svg(draw: Callable[[Figure], None], *, size: Sequence[float] = (8.0, 3.2)) -> str:
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "serinus", "font.size": 9.0}):
        figure = Figure(figsize=(size[0], size[1]), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    # Editors and diffs do not like the blanks that matplotlib leaves at line ends.
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
