"""`python -m tests.bench [NAME…]`: runs benches, prints a table each, writes JSON and one Markdown file.

`make bench` runs all. `--quick` runs each with few repetitions, to see that it works. Results go to `reports/bench`.
Exit code 1 if a goal was missed.
"""

import argparse
import datetime
import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.machine import describe
from tests.bench.report import as_markdown, as_text
from tests.bench.result import Column, Goal, Result

BENCHES = (
    "build",
    "engine",
    "admin",
    "scrape",
    "pages",
    "streams",
    "effect",
    "policy",
    "ingest",
    "path",
    "observe",
    "held",
    "judge",
    "numbers",
)
# Repetitions that are enough to see that a bench works, for those that take an argument.
QUICK: Mapping[str, Mapping[str, Any]] = {
    "streams": {"sizes": (10,), "steps": 5},
    "effect": {"repetitions": 3},
    "admin": {"rounds": 20},
    "scrape": {"rounds": 10},
    "pages": {"rounds": 2, "load_s": 2.0},
    "path": {"rounds": 2},
    "observe": {"rounds": 2, "load_s": 1.0},
    "held": {"rounds": 1, "load_s": 3.0, "streams": 100},
    "judge": {"slots": 120, "rollouts": 250},
    "numbers": {"rollouts": 250, "paths": 10},
}
# What must hold of benches that give rows only: (text, row's column, its value, column of the figure, bound, unit).
GOALS: Mapping[str, tuple[tuple[str, str, Any, str, float, str], ...]] = {
    "build": (("first snapshot of 1,000 services", "services", 1_000, "first_build_s", 5.0, "s"),),
    "engine": (
        ("a weight step in the engine, 1,000 services, median", "services", 1_000, "weight_step_ms_p50", 20.0, "ms"),
        ("a weight step in the engine, 1,000 services, worst", "services", 1_000, "weight_step_ms_max", 20.0, "ms"),
    ),
}
RESULTS = Path("reports/bench")


def measured(name: str, *, quick: bool) -> Result:
    """One bench, with the machine that it ran on."""
    machine = describe(datetime.datetime.now(tz=datetime.UTC).date().isoformat())
    run = importlib.import_module(f"tests.bench.bench_{name}").run
    found = run(**QUICK.get(name, {})) if quick else run()
    result = found if isinstance(found, Result) else _of_rows(name, found)
    return replace(result, machine=machine)


def _of_rows(name: str, found: Mapping[str, Any]) -> Result:
    rows = found["rows"]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    goals = [
        Goal(text, next((row[figure] for row in rows if row.get(column) == value), None), bound, unit)
        for text, column, value, figure, bound, unit in GOALS.get(name, ())
    ]
    columns = [Column(key, key.replace("_", " ")) for key in keys]
    return Result(name=name, title=str(found["name"]), columns=columns, rows=rows, goals=goals)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Runs benches and writes what they found."
    )
    parser.add_argument("names", nargs="*", default=list(BENCHES), help=f"of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it works, not to measure")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHES)
    if unknown:
        parser.error(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    results = []
    for name in arguments.names:
        print(f"\n{name} …", file=sys.stderr, flush=True)
        result = measured(name, quick=arguments.quick)
        results.append(result)
        print(as_text(result), flush=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    (RESULTS / "performance.md").write_text(as_markdown(results), encoding="utf-8")
    print(f"\n{RESULTS}/*.json, {RESULTS}/performance.md", file=sys.stderr)
    return int(any(goal.verdict == "missed" for result in results for goal in result.goals))


if __name__ == "__main__":
    sys.exit(main())
