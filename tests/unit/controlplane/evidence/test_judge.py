"""The judge as its users see it."""

import math
import pickle
from dataclasses import replace

import pytest

from controlplane.errors import SerinusError
from controlplane.evidence.errors import CountsError, PlanError, SlotOrderError, WeightError
from controlplane.evidence.judge import GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import MetricCounts
from controlplane.evidence.verdict import Assessment, MetricAssessment, ObservedShare, Verdict
from tests.unit.controlplane.evidence.counts import ERRORS, begun, counted, judge, keys, row, stratum


def test_before_anything_is_known_the_answer_is_not_enough_evidence() -> None:
    assert judge().assess() == Assessment(
        verdict=Verdict.NOT_ENOUGH_EVIDENCE,
        rows=(
            MetricAssessment(
                metric=ERRORS,
                verdict=Verdict.NOT_ENOUGH_EVIDENCE,
                worse_log_e=pytest.approx(0.0),
                worse_needed=pytest.approx(math.log(100)),
                good_log_e=0.0,
                good_needed=pytest.approx(math.log(20)),
                baseline_n=0,
                baseline_bad=0,
                candidate_n=0,
                candidate_bad=0,
                baseline_requests=0,
                baseline_request_bad=0,
                candidate_requests=0,
                candidate_request_bad=0,
                limit="no limit: no step has begun",
                findings=(),
            ),
        ),
        share=ObservedShare(0, 0, 0, 1.0, True),
        overall_worse_log_e=pytest.approx(0.0),
    )


def test_traffic_before_the_first_step_is_no_evidence_and_spends_no_key() -> None:
    early, late = judge(), judge()
    early.fold(99, [stratum(99, weight_bp=0, baseline=counted(bad=keys(0, 50)))])
    for judged in (early, late):
        judged.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
        judged.fold(100, [stratum(100, baseline=counted(bad=keys(0, 50)))])
    assert late.assess().overall_worse_log_e == pytest.approx(early.assess().overall_worse_log_e)
    assert row(early.assess()).baseline_n == 50


def test_a_candidate_whose_users_fail_alone_is_worse_and_stays_so() -> None:
    judged = begun()
    judged.fold(100, [stratum(100, baseline=counted(keys(0, 20)), candidate=counted(bad=keys(100, 20)))])
    first = judged.assess()
    assert first.verdict is Verdict.WORSE
    assert row(first).verdict is Verdict.WORSE
    assert row(first).findings == ("worse since slot 100",)
    judged.fold(101, [stratum(101, baseline=counted(bad=keys(1000, 500)))])
    later = judged.assess()
    assert later.verdict is Verdict.WORSE
    assert row(later).worse_log_e < row(first).worse_log_e
    assert later.overall_worse_log_e == first.overall_worse_log_e


def test_alike_arms_are_good_enough_once_keys_and_requests_show_it() -> None:
    judged = begun(budget_bp=2000)
    for slot in range(100, 105):
        sent = {"baseline": counted(keys(slot * 100, 10)), "candidate": counted(keys(slot * 100 + 50, 10))}
        judged.fold(slot, [stratum(slot, **sent)])
    assessed = judged.assess()
    assert assessed.verdict is Verdict.GOOD_ENOUGH
    assert row(assessed).verdict is Verdict.GOOD_ENOUGH
    assert row(assessed).limit == "excess under 20pp (harm budget 20% at 100%)"
    assert (row(assessed).candidate_n, row(assessed).candidate_requests) == (50, 50)


def test_a_new_step_starts_its_advance_evidence_at_once_and_from_nothing() -> None:
    judged = begun(budget_bp=2000)
    judged.fold(100, [stratum(100, baseline=counted(keys(0, 200)), candidate=counted(keys(500, 200)))])
    assert judged.assess().verdict is Verdict.GOOD_ENOUGH
    judged.begin_step(slot=110, weight_bp=7000, next_weight_bp=10_000)
    assessed = judged.assess()
    assert assessed.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert (row(assessed).candidate_n, row(assessed).candidate_requests, assessed.share.keys) == (0, 0, 0)
    judged.fold(105, [stratum(105, weight_bp=7000, candidate=counted(keys(900, 9)))])
    assert judged.assess() == assessed, "a slot before the step is not the step's"
    judged.fold(110, [stratum(110, weight_bp=7000, candidate=counted(keys(500, 9)))])
    assert row(judged.assess()).candidate_n == 9, "a user of an earlier step is met anew"


