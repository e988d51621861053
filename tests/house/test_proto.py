"""The generated messages are what the pinned compiler makes of the .proto files: never edited, never stale."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import tree

PROTO = tree.ROOT / "proto"
# With services: Python stubs too. The wire subset of Envoy's messages needs none.
FOLDERS = {"serinus/v1": True, "serinus/envoywire": False}


@pytest.mark.parametrize("folder", FOLDERS)
def test_generated_files_are_up_to_date(folder: str, tmp_path: Path) -> None:
    outputs = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    if FOLDERS[folder]:
        outputs.append(f"--grpc_python_out={tmp_path}")
    sources = sorted(str(path.relative_to(PROTO)) for path in (PROTO / folder).glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTO), *outputs, *sources]
    subprocess.run(command, cwd=PROTO, check=True, timeout=60)
    fresh = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / folder).iterdir()}
    committed = {
        path.name: path.read_text(encoding="utf-8") for path in (PROTO / folder).iterdir() if tree.is_generated(path)
    }
    stale = sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))
    assert not stale, f"{stale} in proto/{folder} differ from their sources; next: make proto"
