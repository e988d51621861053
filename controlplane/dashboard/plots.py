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

WIDTH_IN = 9.0
BASELINE_COLOUR, CANDIDATE_COLOUR, LIMIT_COLOUR = "#4c5a67", "#d17a00", "#a11d33"
# A picture a metric below each other; more would be a book. The rest stands in the table.
METRICS_DRAWN_MAX = 6
# Evidence is drawn up to this multiple of what is needed: where it goes after that says nothing, and "nothing to
# show" is 999.
EVIDENCE_DRAWN_MAX = 2.0
MARKS_MAX = 40


def weight_svg(record: RolloutRecord) -> str:
    """Weight configured and observed over time; each decision that moved it is a numbered line."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        moves = _moves(record)
        at = [_seconds(record, at_ms) for at_ms, _ in moves]
        axes.step(at, [weight for _, weight in moves], where="post", color=CANDIDATE_COLOUR, label="configured")
        # Before the first decision nobody can be on the candidate: those points are of the time before the rollout.
        seen = [point for point in record.points if len(moves) > 2 and point.at_ms >= moves[1][0]]
        axes.plot(
            [_seconds(record, point.at_ms) for point in seen],
            [100 * point.observed_ratio for point in seen],
            color=BASELINE_COLOUR,
            linestyle=":",
            marker=".",
            label="observed, of the step's users",
        )
        _mark(axes, record)
        axes.set_ylim(-4, 112)
        _label(axes, "candidate's weight, %")

    return _svg(draw, height_in=2.8, prefix="weight")


def evidence_svg(record: RolloutRecord) -> str:
    """Per metric: evidence that it is worse and that it is good enough, each against what is needed."""
    shown = record.metrics[:METRICS_DRAWN_MAX]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(shown), 1, sharex=True, squeeze=False)
        for axes, metric in zip(grid[:, 0], shown, strict=True):
            points = _points(record, metric.metric)
            at = [seconds for seconds, _ in points]
            worse = [_height(point.worse_log_e, metric.worse_needed) for _, point in points]
            good = [_height(point.good_log_e, metric.good_needed) for _, point in points]
            axes.plot(at, worse, "-", color=LIMIT_COLOUR, label=f"worse ({metric.worse_needed:.1f} needed)")
            axes.plot(at, good, "--", color=BASELINE_COLOUR, label=f"good enough ({metric.good_needed:.1f} needed)")
            axes.set_title(metric.metric, loc="left", fontsize=9, fontweight="bold", parse_math=False)
            axes.set_ylim(-0.6, EVIDENCE_DRAWN_MAX + 0.1)
            axes.axhline(1.0, color="black", linewidth=0.8)
            _label(axes, "evidence / needed")

    return _svg(draw, height_in=0.6 + 2.1 * max(1, len(shown)), prefix="evidence") if shown else ""


def outcomes_svg(record: RolloutRecord) -> str:
    """Per metric: the share of requests that were bad since the start, in both arms, with the counts."""
    last = record.points[-1].metrics[:METRICS_DRAWN_MAX] if record.points else ()

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
                axes.text(share + 1, -row + offset, f"{arm} {bad} of {count}", va="center", fontsize=8)
        axes.set_yticks([-row for row in range(len(last))], [metric.metric for metric in last])
        axes.set_xlim(0, 130)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("bad requests, %")
        axes.spines[["top", "right"]].set_visible(False)

    return _svg(draw, height_in=0.9 + 0.8 * len(last), prefix="outcomes") if last else ""


def numbered_decisions(record: RolloutRecord) -> list[tuple[int, str]]:
    """(milliseconds after the start, sentence) of each numbered line in the weight picture, number 1 first."""
    moving = [event for event in record.events if event.action in ("advance", "rollback")]
    return [(event.at_ms - record.started_ms, event.text) for event in moving[:MARKS_MAX]]


def _moves(record: RolloutRecord) -> list[tuple[int, float]]:
    """(time, weight in %) from 0 at the start: what each decision put into force."""
    moves, step = [(record.started_ms, 0)], -1
    for event in record.events:
        if event.action == "rollback":
            moves.append((event.at_ms, 0))
        elif event.action == "advance" and record.steps_bp:
            step = len(record.steps_bp) - 1 if event.reason == "skip_analysis" else step + 1
            moves.append((event.at_ms, record.steps_bp[min(step, len(record.steps_bp) - 1)]))
    moves.append((record.ended_ms + 1000, moves[-1][1]))
    return [(at_ms, weight_bp / 100) for at_ms, weight_bp in moves]


def _points(record: RolloutRecord, metric: str) -> list[tuple[float, MetricPoint]]:
    return [
        (_seconds(record, point.at_ms), each)
        for point in record.points
        for each in point.metrics
        if each.metric == metric
    ]


def _seconds(record: RolloutRecord, at_ms: int) -> float:
    return max(0.0, (at_ms - record.started_ms) / 1000)


def _mark(axes: Axes, record: RolloutRecord) -> None:
    near_s = (record.ended_ms - record.started_ms) / 1000 / 50  # a number is some 2 % of the picture wide
    last_s, height = -near_s, 104
    for number, (after_ms, _) in enumerate(numbered_decisions(record), start=1):
        at_s = after_ms / 1000
        height = 204 - height if at_s - last_s < near_s else 104
        axes.axvline(at_s, color="black", linewidth=0.6, linestyle="--")
        axes.text(at_s, height, str(number), ha="center", fontsize=8)
        last_s = at_s


def _height(log_e: float, needed: float) -> float:
    """Evidence as a multiple of what is needed, kept within the picture."""
    return min(EVIDENCE_DRAWN_MAX, max(-0.5, log_e / needed)) if needed > 0 else 0.0


def _label(axes: Axes, what: str) -> None:
    axes.set_ylabel(what)
    axes.set_xlabel("seconds since the start")
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
