"""Runs a target's processes and reads what they wrote: progress lines, how they ended, what they cost."""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree

from tests.fuzz import target
from tests.fuzz.result import Result, Stage

GUIDED, PLAIN, BLIND = "guided", "plain", "blind"
# Of a bounded number of executions, and of a bounded time, the first part is guided by coverage: under instrumentation
# an execution costs five to ten times as much, and new coverage has ended long before this many.
GUIDED_SHARE = 0.1
GUIDED_MAX = 250_000
GUIDED_SHARE_OF_TIME = 0.6
# Shorter runs have no second part: its process alone takes a second to start.
TWO_STAGES_FROM_S = 20
_EXITS = {0: "", 70: "hang", 71: "memory"}
_LINE = re.compile(r"^#(\d+)\s.*?(?:cov: (\d+) ft: (\d+) )?(?:corp: (\d+)/\S+ .*)?exec/s: \d+ rss: \d+Mb", re.MULTILINE)
_PROGRESS_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Budget:
    """0 of the first two: no bound; one of them must be given. `timeout_s` and `rss_mb` are of one execution."""

    executions: int = 0
    seconds: int = 0
    timeout_s: int = 20
    rss_mb: int = 512
    seed: int = 1


# What a decoy may take until it is found, however long the others run.
DECOY_BUDGET = Budget(executions=5_000_000, seconds=60, timeout_s=3, rss_mb=256)


def engines(*, is_blind: bool) -> Sequence[str]:
    return (BLIND,) if is_blind or find_spec("atheris") is None else (GUIDED, PLAIN)


def stages_of(budget: Budget, of: Sequence[str]) -> list[tuple[str, Budget]]:
    """The budget, dealt out."""
    if len(of) == 1 or (budget.seconds and budget.seconds < TWO_STAGES_FROM_S):
        return [(of[0], budget)]
    executions, seconds = (
        min(GUIDED_MAX, round(budget.executions * GUIDED_SHARE)),
        round(budget.seconds * GUIDED_SHARE_OF_TIME),
    )
    rest = (budget.executions - executions, budget.seconds - seconds)
    limits = (budget.timeout_s, budget.rss_mb, budget.seed)
    return [(GUIDED, Budget(executions, seconds, *limits)), (PLAIN, Budget(*rest, *limits))]


def run(
    name: str, budget: Budget, folder: Path, *, is_blind: bool, machine: Mapping[str, str], say: Callable[[str], None]
) -> Result:
    """All stages of one target, up to the first that ends before its time."""
    entry = target.ALL[name]
    artifacts = folder / name
    rmtree(artifacts, ignore_errors=True)
    artifacts.mkdir(parents=True)
    log = folder / f"{name}.log"
    log.write_text("", encoding="utf-8")
    of = engines(is_blind=is_blind)
    dealt = [(of[0], DECOY_BUDGET)] if entry.finds else stages_of(budget, of)
    done: list[Stage] = []
    for engine, part in dealt:
        command = _command(name, engine, part, artifacts)
        done.append(_stage(engine, command, log, lambda line, of=engine: say(f"{name} {of}: {line}")))
        if done[-1].ending:
            break
    asked = 0 if entry.finds else budget.executions
    return Result(name, entry.title, entry.finds, asked, done, str(log), str(artifacts), machine)


def _command(name: str, engine: str, budget: Budget, artifacts: Path) -> list[str]:
    options = {
        **{"executions": budget.executions, "seconds": budget.seconds, "timeout-s": budget.timeout_s},
        **{"rss-mb": budget.rss_mb, "seed": budget.seed, "artifacts": artifacts},
    }
    words = [f"--{option}={value}" for option, value in options.items()]
    return [sys.executable, "-m", "tests.fuzz.worker", name, *words, *([] if engine == GUIDED else [f"--{engine}"])]


def _stage(engine: str, command: Sequence[str], log: Path, say: Callable[[str], None]) -> Stage:
    began = log.stat().st_size
    started_s = time.monotonic()
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        status, usage = _waited(process.pid, lambda: say(_last_line(log)))
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_bytes()[began:].decode("utf-8", "replace")
    executions, edges, features, corpus = _figures(text)
    return Stage(
        engine=engine,
        ending=_ending(process.returncode, text),
        executions=executions,
        wall_s=time.monotonic() - started_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        rss_mb=usage.ru_maxrss >> 10,
        edges=edges if engine == GUIDED else None,
        features=features if engine == GUIDED else None,
        corpus=corpus if engine == GUIDED else None,
    )


def _waited(pid: int, on_pause: Callable[[], None]) -> tuple[int, resource.struct_rusage]:
    """The status and what the process used; `on_pause` now and then until it ends."""
    due_s = time.monotonic() + _PROGRESS_EVERY_S
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage
        time.sleep(0.1)
        if time.monotonic() >= due_s:
            due_s += _PROGRESS_EVERY_S
            on_pause()


def _last_line(log: Path) -> str:
    lines = _LINE.finditer(log.read_text(encoding="utf-8", errors="replace"))
    return next((found[0] for found in reversed(list(lines))), "starts")


def _figures(text: str) -> tuple[int, int, int, int]:
    """Executions, edges, features and size of the corpus, of the last line that tells them."""
    lines = list(_LINE.finditer(text))
    last = [next((int(found[n]) for found in reversed(lines) if found[n]), 0) for n in (1, 2, 3, 4)]
    units = re.findall(r"stat::number_of_executed_units:\s*(\d+)", text)
    return int(units[-1]) if units else last[0], last[1], last[2], last[3]


def _ending(code: int, text: str) -> str:
    if code in _EXITS:
        return _EXITS[code]
    # `faulthandler` and the long inputs end a process that takes too long.
    if re.search(r"^(?:Timeout \(|TimeoutError: long input)", text, re.MULTILINE):
        return "hang"
    return "died" if code < 0 else "crash"
