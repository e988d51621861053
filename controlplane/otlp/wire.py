"""Spans, and the text that Prometheus scrapes -> the messages of OTLP 1 (opentelemetry-proto). No I/O.

Metrics keep the names that Prometheus shows, so that a query finds them by either way; units are those of their
suffixes (OpenTelemetry's "Prometheus and OpenMetrics Compatibility").
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from controlplane.otlp.spans import Span

SERVICE_NAME = "serinus-controlplane"
_NS = 1_000_000  # of a millisecond
_UNITS = (("_seconds", "s"), ("_bytes", "By"), ("_ratio", "1"))
_CUMULATIVE = metrics_pb2.AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sends: `instance` is this process's own, `started_ms` when it began to count."""

    version: str
    instance: str
    started_ms: int


def traces(origin: Origin, spans: Sequence[Span]) -> bytes:
    """The body of one request to /v1/traces."""
    request = ExportTraceServiceRequest()
    of = request.resource_spans.add(resource=_resource(origin)).scope_spans.add(scope=_scope(origin))
    of.spans.extend(map(_span, spans))
    return request.SerializeToString()


def metrics(origin: Origin, text: bytes, now_ms: int) -> bytes:
    """The body of one request to /v1/metrics. `text`: the exposition."""
    request = ExportMetricsServiceRequest()
    of = request.resource_metrics.add(resource=_resource(origin)).scope_metrics.add(scope=_scope(origin))
    for family in text_string_to_metric_families(text.decode()):
        if family.samples:
            of.metrics.append(_metric(family, origin.started_ms * _NS, now_ms * _NS))
    return request.SerializeToString()


def rejected_spans(body: bytes) -> tuple[int, str]:
    """Of an answer to `traces`: how many were not taken, and why. Raises DecodeError."""
    partial = ExportTraceServiceResponse.FromString(body).partial_success
    return partial.rejected_spans, partial.error_message


def _resource(origin: Origin) -> Resource:
    named = {
        "service.name": SERVICE_NAME,
        "service.version": origin.version,
        "service.instance.id": origin.instance,
    }
    return Resource(attributes=_attributes(named.items()))


def _scope(origin: Origin) -> InstrumentationScope:
    return InstrumentationScope(name="serinus", version=origin.version)


def _attributes(pairs: Iterable[tuple[str, str | int | float]]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in pairs]


def _value(value: str | float) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def _span(span: Span) -> trace_pb2.Span:
    message = trace_pb2.Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id,
        name=span.name,
        kind=trace_pb2.Span.SpanKind.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start_ms * _NS,
        end_time_unix_nano=span.end_ms * _NS,
        attributes=_attributes(span.attributes),
        dropped_events_count=span.dropped_events,
    )
    for event in span.events:
        message.events.add(time_unix_nano=event.at_ms * _NS, name=event.name, attributes=_attributes(event.attributes))
    if span.fault:
        message.status.code = trace_pb2.Status.StatusCode.STATUS_CODE_ERROR
        message.status.message = span.fault
    return message


def _metric(family: Metric, start_ns: int, now_ns: int) -> metrics_pb2.Metric:
    is_counter = family.type == "counter"
    name = f"{family.name}_total" if is_counter else family.name
    unit = next((unit for suffix, unit in _UNITS if family.name.endswith(suffix)), "")
    message = metrics_pb2.Metric(name=name, description=family.documentation, unit=unit)
    if family.type == "histogram":
        message.histogram.aggregation_temporality = _CUMULATIVE
        message.histogram.data_points.extend(_histogram(family, start_ns, now_ns))
        return message
    points = (
        metrics_pb2.NumberDataPoint(
            attributes=_attributes(sample.labels.items()),
            start_time_unix_nano=start_ns if is_counter else 0,
            time_unix_nano=now_ns,
            as_double=sample.value,
        )
        for sample in family.samples
    )
    if is_counter:
        message.sum.aggregation_temporality = _CUMULATIVE
        message.sum.is_monotonic = True
        message.sum.data_points.extend(points)
    else:
        message.gauge.data_points.extend(points)
    return message


def _histogram(family: Metric, start_ns: int, now_ns: int) -> Iterator[metrics_pb2.HistogramDataPoint]:
    """Prometheus counts everything up to a bound, OTLP what lies between two."""
    bounds: Mapping[tuple[tuple[str, str], ...], list[tuple[float, float]]] = defaultdict(list)
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple((key, value) for key, value in sample.labels.items() if key != "le")
        if sample.name.endswith("_bucket"):
            bounds[labels].append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_sum"):
            sums[labels] = sample.value
    for labels, rows in bounds.items():
        rows.sort()
        counts = [round(count) for _, count in rows]
        yield metrics_pb2.HistogramDataPoint(
            attributes=_attributes(labels),
            start_time_unix_nano=start_ns,
            time_unix_nano=now_ns,
            count=counts[-1],
            sum=sums.get(labels, 0.0),
            bucket_counts=[now - before for now, before in zip(counts, [0, *counts], strict=False)],
            explicit_bounds=[bound for bound, _ in rows if math.isfinite(bound)],
        )
