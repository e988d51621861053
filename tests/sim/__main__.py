"""`python -m tests.sim`: a fresh set of seeds, printed; `--seed` replays one."""

import argparse
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.sim.run import CALM_S, FAULTS_S, Simulation

LONG = 6  # times as long


def one(job: tuple[int, int]) -> tuple[int, str, int]:
    seed, times = job
    try:
        result = Simulation(seed, faults_s=FAULTS_S * times, calm_s=CALM_S * times).run()
    except Exception as error:
        # Whatever it is, the seed is what helps.
        return seed, f"FAULT {type(error).__name__}: {error}", 0
    return seed, result.end, result.crashes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--long", action="store_true", help=f"{LONG} times as many slots")
    args = parser.parse_args()
    times = LONG if args.long else 1
    if args.seed is not None:
        print(Simulation(args.seed, faults_s=FAULTS_S * times, calm_s=CALM_S * times).run())
        return 0
    first = random.SystemRandom().randrange(1 << 40)
    print(f"seeds {first} to {first + args.runs - 1}", flush=True)
    begun = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(one, [(first + n, times) for n in range(args.runs)], chunksize=20))
    faults = [(seed, end) for seed, end, _ in found if end.startswith("FAULT")]
    ends = Counter(end.split()[0] for _, end, _ in found)
    crashes = sum(crashes for *_, crashes in found)
    print(f"{len(found)} rollouts, {crashes} crashes, {time.monotonic() - begun:.0f} s: {dict(ends)}")
    for seed, end in faults[:20]:
        print(f"{end}; next: make sim SEED={seed}" + (" SIM=--long" if args.long else ""))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
