"""What a bench found: columns with units, a row for each setting, and the goals that were met or missed. Values only."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """`key` of the rows, `title` for people, with the unit."""

    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that must not be passed. `found` None: this run did not measure it."""

    text: str
    found: float | None
    at_most: float
    unit: str

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        return "met" if self.found <= self.at_most else "missed"


@dataclass(frozen=True, slots=True)
class Result:
    """`reading` says what the clocks measured and what the figures do not show."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    reading: Sequence[str] = ()
    goals: Sequence[Goal] = ()
    machine: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        goals = [{**asdict(goal), "verdict": goal.verdict} for goal in self.goals]
        columns = [asdict(column) for column in self.columns]
        return {
            "name": self.name,
            "title": self.title,
            "columns": columns,
            "rows": [dict(row) for row in self.rows],
            "reading": list(self.reading),
            "goals": goals,
            "machine": dict(self.machine),
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not pass: with fewer than 100 values the 99th
    percentile is the largest, never something between two that was not measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
