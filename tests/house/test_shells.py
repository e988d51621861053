"""Only files that are shells by name, or that convert, know protobuf. ruff's banned imports hold the rest."""

import ast
import tomllib
from collections.abc import Iterator

from tests.house import tree

SHELLS = frozenset(
    {"__main__", "supervisor", "app", "server", "client", "protocol", "runner", "processes", "sqlite", "postgres"}
    | {"exporter", "clock"}
)
CONVERTERS = frozenset({"wire", "codec"})
# Whole folders of shells or converters: the CLI prints messages, local/ drives processes, snapshot/ builds Envoy's.
FREE_FOLDERS = ("controlplane/cli/", "controlplane/local/", "controlplane/snapshot/", "proto/", "tests/")


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_protobuf(module: str) -> bool:
    return module.startswith("google.protobuf") or "_pb2" in module


def test_cores_do_not_know_protobuf() -> None:
    faults = [
        f"{name} imports {module}; next: convert in wire.py or codec.py and hand over plain values"
        for path in tree.python_files()
        if path.stem not in SHELLS | CONVERTERS and not (name := tree.name_of(path)).startswith(FREE_FOLDERS)
        for module in imported(path.read_text(encoding="utf-8"))
        if is_protobuf(module)
    ]
    assert not faults, "\n".join(faults)


def test_the_check_sees_both_forms_of_import() -> None:
    source = "from serinus.v1 import admin_pb2\nimport google.protobuf.message\nimport json\n"
    assert [is_protobuf(module) for module in imported(source)] == [True, True, False]


def test_ruff_lets_only_shells_do_io() -> None:
    """The list of shells in pyproject.toml is this one: a longer list there would open a core unseen."""
    settings = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ignores = settings["tool"]["ruff"]["lint"]["per-file-ignores"]
    (pattern,) = [key for key in ignores if key.startswith("**/{")]
    named = set(pattern.removeprefix("**/{").removesuffix("}.py").split(","))
    assert named - SHELLS <= {"envoy_binary"}, "next: name the new shell after what it is, from the agreed list"
