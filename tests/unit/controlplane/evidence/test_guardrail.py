"""One guardrail in the judge: which keys count, when, and for what."""

import pytest

from controlplane.evidence.strata import MetricCounts
from controlplane.evidence.verdict import Verdict
from tests.unit.controlplane.evidence.counts import begun, counted, keys, row, stratum


def test_a_user_who_fails_in_every_slot_accuses_the_candidate_once() -> None:
    judged = begun()
    for slot in range(100, 150):
        judged.fold(slot, [stratum(slot, candidate=counted(bad=[7]))])
        assert judged.assess().overall_worse_log_e < 1.0
    assert (row(judged.assess()).candidate_n, row(judged.assess()).candidate_bad) == (1, 1)
    assert row(judged.assess()).candidate_request_bad == 50


def test_a_user_counts_again_in_components_that_started_later() -> None:
    judged = begun()
    judged.fold(100, [stratum(100, candidate=counted(bad=[7]))])
    before = judged.assess().overall_worse_log_e
    judged.begin_step(slot=101, weight_bp=6000, next_weight_bp=10_000)
    judged.fold(101, [stratum(101, weight_bp=6000, candidate=counted(bad=[7]))])
    assert judged.assess().overall_worse_log_e > before
    assert row(judged.assess()).candidate_n == 1


def test_components_also_start_because_time_passes() -> None:
    judged = begun()
    judged.fold(100, [stratum(100, candidate=counted(bad=[7]))])
    before = judged.assess().overall_worse_log_e
    judged.fold(160, [stratum(160, candidate=counted(bad=[7]))])
    assert judged.assess().overall_worse_log_e > before


def test_keys_that_return_add_requests_but_no_keys() -> None:
    judged = begun(budget_bp=2000)
    for slot in range(100, 140):
        judged.fold(slot, [stratum(slot, baseline=counted(keys(0, 3)), candidate=counted(keys(50, 3)))])
    assessed = judged.assess()
    assert assessed.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert (row(assessed).candidate_n, row(assessed).candidate_requests) == (3, 120)


def test_requests_must_pass_too_where_few_users_send_the_failures() -> None:
    """50 new users a slot never fail; one old user of the candidate fails with 30 requests a slot."""
    judged = begun(budget_bp=2000)
    judged.fold(100, [stratum(100, candidate=counted([7]))])
    for slot in range(101, 140):
        failing = MetricCounts(80, 30, frozenset(keys(slot * 200 + 100, 50)), frozenset([7]))
        judged.fold(slot, [stratum(slot, baseline=counted(keys(slot * 200, 50)), candidate=failing)])
    assert row(judged.assess()).candidate_bad == 0
    assert row(judged.assess()).good_log_e < 0
    assert judged.assess().verdict is not Verdict.GOOD_ENOUGH


def test_a_key_is_judged_only_after_its_follow_up() -> None:
    judged = begun(budget_bp=2000, follow_up_slots=5)
    judged.fold(100, [stratum(100, baseline=counted(keys(0, 200)), candidate=counted(keys(500, 200)))])
    for slot in range(101, 105):
        judged.fold(slot, [])
        assert row(judged.assess()).good_log_e == pytest.approx(0.0)
    judged.fold(105, [])
    assert judged.assess().verdict is Verdict.GOOD_ENOUGH


@pytest.mark.parametrize(("slot", "expected"), [(100, 1), (103, 1), (105, 1), (106, 0), (120, 0)])
def test_a_key_is_bad_if_it_failed_within_the_follow_up_after_its_first_meeting(slot: int, expected: int) -> None:
    judged = begun(follow_up_slots=5)
    first = stratum(100, candidate=counted([7]))
    again = stratum(slot, candidate=counted(bad=[7]), snapshot="s2")
    if slot == 100:
        judged.fold(100, [first, again])
    else:
        judged.fold(100, [first])
        judged.fold(slot, [again])
    assert (row(judged.assess()).candidate_n, row(judged.assess()).candidate_bad) == (1, expected)


def test_a_key_that_fails_twice_within_the_follow_up_is_bad_once() -> None:
    judged = begun(follow_up_slots=5)
    judged.fold(100, [stratum(100, candidate=counted([7]))])
    judged.fold(101, [stratum(101, candidate=counted(bad=[7]))])
    judged.fold(102, [stratum(102, candidate=counted(bad=[7]))])
    assert row(judged.assess()).candidate_bad == 1


def test_a_failure_on_the_other_arm_is_not_held_against_the_arm_of_the_first_meeting() -> None:
    judged = begun(follow_up_slots=5)
    judged.fold(100, [stratum(100, weight_bp=1000, baseline=counted([7]))])
    judged.fold(101, [stratum(101, candidate=counted(bad=[7]))])
    assessed = row(judged.assess())
    assert (assessed.baseline_n, assessed.baseline_bad, assessed.candidate_n, assessed.candidate_bad) == (1, 0, 0, 0)


@pytest.mark.parametrize("weight_bp", [0, 10_000])
def test_one_arm_alone_is_no_evidence(weight_bp: int) -> None:
    judged = begun()
    alone = "baseline" if weight_bp == 0 else "candidate"
    judged.fold(100, [stratum(100, weight_bp=weight_bp, **{alone: counted(keys(0, 50), bad=keys(100, 50))})])
    assessed = row(judged.assess())
    assert (assessed.worse_log_e, assessed.good_log_e) == (pytest.approx(0.0), pytest.approx(0.0))


def test_a_key_in_both_arms_is_left_out_and_reported() -> None:
    judged = begun()
    judged.fold(100, [stratum(100, baseline=counted([1]), candidate=counted(bad=[1]))])
    assessed = judged.assess()
    assert assessed.overall_worse_log_e == pytest.approx(0.0)
    assert (assessed.share.keys, row(assessed).candidate_n) == (0, 0)
    assert row(assessed).findings == ("1 times a key was seen in both arms under one weight: routing fault",)


def test_a_tolerance_holds_back_what_is_worse_by_less() -> None:
    plain, tolerant = begun(), begun(tolerance_bp=2000)
    for slot in range(100, 160):
        sent = stratum(
            slot, baseline=counted(keys(slot * 100, 20)), candidate=counted(keys(slot * 100 + 50, 18), bad=[slot])
        )
        for judged in (plain, tolerant):
            judged.fold(slot, [sent])
    assert plain.assess().verdict is Verdict.WORSE
    assert tolerant.assess().verdict is not Verdict.WORSE
