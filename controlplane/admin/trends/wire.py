"""Points of the history -> `serinus.v1.Admin`. No I/O."""

from collections.abc import Mapping, Sequence

from controlplane.engine.history.unusual import Unusual
from controlplane.ingest.history import Counts, Point
from serinus.contract.edge import lower_edge
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


def _seconds(counts: Counts, metric: str, part: float) -> float | None:
    found = counts.quantile(metric, part)
    return None if found is None else found * _US


def _sum(counts: Counts, metric: str) -> int:
    """By the middles of the bins."""
    bins = counts.bins.get(metric, {})
    return round(
        sum(count * (lower_edge(place) + lower_edge(min(place + 1, 255))) / 2 for place, count in bins.items())
    )