def test_slots_before_a_step_that_was_announced_still_count_against_the_candidate() -> None:
    judged = begun()
    judged.begin_step(slot=110, weight_bp=7000, next_weight_bp=10_000)
    judged.fold(105, [stratum(105, candidate=counted(bad=keys(0, 30)))])
    assert judged.assess().verdict is Verdict.WORSE


@pytest.mark.parametrize("next_weight_bp", [None, 400])
def test_where_nothing_is_to_be_shown_the_step_is_good_enough(next_weight_bp: int | None) -> None:
    judged = judge()
    judged.begin_step(slot=100, weight_bp=100, next_weight_bp=next_weight_bp)
    assessed = judged.assess()
    assert assessed.verdict is Verdict.GOOD_ENOUGH
    assert row(assessed).limit.startswith("no limit")
    assert math.isfinite(row(assessed).good_log_e)


def test_requests_that_are_not_randomised_change_nothing() -> None:
    judged = begun()
    before = judged.assess()
    judged.fold(100, [stratum(100, weight_class="", candidate=counted(bad=keys(0, 50)))])
    assert judged.assess() == before


def test_metrics_that_are_no_guardrail_count_as_users_seen_and_nothing_more() -> None:
    judged = begun()
    judged.fold(100, [stratum(100, metric="tokens", candidate=counted(bad=keys(0, 9)))])
    assessed = judged.assess()
    assert (assessed.share.candidate_keys, row(assessed).candidate_n) == (9, 0)


def test_a_full_key_table_freezes_new_keys_and_is_never_good_enough() -> None:
    judged = begun(budget_bp=2000, keys_max=450)
    judged.fold(100, [stratum(100, baseline=counted(keys(0, 200)), candidate=counted(keys(500, 200)))])
    assert judged.assess().verdict is Verdict.GOOD_ENOUGH
    judged.fold(101, [stratum(101, candidate=counted(bad=keys(1000, 51)))])
    assessed = judged.assess()
    assert assessed.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert row(assessed).verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert row(assessed).findings[0].startswith("key table full: 400 keys")
    assert assessed.overall_worse_log_e == pytest.approx(0.0), "keys without a row accuse nobody"
    judged.fold(102, [stratum(102, candidate=counted(bad=keys(500, 50)))])
    assert judged.assess().verdict is Verdict.WORSE, "known keys still do"


def test_the_observed_share_counts_each_key_of_the_step_once_under_the_weight_in_force() -> None:
    judged = begun()
    for slot in (100, 101):
        sent = {"baseline": counted(keys(0, 60)), "candidate": counted(keys(100, 40))}
        judged.fold(slot, [stratum(slot, **sent), stratum(slot, weight_bp=1000, candidate=counted(keys(200, 9)))])
    share = judged.assess().share
    assert (share.candidate_keys, share.keys, share.weight_bp) == (40, 100, 5000)
    assert share.is_plausible
    assert share.p_value == pytest.approx(0.0569, abs=1e-4)


def test_guardrails_decide_together_by_the_weighted_average() -> None:
    """Neither metric reaches its own threshold, both together reach the common one; the heavier one is named."""
    plan = JudgePlan((GuardrailPlan("a", 0.5, None, 500), GuardrailPlan("b", 0.5, None, 500)), 0.01, 0.05, 0)
    judged = Judge(plan)
    judged.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
    for slot in range(100, 200):
        failing = {"a": counted(bad=[slot]), "b": counted([1000 + slot] if slot % 12 == 0 else [], bad=[slot])}
        judged.fold(slot, [replace(stratum(slot), candidate=failing)])
        if judged.assess().verdict is Verdict.WORSE:
            break
    assessed = judged.assess()
    assert all(one.worse_log_e < one.worse_needed for one in assessed.rows)
    assert assessed.overall_worse_log_e >= math.log(100)
    assert [one.verdict for one in assessed.rows].count(Verdict.WORSE) == 1


