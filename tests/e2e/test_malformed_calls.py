"""A short run of bad calls against a real control plane; `make verify` makes 10,000."""

import asyncio

import pytest

from tests.e2e.malformed_calls import attacked

pytestmark = pytest.mark.e2e

CALLS, SEED = 120, 1


def test_bad_calls_kill_nothing_change_nothing_and_end_with_a_status() -> None:
    found = asyncio.run(attacked(CALLS, SEED))
    assert found.faults == []
    assert {"INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "garbage"} <= set(found.codes)
    assert sum(found.codes.values()) == CALLS
