"""Sealed rows and Envoy's counters -> `serinus.v1.ReportRequest` bytes. Keys go as salted 64-bit hashes, never raw."""

from collections.abc import Iterable
from dataclasses import dataclass

from extproc.aggregate.slot import Bins, MetricCount, RowCounts, RowKey, Sealed
from serinus.contract.feedback import Feedback
from serinus.v1 import outcomes_pb2


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    cluster: str
    endpoints: int
    healthy: int


@dataclass(frozen=True, slots=True)
class ProxyCounters:
    """Envoy's own counters; all but `logs_lost` go back to 0 when Envoy restarts."""

    answered: int
    untagged: int
    logs_written: int
    logs_lost: int
    clusters: tuple[ClusterHealth, ...]
    read_ms: int


def hello(*, sidecar: str, epoch: int, cluster: str) -> bytes:
    message = outcomes_pb2.Hello(sidecar=sidecar, epoch=epoch, cluster=cluster)
    return outcomes_pb2.ReportRequest(hello=message).SerializeToString()


def policy_ack(version: str, error: str = "") -> bytes:
    message = outcomes_pb2.PolicyAck(version=version, error=error)
    return outcomes_pb2.ReportRequest(policy_ack=message).SerializeToString()


def batch(
    seq: int,
    sealed: Sealed,
    proxy: ProxyCounters | None,
    *,
    shed: int = 0,
    proxy_read_elsewhere: bool = False,
    feedback: Iterable[Feedback] = (),
) -> bytes:
    """One report. `proxy` None: Envoy's admin address did not answer, or another process is the one that asks it."""
    message = outcomes_pb2.Batch(
        seq=seq,
        closed_through_slot=sealed.closed_through_slot,
        rows=[_row(key, counts) for key, counts in sealed.rows.items()],
        late_outcomes_total=sealed.late_outcomes_total,
        shed_total=shed,
        proxy_read_elsewhere=proxy_read_elsewhere,
        feedback=map(_feedback, feedback),
    )
    if proxy is not None:
        message.proxy.CopyFrom(_proxy(proxy))
    return outcomes_pb2.ReportRequest(batch=message).SerializeToString()


def _row(key: RowKey, counts: RowCounts) -> outcomes_pb2.SlotRow:
    return outcomes_pb2.SlotRow(
        service=key.service,
        rollout=key.rollout,
        snapshot=key.snapshot,
        slot=key.slot,
        weight_bp=key.weight_bp,
        weight_class=key.weight_class,
        cohort=key.cohort,
        version=key.version,
        slices=key.slices,
        requests=counts.requests,
        routing_mismatches=counts.routing_mismatches,
        metrics=_metrics(counts.metrics.items()),
        classes=[outcomes_pb2.ClassCount(outcome_class=name, count=count) for name, count in counts.classes.items()],
        histograms=[_histogram(name, bins) for name, bins in counts.histograms.items()],
        firsts=[
            outcomes_pb2.FirstsRow(metrics=metrics, keys=firsts.keys(), firsts=firsts.values())
            for metrics, firsts in counts.firsts.items()
        ],
    )


def _histogram(metric: str, bins: Bins) -> outcomes_pb2.HistogramRow:
    numbers = sorted(bins)
    return outcomes_pb2.HistogramRow(metric=metric, bins=numbers, counts=[bins[number] for number in numbers])


def _metrics(metrics: Iterable[tuple[str, MetricCount]]) -> list[outcomes_pb2.MetricRow]:
    return [
        outcomes_pb2.MetricRow(
            metric=name, observed=count.observed, bad=count.bad, keys_ok=count.keys_ok, keys_bad=count.keys_bad
        )
        for name, count in metrics
    ]


def _proxy(proxy: ProxyCounters) -> outcomes_pb2.ProxyCounters:
    return outcomes_pb2.ProxyCounters(
        answered_total=proxy.answered,
        untagged_total=proxy.untagged,
        logs_written_total=proxy.logs_written,
        logs_lost_total=proxy.logs_lost,
        clusters=[
            outcomes_pb2.ClusterHealth(cluster=entry.cluster, endpoints=entry.endpoints, healthy=entry.healthy)
            for entry in proxy.clusters
        ],
        read_ms=proxy.read_ms,
    )


def _feedback(told: Feedback) -> outcomes_pb2.FeedbackRow:
    request, said = told.request, told.said
    return outcomes_pb2.FeedbackRow(
        service=told.service,
        snapshot=request.snapshot,
        version=request.version,
        start_s=request.start_s,
        key=request.key,
        cohort=request.cohort,
        request=request.request,
        score=said.score,
        predicted=said.predicted,
        actual=said.actual,
        margin=said.margin,
        event=said.event,
        metric=said.metric,
    )