def test_the_metric_to_blame_is_named_though_another_is_watched() -> None:
    plan = JudgePlan((GuardrailPlan("a", 0.5, None, 500), GuardrailPlan("b", 0.5, None, 500)), 0.01, 0.05, 0)
    judged = Judge(plan)
    judged.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
    assert judged.assess().blamed == ()
    for slot in range(100, 130):
        failing = {"a": counted([slot]), "b": counted(bad=[slot])}
        judged.fold(slot, [replace(stratum(slot), baseline={"a": counted([900 + slot])}, candidate=failing)])
    assert judged.assess().blamed == ("b",)


def test_one_guardrail_that_lacks_evidence_holds_all() -> None:
    plan = JudgePlan((GuardrailPlan("a", 0.5, None, 2000), GuardrailPlan("b", 0.5, None, 2000)), 0.01, 0.05, 0)
    judged = Judge(plan)
    judged.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
    seen = stratum(100, metric="a", baseline=counted(keys(0, 200)), candidate=counted(keys(500, 200)))
    judged.fold(100, [seen])
    assessed = judged.assess()
    assert [one.verdict for one in assessed.rows] == [Verdict.GOOD_ENOUGH, Verdict.NOT_ENOUGH_EVIDENCE]
    assert assessed.verdict is Verdict.NOT_ENOUGH_EVIDENCE


def test_more_than_64_steps_keep_the_evidence_bounded_and_finite() -> None:
    judged = begun()
    for index in range(100):
        judged.fold(100 + 10 * index, [stratum(100 + 10 * index, candidate=counted(bad=[index]))])
        judged.begin_step(slot=101 + 10 * index, weight_bp=5000, next_weight_bp=10_000)
    assert math.isfinite(judged.assess().overall_worse_log_e)


def bad_calls() -> list[tuple[str, type[SerinusError], object]]:
    broken = MetricCounts(1, 2, frozenset(), frozenset())
    return [
        ("counts", CountsError, lambda j: j.fold(102, [stratum(102), stratum(102, snapshot="s2", baseline=broken)])),
        (
            "weight",
            WeightError,
            lambda j: j.fold(102, [stratum(102, candidate=counted([9])), stratum(102, weight_bp=-1)]),
        ),
        ("repeated slot", SlotOrderError, lambda j: j.fold(101, [])),
        ("time running backwards", SlotOrderError, lambda j: j.fold(99, [])),
        ("slot of another time", SlotOrderError, lambda j: j.fold(102, [stratum(103)])),
        ("slot that is none", CountsError, lambda j: j.fold(-1, [])),
        ("slot that is no number", CountsError, lambda j: j.fold(102.5, [])),
        ("step in a judged slot", SlotOrderError, lambda j: j.begin_step(slot=101, weight_bp=1, next_weight_bp=None)),
        ("step before the last", SlotOrderError, lambda j: j.begin_step(slot=109, weight_bp=1, next_weight_bp=None)),
        ("step of no weight", WeightError, lambda j: j.begin_step(slot=120, weight_bp=10_001, next_weight_bp=None)),
        ("step to no weight", WeightError, lambda j: j.begin_step(slot=120, weight_bp=1, next_weight_bp=-5)),
    ]


@pytest.mark.parametrize(("what", "error", "call"), bad_calls(), ids=[name for name, _, _ in bad_calls()])
def test_bad_input_is_refused_with_a_typed_error_and_changes_nothing(
    what: str, error: type[SerinusError], call: object
) -> None:
    judged = begun()
    judged.fold(101, [stratum(101, baseline=counted([1, 2]), candidate=counted([3], bad=[4]))])
    judged.begin_step(slot=110, weight_bp=6000, next_weight_bp=10_000)
    before = pickle.dumps(judged)
    with pytest.raises(error):
        call(judged)  # type: ignore[operator]
    assert pickle.dumps(judged) == before, what


def test_a_plan_is_checked_before_anything_is_judged() -> None:
    with pytest.raises(PlanError):
        Judge(JudgePlan((), 0.01, 0.05, 0))


def test_asking_changes_nothing() -> None:
    judged = begun()
    judged.fold(100, [stratum(100, baseline=counted([1]), candidate=counted(bad=[2]))])
    before = pickle.dumps(judged)
    assert judged.assess() == judged.assess()
    assert pickle.dumps(judged) == before
