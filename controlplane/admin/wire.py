"""Engine values -> messages of `serinus.v1.Admin`, and typed errors -> gRPC status. No I/O."""

from collections.abc import Sequence

import numpy as np

from controlplane.admin.slices.wire import add_notes
from controlplane.engine.evidence import EvidenceTracker, Sample
from controlplane.engine.group import Group
from controlplane.engine.people import intervals, needed
from controlplane.engine.record import LastDecision
from controlplane.engine.routing import Placement
from controlplane.engine.runner import Engine
from controlplane.engine.world import Service
from controlplane.evidence.intervals import Interval
from controlplane.evidence.verdict import MetricAssessment
from controlplane.manifest.schema import ServiceSpec
from controlplane.rollout.hooks import hook_fault
from controlplane.rollout.model import (
    Aborted,
    Promoted,
    RolledBack,
    Rollout,
    ended_at_ms_of,
    step_index_of,
    unapproved_bp,
    weight_bp_of,
)
from controlplane.snapshot.datapath import choose
from controlplane.snapshot.model import Gateway
from controlplane.store.port import Record
from controlplane.xds.fleet import NodeView
from controlplane.xds.server import Refusal
from serinus.contract.request import HeaderLookup, StickySource
from serinus.v1 import admin_pb2

# gRPC status by error code; what is not named here is INTERNAL.
STATUS_BY_CODE = {
    "invalid_manifest": "INVALID_ARGUMENT",
    "invalid_request": "INVALID_ARGUMENT",
    "not_found": "NOT_FOUND",
    "snapshot_invalid": "INVALID_ARGUMENT",
    "illegal_event": "FAILED_PRECONDITION",
    "approval": "FAILED_PRECONDITION",
    "alert_state": "FAILED_PRECONDITION",
    "frozen": "FAILED_PRECONDITION",
    "busy": "FAILED_PRECONDITION",
    "too_old": "FAILED_PRECONDITION",
    "forged": "INVALID_ARGUMENT",
    "file_not_here": "FAILED_PRECONDITION",
    "store": "UNAVAILABLE",
}
EVENTS_SHOWN, SAMPLES_SHOWN = 20, 2_000
# A thousand proxies that reject one thing say it in the same words.
REJECTIONS_SHOWN = 20
UP_TO_DATE = "up to date"
# The role of a metric that is judged and not acted on.
DRY_RUN = "dry_run"
# What a MetricView has under the assessment's own names.
_COUNTS = [f"{arm}_{what}" for arm in ("baseline", "candidate") for what in ("n", "bad", "requests", "request_bad")]
_METRIC_FIELDS = (*_COUNTS, "metric", "verdict", "limit", "worse_log_e", "worse_needed", "good_log_e", "good_needed")


def service_view(service: Service, rollout: Rollout | None) -> admin_pb2.ServiceView:
    spec: ServiceSpec = service.spec
    choice = choose(spec)
    return admin_pb2.ServiceView(
        name=service.name,
        protocol=spec.protocol,
        hosts=spec.hosts,
        prefix=spec.prefix,
        versions=[version.name for version in spec.versions],
        baseline=service.baseline,
        rollout=rollout.name if rollout else "",
        sticky=" then ".join(_sticky(source) for source in spec.sticky),
        datapath=spec.datapath,
        datapath_chosen=choice.path,
        datapath_reason=choice.reason,
    )


def _sticky(source: StickySource) -> str:
    return f"{source.kind.value} {source.name}".strip()


def brief_view(engine: Engine, rollout: Rollout, records: Sequence[Record]) -> admin_pb2.RolloutView:
    """What one line of a list shows. `records`: the end of its journal, or nothing for one that was judged just now."""
    view = admin_pb2.RolloutView(
        name=rollout.name,
        service=rollout.spec.service,
        baseline=rollout.baseline,
        candidate=rollout.spec.candidate,
        phase=rollout.phase.kind,
        step_index=step_index_of(rollout.phase),
        step_count=len(rollout.spec.steps_bp),
        steps_bp=rollout.spec.weights_bp,
        weight_bp=weight_bp_of(rollout),
        message=_message(rollout, engine.last.get(rollout.name), records),
        started_at_ms=rollout.started_at_ms,
        ended_at_ms=ended_at_ms_of(rollout),
        now_ms=engine.now_ms(),
        revision=rollout.revision,
        terminal=rollout.is_terminal,
        approval_needed_bp=unapproved_bp(rollout),
    )
    if isinstance(rollout.phase, Promoted):
        view.step_index = len(rollout.spec.steps_bp) - 1
    tracker = engine.trackers.get(rollout.name)
    if tracker is not None and (assessment := tracker.assessment) is not None:
        view.observed_keys = assessment.share.keys
        view.observed_ratio = assessment.share.candidate_keys / max(assessment.share.keys, 1)
    return view


