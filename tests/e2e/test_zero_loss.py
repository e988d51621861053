"""The short form of `tests/e2e/zero_loss.py`: a release and its rollback under load, in both modes of xDS."""

import asyncio

import pytest

from controlplane.snapshot.mode import Mode
from tests.e2e.zero_loss import STEPS_BP, faults_of, run

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
ITERATIONS = 2


@pytest.mark.parametrize("mode", list(Mode))
def test_no_request_is_lost_while_versions_come_and_go_under_load(mode: Mode) -> None:
    tally = asyncio.run(run(mode, ITERATIONS))
    assert faults_of(tally) == []
    assert tally.steps == ITERATIONS * len(STEPS_BP)
    assert tally.requests > 1_000
    assert tally.streams > 10
