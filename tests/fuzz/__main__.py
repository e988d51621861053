"""`python -m tests.fuzz [TARGET…]`: fuzzes each parser of the sidecar in a process of its own.

By default all targets, 10 million executions each, and the decoys. Prints progress and a table, writes `reports/fuzz`
(JSON, logs, the inputs that broke something). Exit code 1 on a crash, a hang, or memory beyond its limit, and also when
a decoy was not found.
"""

import argparse
import datetime
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.machine import describe
from tests.fuzz import processes, target
from tests.fuzz.result import Result, as_markdown, as_text

EXECUTIONS = 10_000_000
FOLDER = Path("reports/fuzz")
_LOG_LINES = 30


def main() -> int:
    arguments = _arguments()
    if arguments.table:
        print(
            as_markdown(
                [json.loads(path.read_text(encoding="utf-8")) for path in sorted(arguments.folder.glob("*.json"))]
            )
        )
        return 0
    is_blind = arguments.blind
    if processes.engines(is_blind=False)[0] == processes.BLIND:
        _say(
            "NO atheris on this Python: inputs are changed BLINDLY, without coverage; next: Python 3.11-3.13 on x86-64"
        )
    executions = arguments.executions or (0 if arguments.seconds else EXECUTIONS)
    budget = processes.Budget(executions, arguments.seconds, arguments.timeout_s, arguments.rss_mb, arguments.seed)
    machine = describe(datetime.datetime.now(tz=datetime.UTC).date().isoformat())

    def one(name: str) -> Result:
        result = processes.run(name, budget, arguments.folder, is_blind=is_blind, machine=machine, say=_say)
        text = json.dumps(result.as_json(), indent=1) + "\n"
        (arguments.folder / f"{name}.json").write_text(text, encoding="utf-8")
        _say(f"{name}: {result.verdict}, {result.executions:,} executions")
        return result

    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(one, arguments.targets))
    for result in results:
        if not result.is_good:
            _explain(result)
    print(as_text(results), flush=True)
    return int(not all(result.is_good for result in results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes the parsers of the sidecar.")
    known = ", ".join(target.ALL)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {known}; all by default")
    parser.add_argument("--executions", type=int, default=0, help=f"each; {EXECUTIONS:,} unless there is a time")
    parser.add_argument("--seconds", type=int, default=0, help="each, at most")
    parser.add_argument("--timeout-s", type=int, default=20, help="of one execution: longer is a hang")
    parser.add_argument("--rss-mb", type=int, default=512, help="of a process: more is a fault")
    parser.add_argument("--seed", type=int, default=1, help="of the generator of changes")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--blind", action="store_true", help="without coverage, as where atheris is missing")
    parser.add_argument("--table", action="store_true", help="only print what is in the folder, as Markdown")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    arguments.targets = arguments.targets or list(target.ALL)
    unknown = set(arguments.targets) - set(target.ALL)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {known}")
    return arguments


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _explain(result: Result) -> None:
    """The end of the log, and how to see it again."""
    lines = Path(result.log).read_text(encoding="utf-8", errors="replace").splitlines()
    _say(f"\n{result.name} ({result.title}): {result.verdict}\n" + "\n".join(lines[-_LOG_LINES:]))
    _say(
        f"log {result.log}; inputs in {result.artifacts}; next: python -m tests.fuzz.worker {result.name} --input FILE\n"
    )


if __name__ == "__main__":
    sys.exit(main())
