"""`python -m tests.sim`: a fresh set of seeds, printed; `--seed` replays one. Fails on a broken rule, and on a fault that
never came about in so many runs."""

import argparse
import gc
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.sim.run import CALM_S, FAULTS_S, Simulation
from tests.sim.weather import missing, table

RUNS = 10_000
LONG = 6  # times as long
# Fewer need not have met everything.
COVERAGE_RUNS = 5_000


def simulation(seed: int, times: int) -> Simulation:
    """A long one has long steps, or it would end as early as the others."""
    forced = frozenset({"slow"} if times > 1 else ())
    return Simulation(seed, forced=forced, faults_s=FAULTS_S * times, calm_s=CALM_S * times)


def calm() -> None:
    """Of a worker: what is there now stays, and garbage in cycles is rare. A twelfth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def one(job: tuple[int, int]) -> tuple[int, str, Counter[str]]:
    seed, times = job
    try:
        result = simulation(seed, times).run()
    except Exception as error:
        # Whatever it is, the seed is what helps.
        return seed, f"FAULT {type(error).__name__}: {error}", Counter()
    return seed, result.end, result.met


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--long", action="store_true", help=f"{LONG} times as many slots")
    args = parser.parse_args()
    times = LONG if args.long else 1
    if args.seed is not None:
        print(simulation(args.seed, times).run())
        return 0
    first = random.SystemRandom().randrange(1 << 40)
    print(f"seeds {first} to {first + args.runs - 1}", flush=True)
    begun = time.monotonic()
    ends: Counter[str] = Counter()
    met: Counter[str] = Counter()
    faults = []
    with ProcessPoolExecutor(os.cpu_count(), initializer=calm) as pool:
        for seed, end, of_one in pool.map(one, [(first + n, times) for n in range(args.runs)], chunksize=20):
            ends[end.split()[0]] += 1
            met.update(of_one)
            if end.startswith("FAULT"):
                faults.append((seed, end))
    print(f"what the runs met:\n{table(met)}")
    print(f"{args.runs} rollouts, {time.monotonic() - begun:.0f} s: {dict(ends)}; {len(faults)} broke a rule")
    for seed, end in faults[:20]:
        print(f"{end}; next: make sim SEED={seed}" + (" SIM=--long" if args.long else ""))
    never = missing(met) if args.runs >= COVERAGE_RUNS else []
    if never:
        print(f"never met, so never tried: {', '.join(never)}")
    return 1 if faults or never else 0


if __name__ == "__main__":
    sys.exit(main())
