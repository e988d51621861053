"""The files that the house rules look at. Found by walking, so that the rules also hold outside a git checkout."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (".ci", "controlplane", "docs", "envoy", "extproc", "proto", "tests")
# Written by tools; `test_proto.py` says that they are what the tools write.
GENERATED_ENDINGS = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")


def is_generated(path: Path) -> bool:
    return path.name.endswith(GENERATED_ENDINGS)


def files() -> Iterator[Path]:
    """Every file of the repository, without caches and what a build leaves behind."""
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file())
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def python_files() -> Iterator[Path]:
    """Hand-written Python."""
    return (path for path in files() if path.suffix in (".py", ".pyi") and not is_generated(path))


def name_of(path: Path) -> str:
    """The path as messages and records show it."""
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str | None:
    """The text, or None for a binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
