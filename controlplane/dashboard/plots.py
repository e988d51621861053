"""The three pictures of a rollout's record, as SVG text to stand inside an HTML file. Pure.

matplotlib's object interface only (no pyplot: it keeps figures and picks a screen). Lines differ in dash and marker,
bars in hatching, so that a print without colour says the same. Text stays text: it can be searched and read aloud.
"""

import io
import re
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from controlplane.dashboard.record import MetricPoint, RolloutRecord
from controlplane.dashboard.steps import moves

WIDTH_IN = 9.0
BASELINE_COLOUR, CANDIDATE_COLOUR, LIMIT_COLOUR = "#4c5a67", "#d17a00", "#a11d33"
# A picture a metric below each other; more would be a book. The rest stands in the table.
METRICS_DRAWN_MAX = 6
# Evidence is drawn up to this multiple of what is needed: where it goes after that says nothing, and "nothing to
# show" is 999.
EVIDENCE_DRAWN_MAX = 2.0
MARKS_MAX = 40
MARKERS_MAX = 100  # more points than this are a band, not points
UNITS = ((86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1_000, "seconds"))


def weight_svg(record: RolloutRecord) -> str:
    """Weight configured and observed over time; each decision that moved it is a numbered line."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        moved = _moves(record)
        at = [_along(record, at_ms) for at_ms, _ in moved]
        axes.step(at, [weight for _, weight in moved], where="post", color=CANDIDATE_COLOUR, label="configured")
        # Before the first decision nobody can be on the candidate: those points are of the time before the rollout.
        seen = [point for point in record.points if len(moved) > 2 and point.at_ms >= moved[1][0]]
        axes.plot(
            [_along(record, point.at_ms) for point in seen],
            [100 * point.observed_ratio for point in seen],
            color=BASELINE_COLOUR,
            linestyle=":",
            marker="." if len(seen) <= MARKERS_MAX else "",
            label="observed, of the step's users",
        )
        _mark(axes, record)
        axes.set_ylim(-4, 112)
        _label(axes, record, "candidate's weight, %")

    return _svg(draw, height_in=2.8, prefix="weight")


def evidence_svg(record: RolloutRecord) -> str:
    """Per metric: evidence that it is worse and that it is good enough, each against what is needed."""
    shown = record.metrics[:METRICS_DRAWN_MAX]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(shown), 1, sharex=True, squeeze=False)
        for axes, metric in zip(grid[:, 0], shown, strict=True):
            points = _points(record, metric.metric)
            at = [along for along, _ in points]
            worse = [_height(point.worse_log_e, metric.worse_needed) for _, point in points]
            good = [_height(point.good_log_e, metric.good_needed) for _, point in points]
            axes.plot(at, worse, "-", color=LIMIT_COLOUR, label=f"worse ({metric.worse_needed:.1f} needed)")
            axes.plot(at, good, "--", color=BASELINE_COLOUR, label=f"good enough ({metric.good_needed:.1f} needed)")
            axes.set_title(metric.metric, loc="left", fontsize=9, fontweight="bold", parse_math=False)
            axes.set_ylim(-0.6, EVIDENCE_DRAWN_MAX + 0.1)
            axes.axhline(1.0, color="black", linewidth=0.8)
            _label(axes, record, "evidence / needed")

    return _svg(draw, height_in=0.6 + 2.1 * max(1, len(shown)), prefix="evidence") if shown else ""


def outcomes_svg(record: RolloutRecord) -> str:
    """Per metric: the share of requests that were bad since the start, in both arms, with the counts."""
    last = record.points[-1].metrics[:METRICS_DRAWN_MAX] if record.points else ()
    # A share of 1 % must be seen, too: the axis is as long as the longest bar, which is at least that.
    arms = [(each.baseline_bad, each.baseline_requests) for each in last]
    arms += [(each.candidate_bad, each.candidate_requests) for each in last]
    widest = max([1.0, *(100 * bad / count for bad, count in arms if count)])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for row, metric in enumerate(last):
            arms = (
                ("baseline", metric.baseline_bad, metric.baseline_requests, BASELINE_COLOUR, "", 0.2),
                ("candidate", metric.candidate_bad, metric.candidate_requests, CANDIDATE_COLOUR, "///", -0.2),
            )
            for arm, bad, count, colour, hatch, offset in arms:
                share = 100 * bad / count if count else 0.0
                label = arm if row == 0 else None
                axes.barh(
                    -row + offset, share, 0.36, color=colour, hatch=hatch, label=label, edgecolor="white", linewidth=0
                )
                axes.text(share + widest / 100, -row + offset, f"{arm} {bad} of {count}", va="center", fontsize=8)
        axes.set_yticks([-row for row in range(len(last))], [metric.metric for metric in last])
        axes.set_xlim(0, 1.3 * widest)  # room for the words behind the longest bar
        axes.set_xlabel("bad requests, %")
        axes.spines[["top", "right"]].set_visible(False)

    return _svg(draw, height_in=0.9 + 0.8 * len(last), prefix="outcomes") if last else ""


def numbered_decisions(record: RolloutRecord) -> list[tuple[int, str]]:
    """(milliseconds after the start, sentence) of each numbered line in the weight picture, number 1 first."""
    return [(event.at_ms - record.started_ms, event.text) for event, _ in list(moves(record))[:MARKS_MAX]]


def _moves(record: RolloutRecord) -> list[tuple[int, float]]:
    """(time, weight in %) from 0 at the start: what each decision put into force."""
    moved = [(record.started_ms, 0), *((event.at_ms, weight_bp) for event, weight_bp in moves(record))]
    moved.append((record.ended_ms + 1000, moved[-1][1]))
    return [(at_ms, weight_bp / 100) for at_ms, weight_bp in moved]


def _points(record: RolloutRecord, metric: str) -> list[tuple[float, MetricPoint]]:
    return [
        (_along(record, point.at_ms), each)
        for point in record.points
        for each in point.metrics
        if each.metric == metric
    ]


def _unit(record: RolloutRecord) -> tuple[int, str]:
    """(milliseconds, name) of the unit of the time axes: of the whole there are at least two and a half."""
    took_ms = record.ended_ms - record.started_ms
    return next((each for each in UNITS if took_ms >= 2.5 * each[0]), UNITS[-1])


def _along(record: RolloutRecord, at_ms: int) -> float:
    return max(0.0, (at_ms - record.started_ms) / _unit(record)[0])


def _mark(axes: Axes, record: RolloutRecord) -> None:
    near = _along(record, record.ended_ms) / 50  # a number is some 2 % of the picture wide
    last, height = -near, 104
    for number, (after_ms, _) in enumerate(numbered_decisions(record), start=1):
        at = _along(record, record.started_ms + after_ms)
        height = 204 - height if at - last < near else 104
        axes.axvline(at, color="black", linewidth=0.6, linestyle="--")
        axes.text(at, height, str(number), ha="center", fontsize=8)
        last = at


def _height(log_e: float, needed: float) -> float:
    """Evidence as a multiple of what is needed, kept within the picture."""
    return min(EVIDENCE_DRAWN_MAX, max(-0.5, log_e / needed)) if needed > 0 else 0.0


def _label(axes: Axes, record: RolloutRecord, what: str) -> None:
    axes.set_ylabel(what)
    axes.set_xlabel(f"{_unit(record)[1]} since the start")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)


def _svg(draw: Callable[[Figure], None], *, height_in: float, prefix: str) -> str:
    """The picture as an `<svg>` element. Its ids get the prefix: several pictures stand in one document."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "serinus", "font.size": 9.0}):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg")
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    return re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", text)
