"""A journal becomes one trace: what has ended, under ids that stay."""

from dataclasses import replace

from controlplane.otlp.spans import EVENTS_MAX, Span, spans_of
from controlplane.rollout.model import (
    Aborted,
    Observing,
    Paused,
    Phase,
    Preparing,
    Promoted,
    Publishing,
    Queued,
    RolledBack,
    RollingBack,
    Rollout,
)
from controlplane.rollout.transition import Action
from controlplane.store.journal import encode
from controlplane.store.port import Record
from tests.unit.controlplane.notify.samples import record
from tests.unit.controlplane.rollout.facts import T0_MS, rollout

PROMOTED = [
    record(1, "applied", phase=Queued(T0_MS, "chat-v1"), moved=True),
    record(2, "queue_over", phase=Preparing(T0_MS), moved=True, after_s=1),
    record(3, "no_proxy", phase=Preparing(T0_MS), after_s=2),
    record(4, "prepared", phase=Publishing(0, T0_MS), moved=True, after_s=5, action=Action.ADVANCE),
    record(5, "published", phase=Observing(0, T0_MS), moved=True, after_s=6),
    record(6, "thin_evidence", phase=Observing(0, T0_MS), after_s=7),
    record(7, "paused", phase=Paused(Observing(0, T0_MS), T0_MS, "ada", "lunch"), moved=True, after_s=8, actor="ada"),
    record(8, "good_enough", phase=Publishing(1, T0_MS), moved=True, after_s=20, action=Action.ADVANCE),
    record(9, "promoted", phase=Promoted(T0_MS + 30_000), moved=True, after_s=30, action=Action.ADVANCE),
]
DONE = rollout(Promoted(T0_MS + 30_000))


def named(spans: tuple[Span, ...]) -> list[tuple[str, float, float]]:
    return [(span.name, (span.start_ms - T0_MS) / 1_000, (span.end_ms - T0_MS) / 1_000) for span in spans]


def test_each_weight_is_a_span_and_the_whole_is_their_parent() -> None:
    spans = spans_of(DONE, PROMOTED)
    assert named(spans) == [
        ("queued", 0, 1),
        ("prepare", 1, 5),
        ("step 1: 10%", 5, 20),
        ("step 2: 50%", 20, 30),
        ("rollout chat-v2", 0, 30),
    ]
    *steps, root = spans
    assert len({span.span_id for span in spans}) == len(spans)
    assert {span.trace_id for span in spans} == {root.trace_id}
    assert (len(root.trace_id), len(root.span_id), root.parent_id, root.fault) == (16, 8, b"", "")
    assert {span.parent_id for span in steps} == {root.span_id}
    assert [event.name for event in steps[2].events] == ["prepared", "published", "thin_evidence", "paused"]
    paused = dict(steps[2].events[3].attributes)
    assert paused == {"serinus.action": "hold", "serinus.sentence": "because of paused", "serinus.actor": "ada"}
    about = dict(steps[2].attributes)
    assert about["serinus.weight_ratio"] == 0.1
    assert (about["serinus.rollout"], about["serinus.candidate"], about["serinus.ended_by"]) == (
        "chat-v2",
        "v2",
        "good_enough",
    )
    assert dict(root.attributes)["serinus.phase"] == "promoted"


def test_what_still_lasts_is_no_span_yet_and_ids_stay_when_more_has_come() -> None:
    running = rollout(Observing(0, T0_MS))
    early = spans_of(running, PROMOTED[:7])
    assert [span.name for span in early] == ["queued", "prepare"]
    assert spans_of(DONE, PROMOTED)[:2] == early
    assert spans_of(running, []) == ()


def test_a_rollback_is_a_fault_of_the_step_and_of_the_whole() -> None:
    text = "errors: worse (at step 1 of 3, weight 10%)"
    back: Phase = RollingBack(reason=text, aborted=False, since_ms=T0_MS)
    records = [
        *PROMOTED[1:5],
        record(10, "worse", phase=back, moved=True, after_s=9, action=Action.ROLLBACK, text=text),
        record(
            11, "rolled_back", phase=RolledBack(text, T0_MS + 11_000), moved=True, after_s=11, action=Action.ROLLBACK
        ),
    ]
    spans = spans_of(rollout(RolledBack(text, T0_MS + 11_000)), records)
    assert named(spans)[1:] == [("step 1: 10%", 5, 9), ("roll back", 9, 11), ("rollout chat-v2", 0, 11)]
    assert [span.fault for span in spans] == ["", text, "", text]
    aborted = spans_of(rollout(Aborted("enough", T0_MS + 11_000)), records)
    assert aborted[-1].fault == "enough"


def test_another_attempt_is_another_trace() -> None:
    again: Rollout = replace(DONE, started_at_ms=T0_MS + 100_000)
    later = [replace(each, state=encode(replace(again, phase=Preparing(T0_MS)))) for each in PROMOTED[:1]]
    end = [replace(each, state=encode(again)) for each in PROMOTED[-1:]]
    spans = spans_of(again, [*PROMOTED, *later, *end])
    assert [span.name for span in spans] == ["prepare", "rollout chat-v2"]
    assert spans[0].trace_id != spans_of(DONE, PROMOTED)[0].trace_id


def test_a_clock_that_was_set_back_and_a_plan_with_fewer_steps_are_no_reason_to_fail() -> None:
    odd = [
        record(1, "a", phase=Publishing(2, T0_MS), moved=True, after_s=50),
        record(2, "b", phase=Publishing(9, T0_MS), moved=True, after_s=40),
        record(3, "c", phase=Preparing(T0_MS), moved=True, after_s=60),
    ]
    first, second = spans_of(rollout(Preparing(T0_MS)), odd)
    assert (first.start_ms, first.end_ms) == (T0_MS + 50_000, T0_MS + 50_000)
    assert second.name == "step 10"
    assert "serinus.weight_ratio" not in dict(second.attributes)


def test_events_are_bounded_and_the_rest_is_counted() -> None:
    many: list[Record] = [record(n, "thin_evidence", phase=Observing(0, T0_MS), after_s=n) for n in range(1, 200)]
    (step,) = spans_of(
        rollout(Publishing(1, T0_MS)), [*many, record(500, "x", phase=Publishing(1, T0_MS), after_s=500)]
    )
    assert (len(step.events), step.dropped_events) == (EVENTS_MAX, 199 - EVENTS_MAX)
