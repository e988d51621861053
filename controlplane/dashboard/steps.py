"""The steps of a rollout's last attempt: when each was in force, what it waited for, why it ended. Pure.

Of what the journal says: a step begins with the decision that put its weight into force and ends with the next one that
moves it. A hold lasts until the next decision, whatever that is.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from controlplane.dashboard.record import EventRecord, Point, RolloutRecord

# Reasons of an advance: to the last step at once, and the end of the last step. All others go one step on.
SKIPPED, PROMOTED = "skip_analysis", "promoted"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """`waits`: (reason code, milliseconds), longest first. `ended_by` is None while it is in force."""

    weight_bp: int
    from_ms: int
    to_ms: int
    waits: tuple[tuple[str, int], ...]
    ended_by: EventRecord | None
    last: Point | None


def attempt(record: RolloutRecord) -> tuple[EventRecord, ...]:
    """What was decided since it began, or began again."""
    return tuple(event for event in record.events if event.at_ms >= record.started_ms)


def moves(record: RolloutRecord) -> Iterator[tuple[EventRecord, int]]:
    """Each decision that put a weight into force, with the weight."""
    step = -1
    for event in attempt(record):
        if event.action == "rollback":
            yield event, 0
        elif event.action == "advance" and record.steps_bp:
            step = len(record.steps_bp) - 1 if event.reason == SKIPPED else step + 1
            yield event, record.steps_bp[min(step, len(record.steps_bp) - 1)]


def steps(record: RolloutRecord) -> tuple[StepRecord, ...]:
    """Of the last attempt, the first one first; the time before the first step is the first, at 0."""
    begins: list[tuple[int, int]] = [(0, record.started_ms)]
    ends: list[EventRecord] = []
    for event, weight_bp in moves(record):
        ends.append(event)
        if event.action == "rollback" or event.reason == PROMOTED:
            break
        begins.append((weight_bp, event.at_ms))
    return tuple(
        _step(record, weight_bp, from_ms, ends[index] if index < len(ends) else None)
        for index, (weight_bp, from_ms) in enumerate(begins)
    )


def _step(record: RolloutRecord, weight_bp: int, from_ms: int, ended_by: EventRecord | None) -> StepRecord:
    to_ms = ended_by.at_ms if ended_by else record.ended_ms
    within = [event for event in attempt(record) if from_ms <= event.at_ms < to_ms]
    lasted: dict[str, int] = defaultdict(int)
    until = [*(event.at_ms for event in within), to_ms][1:]
    for event, until_ms in zip(within, until, strict=True):
        if event.action == "hold" and event.reason:
            lasted[event.reason] += until_ms - event.at_ms
    waits = sorted(((reason, ms) for reason, ms in lasted.items() if ms), key=lambda each: (-each[1], each[0]))
    seen = [point for point in record.points if from_ms <= point.at_ms < to_ms and weight_bp]
    return StepRecord(weight_bp, from_ms, to_ms, tuple(waits), ended_by, seen[-1] if seen else None)
