from dataclasses import replace

import pytest

from controlplane.evidence.errors import PlanError
from controlplane.evidence.plan import BinnedPlan, GuardrailPlan, JudgePlan, check_plan

ERRORS = GuardrailPlan("errors", 0.5, None, 500)
LENGTH = GuardrailPlan("finish_reason:length", 0.5, 2000, 2000)
SOUND = JudgePlan((ERRORS, LENGTH), 0.01, 0.05, 10)
TTFT = BinnedPlan("ttft", 1.0, 2, 1, (150,))
SIZED = JudgePlan((TTFT,), 0.01, 0.05, 10)


def test_a_sound_plan_is_taken() -> None:
    check_plan(SOUND)
    check_plan(SIZED)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (replace(SOUND, guardrails=()), "at least one"),
        (replace(SOUND, guardrails=(ERRORS, ERRORS)), "each metric once"),
        (replace(SOUND, guardrails=(ERRORS,)), "sum to 0.5, must be 1"),
        (replace(SOUND, guardrails=(replace(ERRORS, omega=0.0), LENGTH)), "omega is 0.0"),
        (replace(SOUND, guardrails=(replace(ERRORS, omega=float("nan")), LENGTH)), "omega is nan"),
        (replace(SOUND, guardrails=(ERRORS, replace(LENGTH, tolerance_bp=10_000))), "tolerance_bp is 10000"),
        (replace(SOUND, guardrails=(ERRORS, replace(LENGTH, tolerance_bp=-1))), "tolerance_bp is -1"),
        (replace(SOUND, guardrails=(replace(ERRORS, budget_bp=0), LENGTH)), "budget_bp is 0"),
        (replace(SOUND, guardrails=(replace(ERRORS, budget_bp=2.5), LENGTH)), "budget_bp is 2.5"),
        (replace(SOUND, guardrails=(replace(ERRORS, max_bp=0), LENGTH)), "max_bp is 0"),
        (replace(SOUND, guardrails=(replace(ERRORS, max_bp=10_000), LENGTH)), "max_bp is 10000"),
        (replace(SIZED, guardrails=(replace(TTFT, tolerated_bins=-1),)), "tolerated_bins is -1"),
        (replace(SIZED, guardrails=(replace(TTFT, margin_bins=0),)), "margin_bins is 0"),
        (replace(SIZED, guardrails=(replace(TTFT, limit_bins=(256,)),)), "limit_bins are"),
        (replace(SIZED, guardrails=(replace(TTFT, limit_bins=(1, 2, 3, 4, 5)),)), "limit_bins are"),
        (replace(SIZED, guardrails=(replace(TTFT, advance_through=0.97),)), "advance_through is 0.97"),
        (replace(SOUND, rollback_alpha=0.0), "rollback_alpha is 0.0"),
        (replace(SOUND, advance_alpha=1.0), "advance_alpha is 1.0"),
        (replace(SOUND, advance_alpha=float("nan")), "advance_alpha is nan"),
        (replace(SOUND, follow_up_slots=-1), "follow_up_slots is -1"),
        (replace(SOUND, follow_up_slots=3601), "follow_up_slots is 3601"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused_with_what_is_wrong(plan: JudgePlan, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        check_plan(plan)
