"""YAML (or JSON) text -> plain values that remember their lines. Pure; knows nothing of our kinds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scanner import RoundTripScanner, ScannerError

from controlplane.manifest.errors import ManifestError, Problem

# A service with 20 versions of 1,000 endpoints each is about 600 KB; past this it is no manifest.
FILE_BYTES_MAX = 4 * 1024 * 1024
# Aliases may multiply (a "billion laughs" file is 1 KB): bound what they expand to.
NODES_MAX = 200_000
# Ours are 8 deep. The scanner looks at every open bracket at each token: 5,000 of them, in 5 KB, took it 5 seconds.
BRACKETS_MAX = 64

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document. `lines` maps a path of keys and indexes to its line, counted from 1."""

    file: str
    line: int
    data: dict[str, Any]
    lines: dict[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of a path, or of its nearest ancestor that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


def parse(file: str, text: str) -> list[Document]:
    """All documents of one file; empty ones are left out. Raises ManifestError with file and line."""
    if len(text.encode()) > FILE_BYTES_MAX:
        raise ManifestError([Problem(file, 0, "", f"larger than {FILE_BYTES_MAX} bytes; next: split it")])
    loaded, fault = _loaded(text)
    if fault is not None:
        raise ManifestError([Problem(file, fault[0], "", f"not valid YAML: {fault[1]}")])
    return [_document(file, node) for node in loaded if node is not None]


def _loaded(text: str) -> tuple[list[Any], tuple[int, str] | None]:
    """The documents; or the line and what is wrong there. As values: an error raised here would keep the frames of a
    thousand recursions, and the text in each, for as long as it lives."""
    yaml = YAML(typ="rt", pure=True)
    yaml.Scanner = _Scanner
    try:
        return list(yaml.load_all(text)), None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return [], (mark.line + 1 if mark else 0, f"{error.problem or error.context}")
    except (YAMLError, ValueError, RecursionError) as error:
        return [], (0, str(error).splitlines()[0])
    finally:
        # Its parts and it refer to each other, a hundred objects that hold the whole text: the collector, which counts
        # objects, would leave 500 such texts about.
        yaml.__dict__.clear()


class _Scanner(RoundTripScanner):
    """The same, with a bound on brackets within brackets."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803  as its base has it
        if self.flow_level >= BRACKETS_MAX:
            raise ScannerError(problem=f"more than {BRACKETS_MAX} brackets open", problem_mark=self.reader.get_mark())
        super().fetch_flow_collection_start(TokenClass, to_push)


def _document(file: str, node: object) -> Document:
    if not isinstance(node, CommentedMap):
        line = getattr(getattr(node, "lc", None), "line", -1) + 1
        raise ManifestError(
            [Problem(file, line, "", "a document must be a mapping with apiVersion, kind, metadata, spec")]
        )
    lines: dict[Path, int] = {}
    budget = iter(range(NODES_MAX))
    data = _plain(file, node, (), lines, budget)
    return Document(file=file, line=node.lc.line + 1, data=data, lines=lines)


def _plain(file: str, node: Any, path: Path, lines: dict[Path, int], budget: Iterator[int]) -> Any:
    if next(budget, None) is None:
        raise ManifestError([Problem(file, 0, "", f"more than {NODES_MAX} values; next: split it, or drop aliases")])
    if isinstance(node, CommentedMap):
        plain: dict[str, Any] = {}
        for key, value in node.items():
            if not isinstance(key, str):
                raise ManifestError([Problem(file, node.lc.line + 1, str(key), "keys must be text")])
            below = (*path, key)
            lines[below] = node.lc.key(key)[0] + 1 if key in (node.lc.data or {}) else node.lc.line + 1
            plain[str(key)] = _plain(file, value, below, lines, budget)
        return plain
    if isinstance(node, CommentedSeq):
        items = []
        for index, value in enumerate(node):
            below = (*path, index)
            lines[below] = node.lc.item(index)[0] + 1 if index in (node.lc.data or {}) else node.lc.line + 1
            items.append(_plain(file, value, below, lines, budget))
        return items
    return _scalar(node)


def _scalar(node: object) -> object:
    """ruamel's scalars carry their style; what follows wants plain values. Dates stay text."""
    if node is None or isinstance(node, bool):
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)
