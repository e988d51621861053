"""One target in one process: `python -m tests.fuzz.worker TARGET …`, started by `processes.py`.

With atheris (libFuzzer) inputs are found by the coverage of the instrumented code under test. With `--plain` the same
engine changes the inputs found so far and watches no coverage, which is three times as fast. Without atheris, or with
`--blind`, inputs are changed by chance. All write libFuzzer's progress lines to stderr and end with its exit codes.
"""

import argparse
import faulthandler
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz import blind, target

# Of CPU time, for one long input: the largest real one takes less than a second under instrumentation.
LONG_RUN_S_MAX = 10.0


def main() -> int:
    arguments = _arguments()
    is_blind = arguments.blind or find_spec("atheris") is None
    if is_blind or arguments.plain or arguments.input:
        loaded = target.load(arguments.target)
    else:
        loaded = _instrumented(arguments.target)
    if arguments.input:
        loaded.execute(arguments.input.read_bytes())
        return 0
    long_runs(loaded, arguments.timeout_s)
    if is_blind:
        limits = blind.Limits(arguments.executions, arguments.seconds, arguments.timeout_s, arguments.rss_mb)
        return blind.run(loaded, limits, seed=arguments.seed, artifacts=arguments.artifacts)
    return _atheris(loaded, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.worker")
    parser.add_argument("target", choices=list(target.ALL))
    parser.add_argument("--executions", type=int, default=0, help="0: no bound")
    parser.add_argument("--seconds", type=int, default=0, help="0: no bound")
    parser.add_argument("--timeout-s", type=int, default=20)
    parser.add_argument("--rss-mb", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--artifacts", type=Path, default=Path())
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--input", type=Path)
    return parser.parse_args()


def _instrumented(name: str) -> target.Target:
    """The packages are known only once the target is imported, and must be instrumented while it is: decoys name
    themselves."""
    from atheris.import_hook import HookManager

    is_decoy = name in target.DECOYS
    packages = {"tests"} if is_decoy else {"extproc", "serinus"}
    # Tracing comparisons costs a third of the speed and finds values that no seed has: the decoys' work, not ours.
    # Two steps a byte: under instrumentation Huffman would be most of what the others do.
    excluded = set() if name == "hpack" else {"extproc.h2.huffman"}
    with HookManager(packages, excluded, False, trace_dataflow=is_decoy):
        return target.load(name)


def long_runs(loaded: target.Target, timeout_s: int) -> None:
    """Raises what a long input raises, and TimeoutError for one that took too long."""
    for number, run in enumerate(loaded.long_runs):
        faulthandler.dump_traceback_later(timeout_s + 10 * LONG_RUN_S_MAX, exit=True)
        started_s = time.process_time()
        run()
        took_s = time.process_time() - started_s
        if took_s > LONG_RUN_S_MAX:
            raise TimeoutError(f"long input {number} took {took_s:.1f} s of CPU, allowed are {LONG_RUN_S_MAX}")
    faulthandler.cancel_dump_traceback_later()
    print(f"long inputs: {len(loaded.long_runs)} passed", file=sys.stderr, flush=True)


def _atheris(loaded: target.Target, arguments: argparse.Namespace) -> int:
    import atheris

    seeds = arguments.artifacts / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(loaded.seeds):
        (seeds / f"{number:03}").write_bytes(seed)
    found = arguments.artifacts / "corpus"
    found.mkdir(exist_ok=True)
    options = {
        "runs": arguments.executions or -1,
        "max_total_time": arguments.seconds,
        "max_len": loaded.bytes_max,
        "timeout": arguments.timeout_s,
        "rss_limit_mb": arguments.rss_mb,
        "seed": arguments.seed,
        "artifact_prefix": f"{arguments.artifacts}/",
        "print_final_stats": 1,
        "reload": 0,
        # Without coverage nothing is new: what is there must stay.
        "keep_seed": int(arguments.plain),
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(found), str(seeds)], loaded.execute
    )
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