def rollout_view(engine: Engine, rollout: Rollout, records: Sequence[Record]) -> admin_pb2.RolloutView:
    """Everything one screen shows of a rollout."""
    tracker = engine.trackers.get(rollout.name)
    view = brief_view(engine, rollout, records)
    view.events.extend(event_view(record) for record in records[-EVENTS_SHOWN:])
    if tracker is not None and tracker.assessment is not None:
        seconds = 0 if rollout.is_terminal else tracker.step_seconds()
        view.metrics.extend(metric_view(row, step_seconds=seconds) for row in tracker.rows())
        tried = tracker.dry_run.rows
        view.metrics.extend(metric_view(row, step_seconds=seconds, role=DRY_RUN) for row in tried)
    if fault := hook_fault(rollout):
        view.findings.append(fault)
    if tracker is not None and not rollout.is_terminal:
        _add_quality(view, engine, rollout, tracker)
    if not rollout.is_terminal:
        _add_proxies(view, engine, rollout.spec.service)
    if tracker is not None:
        named = tracker.named(engine.publisher.snapshot_of(rollout))
        view.finding, view.finding_text = (named.finding.value, named.sentence) if named else ("", "")
        add_notes(view, tracker, engine.unusual)
    return view


def _add_proxies(view: admin_pb2.RolloutView, engine: Engine, service: str) -> None:
    view.rejections.extend(
        admin_pb2.RejectionView(node=node_id, group=group, type=_kind(nack.type_url), message=nack.message)
        for group, node_id, nack in engine.publisher.rejections(service)[:REJECTIONS_SHOWN]
    )
    view.findings.extend(engine.delivery.secrets.findings(engine.world.services[service].spec.files))


def _add_quality(view: admin_pb2.RolloutView, engine: Engine, rollout: Rollout, tracker: EvidenceTracker) -> None:
    routing = tracker.routing_fact(engine.publisher.snapshot_of(rollout))
    view.routing_mismatches = routing.mismatches
    nodes = engine.publisher.connected_nodes(rollout.spec.service)
    data = engine.registry.data_fact(nodes, engine.now_ms())
    view.untagged_recent = data.untagged
    view.lost_entries_recent = data.logs_lost


def _message(rollout: Rollout, last: LastDecision | None, records: Sequence[Record]) -> str:
    match rollout.phase:
        case RolledBack(reason=reason) | Aborted(reason=reason):
            return reason
    if last is not None and not rollout.is_terminal:
        return last.decision.text
    return records[-1].text if records else ""


def metric_view(row: MetricAssessment, *, step_seconds: int, role: str = "guardrail") -> admin_pb2.MetricView:
    """`step_seconds`: how long the step has been judged; 0: it is over, or has not begun."""
    view = admin_pb2.MetricView(role=role, **{name: getattr(row, name) for name in _METRIC_FIELDS})
    if found := intervals(row):
        view.baseline_interval.CopyFrom(_interval(found.baseline))
        view.candidate_interval.CopyFrom(_interval(found.candidate))
        view.difference_interval.CopyFrom(_interval(found.difference))
    if step_seconds and (more := needed(row, step_seconds)):
        view.more_users, view.more_seconds = more.users, more.seconds or 0.0
    return view


def _interval(interval: Interval) -> admin_pb2.IntervalView:
    return admin_pb2.IntervalView(low=interval.low, high=interval.high)


def event_view(record: Record) -> admin_pb2.EventView:
    kind = "operator" if record.actor else "decision"
    return admin_pb2.EventView(
        at_ms=record.at_ms,
        kind="phase" if record.moved and not record.actor else kind,
        text=record.text,
        action=record.action,
        reason=record.code,
        revision=record.revision,
        actor=record.actor,
    )


