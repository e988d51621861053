"""Facts of a world in which everything is right, for tests to bend one by one."""

from dataclasses import replace

from controlplane.evidence.verdict import Verdict
from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.events import DataFact, EvidenceFact, Facts, FleetFact, HealthFact, RoutingFact, SidecarFact
from controlplane.rollout.model import Phase, Preparing, Rollout
from tests.unit.controlplane.manifest.samples import ROLLOUT

# A plan with everything in it that a plan may hold.
PLAN = ROLLOUT.replace(
    "  harm_budget",
    "  bake: {for: 10m, holdback: 1%}\n  approvals: {before: [50%]}\n"
    "  freeze: [{cron: '0 0 1 1 *', for: 24h, timezone: UTC}]\n  harm_budget",
)
T0_MS = 1_700_000_000_000


def spec(text: str = ROLLOUT) -> RolloutSpec:
    (manifest,) = load([("r.yaml", text)])
    assert isinstance(manifest.spec, RolloutSpec)
    return manifest.spec


def rollout(phase: Phase | None = None, *, text: str = ROLLOUT) -> Rollout:
    return Rollout(
        name="chat-v2",
        spec=spec(text),
        baseline="v1",
        started_at_ms=T0_MS,
        revision=7,
        phase=phase or Preparing(T0_MS),
    )


def right(*, step_index: int | None = None, verdict: Verdict = Verdict.NOT_ENOUGH_EVIDENCE) -> Facts:
    return Facts(
        fleet=FleetFact(connected=2),
        sidecars=SidecarFact(connected=2),
        health=HealthFact(seen_by=(("edge-1", 1, 1), ("edge-2", 1, 1))),
        data=DataFact(window_s=30, answered=1000, logs_written=1000),
        routing=RoutingFact(outcomes=50),
        evidence=EvidenceFact(step_index=step_index, verdict=verdict, sentence="errors: 0 of 40"),
    )


def without(facts: Facts, **fields: object) -> Facts:
    return replace(facts, **fields)  # type: ignore[arg-type]
