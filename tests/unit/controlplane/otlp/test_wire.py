"""Messages of OTLP hold what the spans and the exposition hold."""

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from controlplane.otlp.spans import Span, SpanEvent
from controlplane.otlp.wire import SERVICE_NAME, Origin, metrics, rejected_spans, traces
from controlplane.telemetry.catalogue import DECISIONS, ROLLOUT_WEIGHT, STORE_WRITE
from controlplane.telemetry.exporter import Exporter

ORIGIN = Origin("0.1.0", "one", 1_000)
SPAN = Span(
    b"t" * 16,
    b"s" * 8,
    b"p" * 8,
    "step 1: 10%",
    1_500,
    2_500,
    (("serinus.rollout", "chat-v2"), ("serinus.weight_ratio", 0.1), ("n", 3)),
    (SpanEvent(2_000, "thin_evidence", (("serinus.action", "hold"),)),),
    dropped_events=4,
    fault="errors: worse",
)


def test_a_span_arrives_whole() -> None:
    (of,) = ExportTraceServiceRequest.FromString(traces(ORIGIN, [SPAN])).resource_spans
    named = {each.key: each.value.string_value for each in of.resource.attributes}
    assert named == {"service.name": SERVICE_NAME, "service.version": "0.1.0", "service.instance.id": "one"}
    (span,) = of.scope_spans[0].spans
    assert (span.trace_id, span.span_id, span.parent_span_id) == (SPAN.trace_id, SPAN.span_id, SPAN.parent_id)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1_500_000_000, 2_500_000_000)
    values = {each.key: each.value for each in span.attributes}
    assert values["serinus.rollout"].string_value == "chat-v2"
    assert values["serinus.weight_ratio"].double_value == 0.1
    assert values["n"].int_value == 3
    assert (span.events[0].name, span.events[0].time_unix_nano) == ("thin_evidence", 2_000_000_000)
    assert span.dropped_events_count == 4
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "errors: worse")


def exported() -> dict[str, Metric]:
    exporter = Exporter()
    exporter.set(ROLLOUT_WEIGHT, 0.25, "chat", "chat-v2", "v2")
    exporter.count(DECISIONS, "chat", "chat-v2", "hold", "min_step", by=3)
    for seconds in (0.0, 0.004, 1_000.0):
        exporter.observe(STORE_WRITE, seconds)
    request = ExportMetricsServiceRequest.FromString(metrics(ORIGIN, exporter.text(), 61_000))
    return {each.name: each for each in request.resource_metrics[0].scope_metrics[0].metrics}


def test_gauges_counters_and_histograms_keep_their_names_and_numbers() -> None:
    found = exported()
    weight = found["serinus_rollout_weight_ratio"]
    (point,) = weight.gauge.data_points
    assert (weight.unit, point.as_double, point.time_unix_nano) == ("1", 0.25, 61_000_000_000)
    labels = {each.key: each.value.string_value for each in point.attributes}
    assert labels == dict(zip(ROLLOUT_WEIGHT.labels, ("chat", "chat-v2", "v2"), strict=True))
    decisions = found[DECISIONS.name].sum
    assert decisions.is_monotonic
    assert decisions.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert [(each.as_double, each.start_time_unix_nano) for each in decisions.data_points] == [(3.0, 1_000_000_000)]
    write = found["serinus_store_write_seconds"]
    (bins,) = write.histogram.data_points
    assert (write.unit, bins.count, bins.sum) == ("s", 3, 1_000.004)
    assert len(bins.bucket_counts) == len(bins.explicit_bounds) + 1
    assert (sum(bins.bucket_counts), bins.bucket_counts[0], bins.bucket_counts[-1]) == (3, 1, 1)
    assert list(bins.explicit_bounds) == sorted(STORE_WRITE.buckets)


def test_what_a_receiver_did_not_take_is_read_from_its_answer() -> None:
    answer = ExportTraceServiceResponse()
    assert rejected_spans(answer.SerializeToString()) == (0, "")
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    assert rejected_spans(answer.SerializeToString()) == (2, "too old")