def samples_view(samples: Sequence[Sample]) -> list[admin_pb2.Sample]:
    """At most SAMPLES_SHOWN points, thinned evenly, first and last kept."""
    if len(samples) > SAMPLES_SHOWN:
        samples = [samples[index] for index in np.linspace(0, len(samples) - 1, SAMPLES_SHOWN).astype(int)]
    return [
        admin_pb2.Sample(
            at_ms=sample.at_ms,
            weight_bp=sample.weight_bp,
            observed_ratio=sample.observed_ratio,
            metrics=[
                admin_pb2.MetricSample(
                    metric=metric.metric,
                    worse_log_e=metric.worse_log_e,
                    good_log_e=metric.good_log_e,
                    baseline_requests=metric.baseline_requests,
                    baseline_bad=metric.baseline_bad,
                    candidate_requests=metric.candidate_requests,
                    candidate_bad=metric.candidate_bad,
                )
                for metric in sample.metrics
            ],
        )
        for sample in samples
    ]


def group_view(group: Group) -> admin_pb2.ProxyGroupView:
    target = group.target
    fleet = group.fleet
    return admin_pb2.ProxyGroupView(
        name=group.name,
        listen=_address(target.gateway) if target else "",
        nodes=target.nodes if target else (),
        services=[route.name for route in target.routes] if target else (),
        connected=len(fleet.connected),
        up_to_date=sum(_state(group, node) == UP_TO_DATE for node in fleet.connected),
    )


def _address(gateway: Gateway) -> str:
    host = f"[{gateway.listen_host}]" if ":" in gateway.listen_host else gateway.listen_host
    return f"{host}:{gateway.listen_port}"


def proxy_view(engine: Engine, group: Group, node: NodeView) -> admin_pb2.ProxyView:
    accepted, published = engine.publisher.route_versions(group.name, node)
    return admin_pb2.ProxyView(
        node=node.node.node_id,
        cluster=node.node.cluster,
        envoy_version=node.node.envoy_version,
        connected=node.is_connected,
        accepted_routes=accepted,
        published_routes=published,
        last_error="; ".join(f"{_kind(nack.type_url)}: {nack.message}" for nack in node.nacks.values()),
        sidecar_connected=engine.registry.connected(node.node.node_id, engine.now_ms()),
        clusters=[
            admin_pb2.ClusterHealthView(
                cluster=entry.cluster,
                version=entry.cluster.partition("/")[2],
                endpoints=entry.endpoints,
                healthy=entry.healthy,
            )
            for entry in engine.registry.clusters(node.node.node_id)
        ],
        group=group.name,
        mode=node.mode,
        state=_state(group, node),
    )


def _state(group: Group, node: NodeView) -> str:
    """What an operator must know first."""
    if not node.is_connected:
        return "gone"
    if node.node.node_id in group.fleet.duplicates:
        return "duplicate id"
    if node.nacks:
        return "rejected"
    return UP_TO_DATE if group.snapshot is not None and node.has_accepted(group.snapshot) else "updating"


def _kind(type_url: str) -> str:
    return type_url.rpartition(".")[2]


def refusal_view(refusal: Refusal, *, at_ms: int) -> admin_pb2.RefusalView:
    node = refusal.node
    return admin_pb2.RefusalView(node=node.node_id, cluster=node.cluster, reason=refusal.reason, at_ms=at_ms)


def header_lookup(request: admin_pb2.CohortRequest) -> HeaderLookup:
    """Headers by lower-case name, all values in order, without outer blanks: as Envoy hands them on."""
    values: dict[str, list[bytes]] = {}
    for header in request.headers:
        values.setdefault(header.name.lower(), []).append(header.value.strip().encode())
    return lambda name: values.get(name, [])


def cohort_response(placement: Placement) -> admin_pb2.CohortResponse:
    bucket = placement.assignment.bucket
    return admin_pb2.CohortResponse(
        cohort=placement.assignment.cohort,
        version=placement.version,
        has_key=bucket is not None,
        bucket=bucket or 0,
        weight_bp=placement.weight_bp,
        rule=placement.rule,
    )
