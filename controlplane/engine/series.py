"""Rollout series for Prometheus, refreshed from the engine at each scrape."""

from collections.abc import Callable, Collection

from controlplane.engine.runner import Engine
from controlplane.engine.server_logs import log_series
from controlplane.engine.servers import probe_series, server_series
from controlplane.evidence.finding import Finding
from controlplane.rollout.model import Rollout, ended_at_ms_of, weight_bp_of
from controlplane.telemetry.catalogue import DECISIONS, FEEDBACK, SIDECARS, XDS_NACKS, XDS_PUSHES, XDS_STREAMS
from controlplane.telemetry.exporter import Exporter
from controlplane.telemetry.metric import Kind
from controlplane.telemetry.probes import PROBE_METRICS
from controlplane.telemetry.rollouts import LIVE_METRICS, RolloutSeries, series
from controlplane.telemetry.server_logs import SERVER_LOG_METRICS
from controlplane.telemetry.servers import SERVER_METRICS


def refresh(engine: Engine, exporter: Exporter) -> None:
    """Replace every rollout's series; those that ended long ago are gone."""
    for metric in LIVE_METRICS:
        exporter.clear(metric)
    now_ms, services = engine.now_ms(), engine.world.services
    shown = set()
    for entry in engine.world.rollouts.values():
        row = _row(engine, entry.rollout)
        if row.is_shown(now_ms):
            shown.add(row.rollout)
            for metric, value, labels in series(row):
                exporter.set(metric, value, *labels)
    exporter.keep(DECISIONS, lambda labels: labels[1] in shown)
    exporter.keep(FEEDBACK, lambda labels: labels[0] in services)
    _refresh_servers(engine, exporter, now_ms)
    nodes = engine.publisher.connected_nodes()
    exporter.set(SIDECARS, sum(engine.registry.connected(node, now_ms) for node in nodes))
    exporter.set(XDS_STREAMS, engine.ads.stream_count)
    for labels, total in engine.feedback.counts.items():
        if labels[0] in services:
            exporter.count_to(FEEDBACK, total, *labels)
    for metric, totals in ((XDS_PUSHES, engine.ads.pushes_total), (XDS_NACKS, engine.ads.nacks_total)):
        for type_url, total in totals.items():
            exporter.count_to(metric, total, type_url.rpartition(".")[2])


def _refresh_servers(engine: Engine, exporter: Exporter, now_ms: int) -> None:
    book = engine.signals
    read, followed = book.versions(), set(book.logs.versions())
    for metric in (*SERVER_METRICS, *SERVER_LOG_METRICS, *PROBE_METRICS):
        if metric.kind is Kind.GAUGE:
            exporter.clear(metric)
        else:
            exporter.keep(metric, _among(followed if metric in SERVER_LOG_METRICS else read))
    for metric, value, labels in (*server_series(book, now_ms), *log_series(book, now_ms), *probe_series(book, now_ms)):
        if metric.kind is Kind.GAUGE:
            exporter.set(metric, value, *labels)
        else:
            exporter.count(metric, *labels, by=0)  # none so far is told from not known
            exporter.count_to(metric, value, *labels)


def _among(versions: Collection[tuple[str, ...]]) -> Callable[[tuple[str, ...]], bool]:
    return lambda labels: labels[:2] in versions


def _row(engine: Engine, rollout: Rollout) -> RolloutSeries:
    tracker = engine.trackers.get(rollout.name)
    named = tracker.named(engine.publisher.snapshot_of(rollout)) if tracker else None
    assessment = tracker.assessment if tracker else None
    evidence: dict[tuple[str, str], tuple[float, float]] = {}
    observed: float | None = None
    if assessment is not None:
        for row in (*(tracker.rows() if tracker else ()), *(tracker.dry_run.rows if tracker else ())):
            evidence[(row.metric, "worse")] = (row.worse_log_e, row.worse_needed)
            evidence[(row.metric, "good_enough")] = (row.good_log_e, row.good_needed)
        if assessment.share.keys:
            observed = assessment.share.candidate_keys / assessment.share.keys
    return RolloutSeries(
        service=rollout.spec.service,
        rollout=rollout.name,
        phase=rollout.phase.kind,
        baseline=rollout.baseline,
        candidate=rollout.spec.candidate,
        weight_bp=weight_bp_of(rollout),
        observed_ratio=observed,
        evidence=evidence,
        ended_at_ms=ended_at_ms_of(rollout),
        finding=named.finding.value if named else Finding.NONE.value,
    )
