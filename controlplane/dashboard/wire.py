"""Messages of `serinus.v1.Admin` -> the plain values of a report. No I/O."""

from controlplane.dashboard.record import EventRecord, MetricPoint, MetricRecord, Point, RolloutRecord
from serinus.v1 import admin_pb2


def rollout_record(response: admin_pb2.ExplainResponse) -> RolloutRecord:
    """Everything the control plane tells of a rollout."""
    view = response.rollout
    return RolloutRecord(
        name=view.name,
        service=view.service,
        baseline=view.baseline,
        candidate=view.candidate,
        phase=view.phase,
        message=view.message,
        steps_bp=tuple(view.steps_bp),
        weight_bp=view.weight_bp,
        started_ms=view.started_at_ms,
        ended_ms=view.ended_at_ms or view.now_ms,
        metrics=tuple(_metric(row) for row in view.metrics),
        events=tuple(
            EventRecord(event.at_ms, event.text, event.action, event.reason, event.actor) for event in response.events
        ),
        sentences=tuple(response.sentences),
        points=tuple(_point(sample) for sample in response.samples),
        finding=view.finding,
        finding_text=view.finding_text,
    )


def _metric(row: admin_pb2.MetricView) -> MetricRecord:
    return MetricRecord(
        metric=row.metric,
        verdict=row.verdict,
        limit=f"dry run; {row.limit}" if row.role == "dry_run" else row.limit,
        baseline_n=row.baseline_n,
        baseline_bad=row.baseline_bad,
        candidate_n=row.candidate_n,
        candidate_bad=row.candidate_bad,
        worse_log_e=row.worse_log_e,
        worse_needed=row.worse_needed,
        good_log_e=row.good_log_e,
        good_needed=row.good_needed,
        baseline_requests=row.baseline_requests,
        baseline_request_bad=row.baseline_request_bad,
        candidate_requests=row.candidate_requests,
        candidate_request_bad=row.candidate_request_bad,
        difference=_interval(row, "difference_interval"),
        baseline_interval=_interval(row, "baseline_interval"),
        candidate_interval=_interval(row, "candidate_interval"),
    )


def _interval(row: admin_pb2.MetricView, name: str) -> tuple[float, float] | None:
    return (getattr(row, name).low, getattr(row, name).high) if row.HasField(name) else None


def _point(sample: admin_pb2.Sample) -> Point:
    return Point(
        at_ms=sample.at_ms,
        weight_bp=sample.weight_bp,
        observed_ratio=sample.observed_ratio,
        metrics=tuple(
            MetricPoint(
                each.metric,
                each.worse_log_e,
                each.good_log_e,
                each.baseline_requests,
                each.baseline_bad,
                each.candidate_requests,
                each.candidate_bad,
            )
            for each in sample.metrics
        ),
    )
