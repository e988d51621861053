"""A rollout's manifest -> the judge's plan. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from controlplane.evidence.histogram import bins_covering, bins_within
from controlplane.evidence.judge import JudgePlan
from controlplane.evidence.plan import AnyPlan, BinnedPlan, GuardrailPlan, ScorePlan
from controlplane.evidence.several import alpha_of
from controlplane.manifest.guardrail import EVENT, SCORE, WHOLE_BP, Guardrail
from controlplane.manifest.schema import RolloutSpec

# An advance shows that the candidate is not slower up to the baseline's p95; a rollback looks at the p99 too. To show
# it for the p99 as well takes a healthy candidate more than twice as long (docs/statistics.md, sizes).
ADVANCE_THROUGH = 0.95


class Kind(StrEnum):
    """What labels say; by these words they are counted (`serinus.contract.feedback`)."""

    SCORE = "score"
    CLASSES = "label"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """Labels of one kind come together, those of two do not. `of`: the name of an event, or of a score."""

    kind: Kind
    wait_s: int
    of: str = ""


_KINDS = {SCORE: Kind.SCORE, EVENT: Kind.EVENT}


def judge_plan(spec: RolloutSpec) -> JudgePlan:
    """A rollout's guardrails as the judge wants them. Every guardrail that acts has the same stake (omega). Those that
    feedback tells have judges of their own (`label_plans`), which spend their shares of `rollback_alpha`."""
    seen = [guardrail for guardrail in acting(spec) if not guardrail.is_labelled]
    return _plan(spec, seen, of=len(acting(spec)))


def label_plans(spec: RolloutSpec) -> Mapping[LabelGroup, JudgePlan]:
    """A plan for each group."""
    groups: dict[LabelGroup, list[Guardrail]] = {}
    for guardrail in acting(spec):
        if guardrail.is_labelled:
            kind = _KINDS.get(guardrail.metric, Kind.CLASSES)
            of = LabelGroup(kind, (guardrail.wait_ms or 0) // 1_000, guardrail.of or "")
            groups.setdefault(of, []).append(guardrail)
    return {of: replace(_plan(spec, group, of=len(acting(spec))), follow_up_slots=0) for of, group in groups.items()}


def acting(spec: RolloutSpec) -> list[Guardrail]:
    return [guardrail for guardrail in spec.guardrails if not guardrail.dry_run]


def dry_run_plan(spec: RolloutSpec, guardrail: Guardrail) -> JudgePlan:
    """One guardrail that is tried out, by itself."""
    return _plan(spec, [guardrail])


def _plan(spec: RolloutSpec, guardrails: Sequence[Guardrail], *, of: int = 0) -> JudgePlan:
    """`of`: all guardrails that share `rollback_alpha`, if these are not all."""
    share = 1.0 / len(guardrails)
    alpha = spec.confidence.rollback_alpha
    return JudgePlan(
        guardrails=tuple(_planned(guardrail, share, spec.harm_budget_bp) for guardrail in guardrails),
        rollback_alpha=alpha_of(alpha, len(guardrails) / of) if of else alpha,
        advance_alpha=spec.confidence.advance_alpha,
        follow_up_slots=-(-spec.pace.follow_up_ms // 1000),
    )


def _planned(guardrail: Guardrail, omega: float, harm_budget_bp: int) -> AnyPlan:
    margin_bp = guardrail.margin_bp
    if guardrail.is_score or guardrail.metric in (SCORE, EVENT):
        assert margin_bp is not None
        return ScorePlan(metric=guardrail.metric_id, omega=omega, tolerance_bp=margin_bp, margin_bp=margin_bp)
    if guardrail.is_size:
        factor = 1.0 + (margin_bp or 0) / WHOLE_BP
        return BinnedPlan(
            metric=guardrail.metric_id,
            omega=omega,
            tolerated_bins=bins_covering(factor),
            margin_bins=bins_within(factor),
            advance_through=ADVANCE_THROUGH,
            declared=f"{(margin_bp or 0) / 100:g}%",
        )
    return GuardrailPlan(
        metric=guardrail.metric_id,
        omega=omega,
        tolerance_bp=margin_bp,
        budget_bp=margin_bp if margin_bp is not None else harm_budget_bp,
        max_bp=guardrail.max_bp,
    )
