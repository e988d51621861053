"""The facts that the rollout machine decides on, gathered from the parts that know them."""

from collections.abc import Sequence

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
    nodes: Sequence[str],
    policy_version: str,
    now_ms: int,
) -> Facts:
    """`nodes` are the ids of the connected proxies; `policy_version` is the cohort policy in force."""
    service = rollout.spec.service
    return Facts(
        fleet=publisher.fleet_fact(),
        sidecars=registry.sidecar_fact(nodes, policy_version, now_ms),
        health=HealthFact(registry.health(nodes, cluster_name(service, rollout.spec.candidate))),
        data=registry.data_fact(nodes, now_ms),
        routing=tracker.routing_fact(publisher.route_snapshot(service)),
        evidence=tracker.evidence_fact(),
    )
