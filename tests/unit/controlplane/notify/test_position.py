"""How far was told survives in the journal; what cannot be read of it costs a repetition, not a control plane."""

import pytest

from controlplane.notify.position import JOURNAL, Position, position_of, record_of
from controlplane.store.memory import MemoryStore
from controlplane.store.port import Record
from tests.unit.controlplane.rollout.facts import T0_MS

POSITION = Position(41, {"chat-v2": ("chat-v2/7/hold",)})


def test_the_newest_record_says_how_far() -> None:
    store = MemoryStore()
    store.append(record_of(Position(3), T0_MS))
    store.append(record_of(POSITION, T0_MS))
    (newest,) = store.records(JOURNAL, 1)
    assert position_of(newest) == POSITION
    assert store.latest() == [], "no rollout is found in it"


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "serial": "x", "told": {}}', "null"])
def test_a_record_that_is_none_is_no_position(state: str) -> None:
    assert position_of(Record(JOURNAL, 0, T0_MS, False, state, "told", "position", "", "")) is None
