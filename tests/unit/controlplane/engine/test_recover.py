"""What a restarted control plane reads from a rollout's journal."""

import asyncio
from dataclasses import replace

from controlplane.engine.recover import begins_of
from controlplane.rollout.effects import BeginStep
from controlplane.rollout.model import Observing, Publishing, Rollout
from controlplane.store.journal import encode
from controlplane.store.port import Record
from tests.unit.controlplane.engine.test_editing import observing
from tests.unit.controlplane.engine.test_runner import started

T0 = 1_700_000_000_000


def rollout() -> Rollout:
    """Steps of 10 %, 50 %, 100 %."""
    found: list[Rollout] = []

    async def run() -> None:
        async with started() as story:
            await observing(story)
            found.append(replace(story.engine.world.rollout("chat-v2"), started_at_ms=T0))

    asyncio.run(run())
    return found[0]


def record(state: Rollout, code: str, at_ms: int) -> Record:
    return Record("chat-v2", state.revision, at_ms, True, encode(state), "step", code, "", "")


def journal(of: Rollout, at_ms: int) -> list[Record]:
    """Two steps, the second ten seconds after the first."""
    first, second = (replace(of, phase=Observing(index, at_ms + index * 10_000)) for index in (0, 1))
    between = replace(of, phase=Publishing(1, at_ms + 9_000))
    return [
        record(first, "step_started", at_ms),
        record(between, "step_passed", at_ms + 9_000),
        record(second, "step_started", at_ms + 10_000),
    ]


def test_steps_are_begun_as_they_were_also_where_the_clock_was_set_back() -> None:
    now = rollout()
    slot = T0 // 1_000
    assert begins_of(now, journal(now, T0)) == [
        BeginStep(0, slot, 1_000, 5_000),
        BeginStep(1, slot + 10, 5_000, 10_000),
    ]
    an_hour = 3_600
    back = begins_of(now, journal(now, T0 - an_hour * 1_000))
    assert [(begin.step_index, begin.slot) for begin in back] == [(0, slot - an_hour), (1, slot + 10 - an_hour)]


def test_steps_of_an_earlier_attempt_are_not_taken_for_those_of_this_one() -> None:
    now = rollout()
    earlier = journal(replace(now, started_at_ms=T0 - 60_000), T0 + 60_000)
    assert begins_of(now, earlier) == []
    assert begins_of(now, [*earlier, *journal(now, T0)]) == begins_of(now, journal(now, T0))
