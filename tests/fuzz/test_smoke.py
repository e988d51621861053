"""A few seconds of every target, and the decoys, through the runner: that it runs, and that it finds.

The long runs are `make fuzz` (10 million executions each); `make verify` has a minute of each.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import processes, target

SECONDS = 2


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz", "--folder", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.e2e
def test_every_target_passes_for_some_seconds(tmp_path: Path) -> None:
    if processes.engines(is_blind=False)[0] == processes.BLIND:
        print("NO atheris on this Python: the targets are fed BLINDLY", file=sys.stderr)
    done = ran(tmp_path, "--seconds", str(SECONDS), "--jobs", "2", *target.TARGETS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.stem for path in tmp_path.glob("*.json")} == set(target.TARGETS)


@pytest.mark.e2e
def test_every_decoy_is_found_for_what_it_is(tmp_path: Path) -> None:
    """Blindly, as without atheris, in `make verify`: half a minute."""
    done = ran(tmp_path, "--jobs", "2", *target.DECOYS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("found: ") == len(target.DECOYS)


@pytest.mark.e2e
def test_a_target_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    done = ran(tmp_path, "--seconds", "1", "no-such-target")
    assert done.returncode == 2
    assert "there are h2, " in done.stderr
