"""What the judge is told before it sees anything: the guardrails, their stakes and limits, and the two error rates."""

import math
from dataclasses import dataclass

from controlplane.evidence.errors import PlanError
from controlplane.evidence.strata import is_whole
from serinus.contract.edge import BIN_COUNT
from serinus.contract.weight import WEIGHT_TOTAL_BP

# A bound, not a wish: cohorts wait for the follow-up in memory.
FOLLOW_UP_SLOTS_MAX = 3_600
# Where the baseline's distribution is cut. Each is a share of observations at or below the edge.
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
# Edges cost power (they share the stakes) and memory (64 components x 6 ratios x 8 bytes each).
LIMITS_MAX = 4
# Badness of a score, 1 - score, in hundredths: 0..100.
BADNESS_BINS = 101
# An advance bets against a margin with at most 1/(largest contrast - margin), and the largest may be as little as 1/2.
SCORE_MARGIN_BP_END = 5_000


@dataclass(frozen=True, slots=True)
class GuardrailPlan:
    """One judged metric. Rates in basis points of requests or keys."""

    metric: str
    omega: float  # its share of rollback_alpha; the shares sum to 1
    tolerance_bp: int | None  # roll back only beyond this excess; None: any excess
    budget_bp: int  # of all traffic, what an excess may hurt at the next weight
    max_bp: int | None = None  # absolute limit of the candidate's share; None: none


@dataclass(frozen=True, slots=True)
class BinnedPlan:
    """One judged metric with a size, in bins of 1/8 doubling (a factor of 1.09)."""

    metric: str
    omega: float
    tolerated_bins: int  # roll back only beyond this shift: the smallest that covers the margin
    margin_bins: int  # advance only if slower by less than this shift: the largest within the margin
    limit_bins: tuple[int, ...] = ()  # further edges: the last bin that is still within a service level
    advance_through: float = 0.99  # an advance looks at the baseline's quantiles up to this one, and at the limits
    declared: str = ""  # the margin as a person wrote it, for sentences


@dataclass(frozen=True, slots=True)
class ScorePlan:
    """One judged mean of scores in 0..1; limits in basis points of the scale."""

    metric: str
    omega: float  # its share of rollback_alpha; the shares sum to 1
    tolerance_bp: int  # roll back only if the mean is lower by more than this
    margin_bp: int  # advance only if the mean is lower by less than this


AnyPlan = GuardrailPlan | BinnedPlan | ScorePlan


@dataclass(frozen=True, slots=True)
class JudgePlan:
    guardrails: tuple[AnyPlan, ...]
    rollback_alpha: float
    advance_alpha: float
    follow_up_slots: int  # seconds after a key's first meeting in which its failures count


def check_plan(plan: JudgePlan) -> None:
    """Raises PlanError."""
    names = [guardrail.metric for guardrail in plan.guardrails]
    if not names or len(set(names)) != len(names):
        raise PlanError(f"guardrails are {names}: at least one, each metric once")
    for guardrail in plan.guardrails:
        if not guardrail.omega > 0.0:
            raise PlanError(f"guardrail {guardrail.metric}: omega is {guardrail.omega}, must be above 0")
        if isinstance(guardrail, BinnedPlan):
            _check_binned(guardrail)
        elif isinstance(guardrail, ScorePlan):
            _check_score(guardrail)
        else:
            _check_guardrail(guardrail)
    total = math.fsum(guardrail.omega for guardrail in plan.guardrails)
    if abs(total - 1.0) > 1e-6:
        raise PlanError(f"the guardrails' omegas sum to {total:.6g}, must be 1")
    for name, alpha in (("rollback_alpha", plan.rollback_alpha), ("advance_alpha", plan.advance_alpha)):
        if not 0.0 < alpha < 1.0:
            raise PlanError(f"{name} is {alpha}, must be between 0 and 1")
    if not is_whole(plan.follow_up_slots) or not 0 <= plan.follow_up_slots <= FOLLOW_UP_SLOTS_MAX:
        raise PlanError(f"follow_up_slots is {plan.follow_up_slots}, must be 0..{FOLLOW_UP_SLOTS_MAX}")


def _check_guardrail(guardrail: GuardrailPlan) -> None:
    where = f"guardrail {guardrail.metric}"
    tolerance_bp = guardrail.tolerance_bp
    if tolerance_bp is not None and not (is_whole(tolerance_bp) and 0 <= tolerance_bp < WEIGHT_TOTAL_BP):
        raise PlanError(f"{where}: tolerance_bp is {tolerance_bp}, must be 0..{WEIGHT_TOTAL_BP - 1}")
    if not is_whole(guardrail.budget_bp) or not 0 < guardrail.budget_bp <= WEIGHT_TOTAL_BP:
        raise PlanError(f"{where}: budget_bp is {guardrail.budget_bp}, must be 1..{WEIGHT_TOTAL_BP}")
    max_bp = guardrail.max_bp
    if max_bp is not None and not (is_whole(max_bp) and 0 < max_bp < WEIGHT_TOTAL_BP):
        raise PlanError(f"{where}: max_bp is {max_bp}, must be 1..{WEIGHT_TOTAL_BP - 1}")


def _check_score(planned: ScorePlan) -> None:
    for name, value, lowest in (("tolerance_bp", planned.tolerance_bp, 0), ("margin_bp", planned.margin_bp, 1)):
        if not is_whole(value) or not lowest <= value < SCORE_MARGIN_BP_END:
            raise PlanError(
                f"guardrail {planned.metric}: {name} is {value}, must be {lowest}..{SCORE_MARGIN_BP_END - 1}"
            )


def _check_binned(planned: BinnedPlan) -> None:
    where = f"guardrail {planned.metric}"
    if not is_whole(planned.tolerated_bins) or not 0 <= planned.tolerated_bins < BIN_COUNT:
        raise PlanError(f"{where}: tolerated_bins is {planned.tolerated_bins}, must be 0..{BIN_COUNT - 1}")
    if not is_whole(planned.margin_bins) or not 0 < planned.margin_bins < BIN_COUNT:
        raise PlanError(
            f"{where}: margin_bins is {planned.margin_bins}, must be 1..{BIN_COUNT - 1}",
            next_step="give a margin of at least 9.1%, one bin: nothing smaller can be shown",
        )
    if planned.advance_through not in QUANTILES:
        raise PlanError(f"{where}: advance_through is {planned.advance_through}, must be one of {QUANTILES}")
    if len(planned.limit_bins) > LIMITS_MAX or not all(is_whole(b) and 0 <= b < BIN_COUNT for b in planned.limit_bins):
        raise PlanError(
            f"{where}: limit_bins are {planned.limit_bins}, must be at most {LIMITS_MAX} of 0..{BIN_COUNT - 1}"
        )
