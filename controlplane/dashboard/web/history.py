"""What versions did, as lines for SVG: over time, and as shares of requests below each value (ECDF). Pure.

The history comes from `Trends` of the admin API (`wire.py`). x from the left, y from the top, in the picture's units.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.dashboard.web.chart import line
from controlplane.manifest.units import in_seconds
from serinus.contract.metric import LATENCY, TOKENS_IN, TOKENS_OUT, TPOT, TTFT

WIDTH, HEIGHT = 320.0, 90.0
# As the lines over time name them; others by their own names.
_TITLES = {
    TTFT: "time to first token",
    LATENCY: "latency",
    TPOT: "time per output token",
    TOKENS_OUT: "output tokens",
    TOKENS_IN: "input tokens",
}
VERSIONS_MAX = 4  # more lines cannot be told apart


@dataclass(frozen=True, slots=True)
class Curve:
    """Of one metric: `shares[i]` of the observations are below `uppers[i]`, in `unit` (s, tokens)."""

    metric: str
    unit: str
    uppers: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """One version in one span. None: not observed."""

    at_ms: int
    version: str
    requests: int
    errors: float | None = None
    ttft_s: float | None = None
    latency_s: float | None = None
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """`place` picks colour and dashes; `told` is its last value, or its median, in words."""

    version: str
    place: int
    points: str
    told: str


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    left: str
    right: str
    top: str
    lines: tuple[Line, ...]


def over_time(spans: Sequence[Span], every_ms: int) -> list[Plot]:
    """Requests a second, failures, and the slowest twentieth; [] with fewer than two spans."""
    if len({span.at_ms for span in spans}) < 2:
        return []
    kinds: tuple[tuple[str, Callable[[Span], float | None], Callable[[float], str]], ...] = (
        ("requests a second", lambda span: span.requests / (every_ms / 1_000), lambda value: f"{value:.3g}/s"),
        ("errors", lambda span: span.errors, lambda value: f"{100 * value:.2g}%"),
        ("time to first token, p95", lambda span: span.ttft_s, in_seconds),
        ("latency, p95", lambda span: span.latency_s, in_seconds),
    )
    return [plot for title, of, word in kinds if (plot := _over_time(title, spans, of, word)) is not None]


def _over_time(
    title: str, spans: Sequence[Span], of: Callable[[Span], float | None], word: Callable[[float], str]
) -> Plot | None:
    known = [(span, value) for span in spans if (value := of(span)) is not None]
    if not known:
        return None
    first, last = spans[0].at_ms, spans[-1].at_ms
    top = 1.1 * max(value for _, value in known) or 1.0
    lines = []
    for place, version in enumerate(versions_of(spans)):
        own = [((span.at_ms - first) / (last - first), value) for span, value in known if span.version == version]
        if len(own) > 1:
            points = line(own, width=WIDTH, height=HEIGHT, top=top)
            lines.append(Line(version, place, points, word(own[-1][1])))
    return Plot(title, _ago(last - first), "now", f"up to {word(top)}", tuple(lines)) if lines else None


def distributions(spans: Sequence[Span]) -> list[Plot]:
    """A plot a metric, a line a version; the axis of values is logarithmic."""
    metrics = dict.fromkeys((curve.metric, curve.unit) for span in spans for curve in span.curves)
    return [plot for metric, unit in metrics if (plot := _distribution(metric, unit, spans)) is not None]


def _distribution(metric: str, unit: str, spans: Sequence[Span]) -> Plot | None:
    found = {span.version: curve for span in spans for curve in span.curves if curve.metric == metric and curve.uppers}
    if not found:
        return None
    low = math.log(min(curve.uppers[0] for curve in found.values()) / 1.2)
    width = math.log(max(curve.uppers[-1] for curve in found.values())) - low
    word = in_seconds if unit == "s" else lambda value: f"{value:.0f}"
    lines = []
    for place, version in enumerate(versions_of(spans)):
        if (curve := found.get(version)) is None:
            continue
        corners, before = [(0.0, 0.0)], 0.0
        for upper, share in zip(curve.uppers, curve.shares, strict=True):
            x = (math.log(upper) - low) / width
            corners += [(x, before), (x, share)]
            before = share
        corners.append((1.0, before))
        middle = next(upper for upper, share in zip(curve.uppers, curve.shares, strict=True) if share >= 0.5)
        points = line(corners, width=WIDTH, height=HEIGHT, top=1.0)
        lines.append(Line(version, place, points, f"median {word(middle)}"))
    title = _TITLES.get(metric, metric if unit == "s" else f"{metric}, {unit}")
    return Plot(title, word(math.exp(low)), word(math.exp(low + width)), "0 to 100%", tuple(lines))


def versions_of(spans: Sequence[Span]) -> list[str]:
    """At most `VERSIONS_MAX`, those with the most requests, by name."""
    totals: dict[str, int] = {}
    for span in spans:
        totals[span.version] = totals.get(span.version, 0) + span.requests
    return sorted(sorted(totals, key=lambda version: -totals[version])[:VERSIONS_MAX])


def _ago(span_ms: int) -> str:
    hours = span_ms / 3_600_000
    return f"{hours:.0f} h ago" if hours >= 1 else f"{span_ms / 60_000:.0f} min ago"
