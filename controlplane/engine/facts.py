"""The facts that the rollout machine decides on, gathered from the parts that know them."""

from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.publisher import Publisher
from controlplane.ingest.registry import Registry
from controlplane.rollout.events import Facts, HealthFact
from controlplane.rollout.model import Rollout
from controlplane.snapshot.model import cluster_name


def facts_of(
    rollout: Rollout,
    *,
    publisher: Publisher,
    registry: Registry,
    tracker: EvidenceTracker,
    policy: str,
    now_ms: int,
) -> Facts:
    """Of the proxies that serve the rollout's service. `policy` is the version of the cohort policy in force."""
    service = rollout.spec.service
    nodes = publisher.connected_nodes(service)
    return Facts(
        fleet=publisher.fleet_fact(service),
        sidecars=registry.sidecar_fact(nodes, policy, now_ms),
        health=HealthFact(registry.health(nodes, cluster_name(service, rollout.spec.candidate))),
        data=registry.data_fact(nodes, now_ms),
        routing=tracker.routing_fact(publisher.route_snapshot(service)),
        evidence=tracker.evidence_fact(),
    )
