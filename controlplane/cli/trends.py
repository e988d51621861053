"""trends: what the versions of a service did before, from the control plane's store."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from controlplane.cli.client import ADMIN_OPTION, CALL_TIMEOUT_S, DEFAULT_ADMIN, EXIT_USAGE, call, fail
from controlplane.cli.output import OUTPUT_OPTION, Output, as_dict, emit, table, utc
from controlplane.manifest.units import in_seconds, in_time, parse_duration_ms
from serinus.v1 import admin_pb2

# Of a metric over time, highest last.
_BARS = "▁▂▃▄▅▆▇█"
SPARK_CHARS = 60
# name -> field of a row
METRICS = {
    "requests": "requests",
    "errors": "errors_ratio",
    "length": "length_ratio",
    "ttft": "ttft_p95_seconds",
    "latency": "latency_p95_seconds",
    "time_per_output_token": "time_per_output_token_p50_seconds",
    "tokens_out": "tokens_out_p50",
}


def trends(
    service: Annotated[str, typer.Argument(help="The service's name.")],
    since: Annotated[str, typer.Option("--since", help="How far back: 1h, 24h, 720h.")] = "24h",
    every: Annotated[str, typer.Option("--every", help="One row for so long: 1m, 10m, 1h. As fits.")] = "",
    version: Annotated[str, typer.Option("--version", help="Of one version.")] = "",
    admin: Annotated[str, ADMIN_OPTION] = DEFAULT_ADMIN,
    output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE,
) -> None:
    """History of a service by version. Example: serinus trends chat --since 6h --every 10m"""
    try:
        since_ms = parse_duration_ms(since)
        every_ms = parse_duration_ms(every) if every else 0
    except ValueError as error:
        raise fail(str(error), code=EXIT_USAGE) from None
    now_ms = time.time_ns() // 1_000_000
    request = admin_pb2.TrendsRequest(
        service=service, from_ms=max(now_ms - since_ms, 1), until_ms=now_ms, every_ms=every_ms, version=version
    )
    response = call(admin, lambda stub: stub.Trends(request, timeout=CALL_TIMEOUT_S))
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    if not response.rows:
        typer.echo(f"nothing is known of {service} in the last {since}; next: wait two minutes, or ask for longer")
        return
    names = [
        "TIME (UTC)",
        "VERSION",
        "REQUESTS",
        "ERRORS",
        "TTFT P50",
        "P95",
        "LATENCY P50",
        "P95",
        "PER TOKEN",
        "UNUSUAL",
    ]
    table(names, [_row(row) for row in response.rows])
    table(["LAST", "VERSION", f"OVER {in_time(since_ms / 1_000)}", "FROM", "TO"], _sparks(response.rows))


def _row(row: admin_pb2.TrendView) -> tuple[str, ...]:
    return (
        utc(row.at_ms)[:16],
        row.version,
        str(row.requests),
        _share(row, "errors_ratio"),
        _time(row, "ttft_p50_seconds"),
        _time(row, "ttft_p95_seconds"),
        _time(row, "latency_p50_seconds"),
        _time(row, "latency_p95_seconds"),
        _time(row, "time_per_output_token_p50_seconds"),
        row.unusual or "-",
    )


def _share(row: admin_pb2.TrendView, field: str) -> str:
    return f"{100 * getattr(row, field):.2f}%" if row.HasField(field) else "-"


def _time(row: admin_pb2.TrendView, field: str) -> str:
    return in_seconds(getattr(row, field)) if row.HasField(field) else "-"


def _sparks(rows: Sequence[admin_pb2.TrendView]) -> list[tuple[str, ...]]:
    """A line a metric and version, of the newest `SPARK_CHARS` rows that have it."""
    lines: list[tuple[str, ...]] = []
    for name, field in METRICS.items():
        for version in dict.fromkeys(row.version for row in rows):
            own = [row for row in rows if row.version == version]
            values = [float(getattr(r, field)) for r in own if field == "requests" or r.HasField(field)][-SPARK_CHARS:]
            if len(values) > 1:
                lines.append((name, version, spark(values), f"{min(values):.3g}", f"{max(values):.3g}"))
    return lines


def spark(values: Sequence[float]) -> str:
    """One character a value, from the lowest to the highest."""
    low, high = min(values), max(values)
    if high == low:
        return _BARS[0] * len(values)
    return "".join(_BARS[min(int(len(_BARS) * (value - low) / (high - low)), len(_BARS) - 1)] for value in values)
