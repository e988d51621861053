"""Points of the history -> `serinus.v1.Admin`. No I/O."""

from collections.abc import Mapping, Sequence

from controlplane.engine.history.unusual import Unusual
from controlplane.ingest.history import Counts, Point, middle_of, upper_of
from serinus.contract.metric import ERRORS, FINISH_LENGTH, LATENCY, TOKENS_IN, TOKENS_OUT, TPOT, TTFT
from serinus.v1 import admin_pb2

_US = 1e-6


def trends_response(
    points: Sequence[Point], every_ms: int, strange: Mapping[tuple[str, int], Unusual]
) -> admin_pb2.TrendsResponse:
    """`strange`: by version and time."""
    rows = [_row(point, strange.get((point.version, point.at_ms))) for point in points]
    return admin_pb2.TrendsResponse(rows=rows, every_ms=every_ms)


def _row(point: Point, strange: Unusual | None) -> admin_pb2.TrendView:
    counts = point.counts
    return admin_pb2.TrendView(
        at_ms=point.at_ms,
        version=point.version,
        requests=counts.requests,
        errors_ratio=counts.share(ERRORS),
        length_ratio=counts.share(FINISH_LENGTH),
        ttft_p50_seconds=_seconds(counts, TTFT, 0.5),
        ttft_p95_seconds=_seconds(counts, TTFT, 0.95),
        latency_p50_seconds=_seconds(counts, LATENCY, 0.5),
        latency_p95_seconds=_seconds(counts, LATENCY, 0.95),
        time_per_output_token_p50_seconds=_seconds(counts, TPOT, 0.5),
        tokens_out_p50=counts.quantile(TOKENS_OUT, 0.5),
        tokens_in=_sum(counts, TOKENS_IN),
        tokens_out=_sum(counts, TOKENS_OUT),
        unusual="" if strange is None else ", ".join((strange.most, *strange.by)),
    )


def total_response(points: Sequence[Point], span_ms: int) -> admin_pb2.TrendsResponse:
    """One row a version, with distributions."""
    response = trends_response(points, span_ms, {})
    for row, point in zip(response.rows, points, strict=True):
        row.distributions.extend(_distribution(metric, bins) for metric, bins in sorted(point.counts.bins.items()))
    return response


def _distribution(metric: str, bins: Mapping[int, int]) -> admin_pb2.DistributionView:
    is_time, total, below = metric in (TTFT, LATENCY, TPOT), sum(bins.values()), 0
    view = admin_pb2.DistributionView(metric=metric, unit="s" if is_time else "tokens")
    for place in sorted(bins):
        below += bins[place]
        upper = upper_of(place)
        view.upper.append(upper * _US if is_time else upper)
        view.ratio.append(below / total)
    return view


def _seconds(counts: Counts, metric: str, part: float) -> float | None:
    found = counts.quantile(metric, part)
    return None if found is None else found * _US


def _sum(counts: Counts, metric: str) -> int:
    """By the middles of the bins."""
    bins = counts.bins.get(metric, {})
    return round(sum(middle_of(place) * count for place, count in bins.items()))
