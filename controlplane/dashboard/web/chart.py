"""Small pictures as numbers for SVG: what stands where. Pure. Colours and words are the templates' business.

Lengths are in the picture's own units, x from the left, y from the top.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.dashboard.record import MetricRecord, Point

# "There is nothing to show": above any evidence that could be asked for.
NO_NEED_LOG_E = 900.0


@dataclass(frozen=True, slots=True)
class Band:
    """An interval of a difference on a line from `left` to `right`, in percent of its width; `zero`: no difference."""

    low: float
    high: float
    middle: float
    zero: float
    left: str
    right: str


def band(row: MetricRecord) -> Band | None:
    """Of the difference of bad shares, candidate less baseline, around nothing; None if none is told."""
    if row.difference is None:
        return None
    low, high = row.difference
    reach = max(abs(low), abs(high), 0.001) * 1.15
    place = [50.0 + 50.0 * value / reach for value in (low, high, (low + high) / 2)]
    return Band(place[0], place[1], place[2], 50.0, f"{-100 * reach:+.1f}", f"{100 * reach:+.1f}")


def filled(log_e: float, needed: float) -> float:
    """Evidence as a share of what is needed, 0 to 100."""
    if log_e >= NO_NEED_LOG_E:
        return 100.0
    return max(0.0, min(100.0, 100.0 * log_e / needed)) if needed > 0 else 0.0


def line(values: Sequence[tuple[float, float]], *, width: float, height: float, top: float) -> str:
    """The `points` of a polyline through (x from 0 to 1, value from 0 to `top`)."""
    return " ".join(f"{x * width:.1f},{height - max(0.0, min(1.0, y / top)) * height:.1f}" for x, y in values)


def evidence_line(points: Sequence[Point], row: MetricRecord, *, is_worse: bool, width: float, height: float) -> str:
    """Evidence over time against what is needed: the line's top is 1.25 times that."""
    if len(points) < 2:
        return ""
    first_ms, span_ms = points[0].at_ms, max(1, points[-1].at_ms - points[0].at_ms)
    needed = row.worse_needed if is_worse else row.good_needed
    found = []
    for point in points:
        for metric in point.metrics:
            if metric.metric == row.metric:
                log_e = metric.worse_log_e if is_worse else metric.good_log_e
                found.append(((point.at_ms - first_ms) / span_ms, min(log_e, 2 * needed)))
    return line(found, width=width, height=height, top=1.25 * max(needed, 1e-9))


@dataclass(frozen=True, slots=True)
class WeightLines:
    """Configured and observed weight of the candidate over time; `times`: what the ends of the axis say."""

    configured: str
    observed: str
    from_ms: int
    to_ms: int


def weight_lines(
    changes: Sequence[tuple[int, int]], points: Sequence[Point], to_ms: int, *, width: float, height: float
) -> WeightLines | None:
    """`changes`: (since when, weight in basis points), oldest first."""
    if not changes or to_ms <= changes[0][0]:
        return None
    from_ms = changes[0][0]
    span_ms = to_ms - from_ms
    corners: list[tuple[float, float]] = []
    for index, (at_ms, weight_bp) in enumerate(changes):
        until_ms = changes[index + 1][0] if index + 1 < len(changes) else to_ms
        corners += [((at_ms - from_ms) / span_ms, weight_bp), ((until_ms - from_ms) / span_ms, weight_bp)]
    seen = [
        ((point.at_ms - from_ms) / span_ms, 10_000 * point.observed_ratio)
        for point in points
        if from_ms <= point.at_ms <= to_ms and point.observed_ratio
    ]
    return WeightLines(
        line(corners, width=width, height=height, top=10_000),
        line(seen, width=width, height=height, top=10_000),
        from_ms,
        to_ms,
    )
