"""How long files and functions are, and the ratchet over those that are longer than allowed."""

import ast
from collections.abc import Iterator, Mapping

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 50


def file_lines(text: str) -> int:
    return len(text.splitlines())


def function_lines(source: str) -> Iterator[tuple[str, int]]:
    """(qualified name, lines from `def` to the end) of every function, nested ones too."""
    yield from _walk(ast.parse(source), "")


def _walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, (child.end_lineno or child.lineno) - child.lineno + 1
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _walk(child, f"{prefix}{child.name}." if named else prefix)


def ratchet(found: Mapping[str, int], recorded: Mapping[str, int], *, limit: int, fix: str) -> list[str]:
    """What to do about each entry: nothing new may pass `limit`, nothing recorded may grow, the record may only shrink."""
    faults = []
    for name, lines in sorted(found.items()):
        allowed = recorded.get(name, limit)
        if lines > allowed:
            faults.append(f"{name} has {lines} lines, allowed are {allowed}; next: {fix}")
    for name, lines in sorted(recorded.items()):
        now = found.get(name, 0)
        if now <= limit:
            faults.append(f"{name} is within {limit} lines now; next: remove it from tests/house/exceptions.json")
        elif now < lines:
            faults.append(f"{name} shrank to {now} lines; next: record {now} in tests/house/exceptions.json")
    return faults
