"""The beat on a real event loop."""

import asyncio
import time

import pytest

from extproc.processing.overload import BACKLOG, BEHIND_S
from extproc.processing.runner import Pace
from tests.unit.extproc.transport.sidecar import LOOPS, run_on


@pytest.mark.parametrize("loop", LOOPS)
def test_a_turn_that_lasts_too_long_is_behind_until_the_loop_has_come_round(loop: str) -> None:
    async def story() -> None:
        pace = Pace()
        assert not pace.is_behind()
        began_s = time.monotonic()
        while time.monotonic() - began_s <= 2 * BEHIND_S:
            for _ in range(BACKLOG):
                is_behind = pace.is_behind()
        assert is_behind
        for _ in range(200):
            if not pace.is_behind():
                break
            await asyncio.sleep(0.01)
        assert not pace.is_behind()
        await asyncio.sleep(0.1)
        assert not pace.is_behind()

    run_on(loop, story)
