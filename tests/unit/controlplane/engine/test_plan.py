"""What the judge is told of a manifest's guardrails."""

from controlplane.engine.plan import judge_plan
from controlplane.evidence.judge import BinnedPlan, GuardrailPlan
from controlplane.evidence.plan import check_plan
from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec
from tests.unit.controlplane.manifest.samples import ROLLOUT


def spec(guardrails: str) -> RolloutSpec:
    head = ROLLOUT.split("  guardrails:")[0]
    (manifest,) = load([("r.yaml", f"{head}  guardrails: {guardrails}\n")])
    assert isinstance(manifest.spec, RolloutSpec)
    return manifest.spec


def test_a_size_is_tolerated_in_whole_bins_up_and_advances_within_whole_bins_down() -> None:
    plan = judge_plan(spec("[{metric: errors, max: 5%}, {metric: ttft, margin: 25%}]"))
    check_plan(plan)
    assert plan.guardrails == (
        GuardrailPlan("errors", 0.5, tolerance_bp=None, budget_bp=500, max_bp=500),
        BinnedPlan("ttft", 0.5, tolerated_bins=3, margin_bins=2, advance_through=0.95, declared="25%"),
    )


def test_the_smallest_margin_of_a_size_is_one_bin() -> None:
    plan = judge_plan(spec("[{metric: latency, margin: 9.1%}]"))
    check_plan(plan)
    size, errors = plan.guardrails
    assert isinstance(size, BinnedPlan)
    assert size.margin_bins == 1
    assert errors.metric == "errors"
