"""What the run of one target found, and how that reads. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Stage:
    """One process. `engine`: "guided" by coverage, "plain" libFuzzer on what that found, "blind" without atheris.
    `ending`: "" for its end in time, else crash, hang, memory or died. Coverage is None where nobody looks at it."""

    engine: str
    ending: str
    executions: int
    wall_s: float
    cpu_s: float
    rss_mb: int
    edges: int | None = None
    features: int | None = None
    corpus: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """`expected`: how a decoy's run must end. `log` holds the traceback, `artifacts` the input."""

    name: str
    title: str
    expected: str
    asked_executions: int
    stages: Sequence[Stage]
    log: str
    artifacts: str
    machine: Mapping[str, str] = field(default_factory=dict)

    @property
    def executions(self) -> int:
        return sum(stage.executions for stage in self.stages)

    @property
    def ending(self) -> str:
        return next((stage.ending for stage in self.stages if stage.ending), "")

    @property
    def is_good(self) -> bool:
        """A target that ran to its end, a decoy that was found for what it is."""
        if self.expected:
            return self.ending == self.expected
        return not self.ending and self.executions >= self.asked_executions

    @property
    def verdict(self) -> str:
        if self.expected:
            return f"found: {self.ending}" if self.is_good else f"NOT FOUND ({self.expected})"
        if self.is_good:
            return "passed"
        return self.ending.upper() if self.ending else "UNFINISHED"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "executions": self.executions, "verdict": self.verdict}


_TITLES = (
    "target",
    "executions",
    "guided",
    "s",
    "CPU s",
    "per s",
    "per CPU s",
    "peak RSS MB",
    "edges",
    "features",
    "corpus",
    "",
)


def rows(results: Sequence[Result]) -> list[list[str]]:
    """Titles, then a row for each target."""
    return [list(_TITLES), *map(_row, results)]


def _row(result: Result) -> list[str]:
    stages = result.stages
    guided = next((stage for stage in stages if stage.engine == "guided"), None)
    wall_s, cpu_s = sum(stage.wall_s for stage in stages), sum(stage.cpu_s for stage in stages)
    numbers = (
        *(result.executions, guided.executions if guided else 0, wall_s, cpu_s, result.executions / max(wall_s, 0.01)),
        *(result.executions / max(cpu_s, 0.01), max((stage.rss_mb for stage in stages), default=0)),
        *((guided.edges, guided.features, guided.corpus) if guided else (None,) * 3),
    )
    return [result.name, *("-" if number is None else f"{number:,.0f}" for number in numbers), result.verdict]


def as_text(results: Sequence[Result]) -> str:
    table = rows(results)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table)


def as_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """From the JSON of each result, since long runs are made one by one."""
    made = [
        Result(**{key: value for key, value in each.items() if key not in _DERIVED and key != "stages"}, stages=stages)
        for each in results
        for stages in [[Stage(**stage) for stage in each["stages"]]]
    ]
    head, *body = ["| " + " | ".join(row) + " |" for row in rows(made)]
    return "\n".join([head, "|" + "---|" * len(_TITLES), *body])


_DERIVED = ("executions", "verdict")
