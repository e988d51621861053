"""Results as text for a terminal, and as Markdown for docs/performance.md. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.bench.result import Result


def shown(value: Any) -> str:
    """Three digits that matter; a figure that was not measured is a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cells(result: Result) -> list[list[str]]:
    """Titles, then a list for each row."""
    rows = [[shown(row.get(column.key)) for column in result.columns] for row in result.rows]
    return [[column.title for column in result.columns], *rows]


def as_text(result: Result) -> str:
    table = cells(result)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [result.title, "-" * len(result.title)]
    lines += ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    lines += [f"goal {line}" for line in goal_lines(result)]
    lines += [f"  {line}" for line in result.reading]
    return "\n".join(lines)


def goal_lines(result: Result) -> list[str]:
    return [
        f"{goal.verdict}: {goal.text}: {shown(goal.found)} {goal.unit}, at most {shown(goal.at_most)}"
        for goal in result.goals
    ]


def as_markdown(results: Iterable[Result]) -> str:
    """One section a result, with the machine that it ran on."""
    return "\n".join(_section(result) for result in results)


def _section(result: Result) -> str:
    lines = [f"## {result.title}", "", f"`python -m tests.bench {result.name}`{_where(result.machine)}", ""]
    lines += _table(cells(result))
    if result.goals:
        goals = [[goal.text, shown(goal.at_most), shown(goal.found), goal.unit, goal.verdict] for goal in result.goals]
        lines += ["", *_table([["goal", "at most", "found", "unit", ""], *goals])]
    lines += ["", *(f"- {line}" for line in result.reading), ""]
    return "\n".join(lines)


def _where(machine: Mapping[str, str]) -> str:
    return ", " + ", ".join(f"{key} {value}" for key, value in machine.items()) if machine else ""


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body]
