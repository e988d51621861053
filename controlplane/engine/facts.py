"""The facts that the rollout machine decides on, gathered from the parts that know them."""

from dataclasses import dataclass

from controlplane.engine.alerting.desk import AlertDesk
from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.publisher import Publisher
from controlplane.engine.servers import servers_fact, shortage
from controlplane.ingest.registry import Registry
from controlplane.rollout.events import Facts, HealthFact, ProbesFact
from controlplane.rollout.model import Rollout
from controlplane.signals.book import SignalBook
from controlplane.snapshot.model import cluster_name


@dataclass(frozen=True, slots=True)
class Sources:
    """Who knows the facts that are the same for every rollout."""

    publisher: Publisher
    registry: Registry
    signals: SignalBook
    alerts: AlertDesk


def facts_of(rollout: Rollout, sources: Sources, tracker: EvidenceTracker, *, policy: str, now_ms: int) -> Facts:
    """Of the proxies that serve the rollout's service. `policy` is the version of the cohort policy in force. What the
    servers say, and what the service leans on, goes to the tracker too, whose finding names a want of either."""
    publisher, registry, service = sources.publisher, sources.registry, rollout.spec.service
    signals, arms = sources.signals, (rollout.baseline, rollout.spec.candidate)
    tracker.full, tracker.dependency = shortage(signals, rollout, now_ms), signals.probes.down(service, now_ms)
    if tracker.logs.is_due(now_ms):
        baseline, candidate = (signals.logs.of(service, version, now_ms) for version in arms)
        tracker.logs.look(baseline, candidate, tracker.requests, now_ms)
    nodes = publisher.connected_nodes(service)
    return Facts(
        fleet=publisher.fleet_fact(service),
        sidecars=registry.sidecar_fact(nodes, policy, now_ms),
        health=HealthFact(registry.health(nodes, cluster_name(service, rollout.spec.candidate))),
        data=registry.data_fact(nodes, now_ms),
        routing=tracker.routing_fact(publisher.route_snapshot(service)),
        evidence=tracker.evidence_fact(),
        servers=servers_fact(signals, rollout, now_ms),
        alerts=sources.alerts.incoming.fact(rollout, now_ms),
        queries=sources.alerts.queries.fact(rollout, now_ms),
        probes=ProbesFact(signals.probes.down(service, now_ms, holding=True), signals.probes.unknown(service, now_ms)),
    )
