"""How far a control plane has told what happened: a record of a journal of its own, of which the newest counts. Pure.

Up to `serial` all is settled (taken, refused or given up); `told` are the ids of what lasts and was told. What was told
after the last such record is told again after a crash, under the same ids.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.store.port import Record

# No manifest has such a name, and of such a journal the store keeps the newest record.
JOURNAL = "@@notify"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Position:
    """`told`: by rollout."""

    serial: int
    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def record_of(position: Position, now_ms: int) -> Record:
    fields = {
        "format": FORMAT,
        "serial": position.serial,
        "told": {name: ids for name, ids in position.told.items() if ids},
    }
    state = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return Record(JOURNAL, 0, now_ms, False, state, "told", "position", f"told up to {position.serial}", "")


def position_of(record: Record) -> Position | None:
    """None for one that cannot be read: what it would have spared is told again."""
    try:
        fields = json.loads(record.state)
        if fields["format"] != FORMAT:
            return None
        return Position(
            int(fields["serial"]), {str(name): tuple(map(str, ids)) for name, ids in fields["told"].items()}
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
