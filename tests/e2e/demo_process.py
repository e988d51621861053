"""`serinus demo` as a user runs it: a process of its own, its JSON, and what it left running."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEMO = (sys.executable, "-m", "controlplane", "demo")


@dataclass(frozen=True, slots=True)
class Played:
    """`facts` is the JSON of stdout ({} if there was none); `said` is stderr."""

    exit_code: int
    facts: dict[str, Any]
    said: str

    def act(self, key: str) -> dict[str, Any]:
        """One act's facts; an assertion that quotes the demo if it was not played."""
        found = [act for act in self.facts.get("acts", []) if act["act"] == key]
        assert found, f"no act {key!r}; the demo said:\n{self.said}"
        return dict(found[0])


def play(directory: Path, *arguments: str, timeout_s: float) -> Played:
    """The whole demo. State and reports go below `directory`."""
    command = [*DEMO, *arguments, "-o", "json", "--state", str(directory / "state"), "--report", str(directory / "r")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    facts = json.loads(ended.stdout) if ended.stdout.strip() else {}
    return Played(ended.returncode, facts, ended.stderr)


def left_running(directory: Path) -> list[str]:
    """Command lines of processes that still name `directory`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile
        if str(directory) in line:
            found.append(line)
    return found


def assert_act_went_well(act: dict[str, Any], *, phase: str) -> None:
    """What must hold in every act, whatever the model servers are."""
    assert act["phase"] == phase, act["why"]
    assert act["faults"] == []
    assert act["failed_requests"] == 0
    assert act["moved_back"] == 0
    assert act["candidate_requests_after_rollback"] == 0
    assert act["observed"], "no weight was in force"
    assert all(window["p"] > 1e-6 for window in act["observed"])
    assert [Path(path).suffix for path in act["reports"]] == [".html", ".md"]
    assert all(Path(path).stat().st_size > 1000 for path in act["reports"])
