"""The timeline of a release: from when a weight was in force, what it waited for, why it ended."""

from dataclasses import replace

from controlplane.dashboard.record import EventRecord, RolloutRecord
from controlplane.dashboard.steps import attempt, moves, steps
from controlplane.dashboard.wire import rollout_record
from tests.unit.controlplane.dashboard.samples import START_MS, explained


def record(*events: tuple[int, str, str], took_ms: int = 60_000) -> RolloutRecord:
    """(milliseconds after the start, action, reason)"""
    made = tuple(EventRecord(START_MS + at_ms, f"text {at_ms}", action, reason, "") for at_ms, action, reason in events)
    return replace(rollout_record(explained()), events=made, ended_ms=START_MS + took_ms)


PROMOTED = (
    (0, "hold", "begun"),
    (2_000, "advance", "prepared"),
    (2_000, "hold", "min_step"),
    (9_000, "hold", "thin_evidence"),
    (14_000, "advance", "good_enough"),
    (30_000, "advance", "good_enough"),
    (60_000, "advance", "promoted"),
)


def test_each_weight_stands_from_the_decision_that_made_it_to_the_next() -> None:
    found = steps(record(*PROMOTED))
    assert [(step.weight_bp, step.from_ms - START_MS, step.to_ms - START_MS) for step in found] == [
        (0, 0, 2_000),
        (1000, 2_000, 14_000),
        (5000, 14_000, 30_000),
        (10_000, 30_000, 60_000),
    ]
    assert [step.ended_by.reason if step.ended_by else "" for step in found] == [
        "prepared",
        "good_enough",
        "good_enough",
        "promoted",
    ]


def test_a_hold_lasts_until_the_next_decision_and_the_longest_comes_first() -> None:
    found = steps(record(*PROMOTED))
    assert found[0].waits == (("begun", 2_000),)
    assert found[1].waits == (("min_step", 7_000), ("thin_evidence", 5_000))
    assert found[2].waits == ()


def test_what_was_known_is_the_last_point_within_the_step() -> None:
    made = rollout_record(explained())
    before, first = steps(made)
    assert before.last is None
    assert first.last == made.points[-1]


def test_a_rollback_ends_the_last_step_once_although_two_decisions_tell_of_it() -> None:
    found = steps(record((1_000, "advance", "prepared"), (5_000, "rollback", "worse"), (6_000, "rollback", "done")))
    assert [(step.weight_bp, step.ended_by.reason if step.ended_by else "") for step in found] == [
        (0, "prepared"),
        (1000, "worse"),
    ]


def test_a_step_in_force_has_no_end_and_lasts_until_the_record_was_written() -> None:
    last = steps(record((1_000, "advance", "prepared"), took_ms=9_000))[-1]
    assert (last.weight_bp, last.ended_by, last.to_ms - START_MS) == (1000, None, 9_000)


def test_a_promotion_without_analysis_goes_to_the_last_weight() -> None:
    found = steps(record((1_000, "advance", "prepared"), (2_000, "advance", "skip_analysis")))
    assert [step.weight_bp for step in found] == [0, 1000, 10_000]


def test_of_a_rollout_that_began_again_only_the_last_attempt_counts() -> None:
    again = record((-9_000, "advance", "prepared"), (-8_000, "rollback", "worse"), (1_000, "advance", "prepared"))
    assert len(attempt(again)) == 1
    assert [weight_bp for _, weight_bp in moves(again)] == [1000]
    assert [step.weight_bp for step in steps(again)] == [0, 1000]
