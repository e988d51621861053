"""Guardrails that are tried out (`dry_run: true`): judged like the others, by a judge of their own.

They have no stake in the verdict that moves a rollout, and cannot: their numbers reach people and the journal only.
What one of them shows is what it would have done alone with the rollout's error probabilities.
"""

from collections.abc import Sequence

from controlplane.engine.plan import dry_run_plan
from controlplane.evidence.judge import Judge
from controlplane.evidence.strata import Stratum
from controlplane.evidence.verdict import MetricAssessment
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.effects import BeginStep


class DryRun:
    """One judge a guardrail, so that none weakens another. Fed like the judge that decides."""

    def __init__(self, spec: RolloutSpec) -> None:
        self._judges = [Judge(dry_run_plan(spec, guardrail)) for guardrail in spec.guardrails if guardrail.dry_run]
        self.rows: tuple[MetricAssessment, ...] = ()

    def begin_step(self, step: BeginStep) -> None:
        for judge in self._judges:
            judge.begin_step(slot=step.slot, weight_bp=step.weight_bp, next_weight_bp=step.next_weight_bp)

    def fold(self, slot: int, strata: Sequence[Stratum]) -> None:
        for judge in self._judges:
            judge.fold(slot, strata)
        self.rows = tuple(row for judge in self._judges for row in judge.assess().rows)
