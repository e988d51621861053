"""`python -m controlplane.simulate`: judges head to head on synthetic traffic. `--gate` runs every healthy world,
`--plots DIR` draws the pictures of docs/judge.md."""

import argparse
import json
import math
import sys
from pathlib import Path

from controlplane.errors import SerinusError
from controlplane.simulate.head_to_head import JUDGES, Result, Setting, run
from controlplane.simulate.plots import pictures
from controlplane.simulate.report import table, values
from controlplane.simulate.worlds import NAMES

# Above alpha by more than this many standard errors of the run is a broken promise.
_GATE_ERRORS = 3.0


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 1 if the gate is broken, 2 for a setting that cannot be."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.plots is not None:
            for name, text in pictures(asked.rollouts).items():
                (asked.plots / name).write_text(text, encoding="utf-8")
            return 0
        if asked.gate:
            return _gate(asked)
        setting = _setting(asked, asked.world, asked.rps)
        results = [run(judge, setting) for judge in asked.judge.split(",")]
    except SerinusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write((json.dumps(values(setting, results)) if asked.o == "json" else table(setting, results)) + "\n")
    return 0


def _gate(asked: argparse.Namespace) -> int:
    """False rollbacks of the product's judge in every world, at several loads, with weights that react too."""
    allowed = asked.alpha + _GATE_ERRORS * math.sqrt(asked.alpha * (1.0 - asked.alpha) / asked.rollouts)
    broken: list[Result] = []
    asked.candidate_errors = asked.baseline_errors
    for rps in (float(load) for load in asked.loads.split(",")):
        for world in NAMES:
            setting = _setting(asked, world, rps)
            results = [run(judge, setting) for judge in ("serinus", "serinus-reactive")]
            sys.stdout.write(f"{rps:5.0f}/s {world:12s}" + "".join(f" {r.rollback_share:.4f}" for r in results) + "\n")
            sys.stdout.flush()
            broken += [result for result in results if result.rollback_share > allowed]
    sys.stdout.write(f"allowed {allowed:.4f}: {'broken' if broken else 'kept'}\n")
    return 1 if broken else 0


def _setting(asked: argparse.Namespace, world: str, rps: float) -> Setting:
    return Setting(world, rps, asked.baseline_errors, asked.candidate_errors, asked.rollouts, asked.seed, asked.alpha)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m controlplane.simulate", description=__doc__)
    parser.add_argument("--rps", type=float, default=100.0)
    parser.add_argument("--baseline-errors", type=float, default=0.005)
    parser.add_argument("--candidate-errors", type=float, default=0.005)
    parser.add_argument("--rollouts", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--world", default="steady", help=", ".join(NAMES))
    parser.add_argument("--judge", default="serinus", help="comma-separated: " + ", ".join(JUDGES))
    parser.add_argument("--gate", action="store_true", help="every healthy world, exit 1 if one breaks the promise")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write the pictures of docs/judge.md there")
    parser.add_argument("--loads", default="5,20,100", help="requests/s of the gate")
    parser.add_argument("-o", choices=("table", "json"), default="table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
