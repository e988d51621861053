"""Fuzzing without coverage, where atheris has no wheel: seeds, changed by chance from a seeded generator.

It finds what is near a seed. Progress lines and exit codes are libFuzzer's.
"""

import faulthandler
import random
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from tests.fuzz.target import Target

CRASH, HANG, MEMORY = 77, 70, 71
_EDGES = (0, 1, 0x7F, 0x80, 0xFF)
# Between two looks at the clock and at memory.
_LOOK_EVERY = 64
_CHANGES_MAX = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """0 of the first two: no bound."""

    executions: int
    seconds: int
    timeout_s: int
    rss_mb: int


def changed(data: bytes, others: Sequence[bytes], prng: random.Random, bytes_max: int) -> bytes:
    """A neighbour of `data`: one to five changes of one byte, a piece, or a crossing with another."""
    out = bytearray(data)
    for _ in range(prng.randint(1, _CHANGES_MAX)):
        place = prng.randrange(len(out) + 1)
        match prng.randrange(6):
            case 0 if place < len(out):
                out[place] ^= 1 << prng.randrange(8)
            case 1 if place < len(out):
                out[place] = prng.choice(_EDGES)
            case 2 if place < len(out):
                del out[place : place + prng.randint(1, 8)]
            case 3:
                out[place:place] = prng.randbytes(prng.randint(1, 4))
            case 4:
                out[place:place] = out[: prng.randrange(len(out) + 1)]
            case _:
                other = prng.choice(others)
                out[place:] = other[prng.randrange(len(other) + 1) :]
    return bytes(out[:bytes_max])


def run(target: Target, limits: Limits, *, seed: int, artifacts: Path) -> int:
    """The exit code: 0, or CRASH or MEMORY. A hang ends the process: its input is in `artifacts`."""
    prng = random.Random(seed)
    started_s = time.monotonic()
    count, data = 0, b""
    try:
        while True:
            if count % _LOOK_EVERY == 0:
                elapsed_s = time.monotonic() - started_s
                faulthandler.dump_traceback_later(limits.timeout_s, exit=True)
                rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
                is_over = _is_over(count, elapsed_s, limits)
                if is_over or count & count - 1 == 0:
                    state = "DONE" if is_over else "pulse"
                    rate = int(count / elapsed_s) if elapsed_s else 0
                    print(f"#{count}\t{state} exec/s: {rate} rss: {rss_mb}Mb", file=sys.stderr, flush=True)
                if rss_mb > limits.rss_mb:
                    print(f"ERROR: out-of-memory (used: {rss_mb}Mb; limit: {limits.rss_mb}Mb)", file=sys.stderr)
                    _keep(artifacts, "oom", data)
                    return MEMORY
                if is_over:
                    return 0
            is_seed = count < len(target.seeds)
            data = (
                target.seeds[count]
                if is_seed
                else changed(prng.choice(target.seeds), target.seeds, prng, target.bytes_max)
            )
            count += 1
            target.execute(data)
    except Exception:
        traceback.print_exc()
        _keep(artifacts, "crash", data)
        return CRASH
    finally:
        faulthandler.cancel_dump_traceback_later()


def _is_over(count: int, elapsed_s: float, limits: Limits) -> bool:
    return bool(limits.executions and count >= limits.executions) or bool(
        limits.seconds and elapsed_s >= limits.seconds
    )


def _keep(artifacts: Path, kind: str, data: bytes) -> None:
    path = artifacts / f"{kind}-{sha1(data, usedforsecurity=False).hexdigest()}"
    path.write_bytes(data)
    print(f"input written to {path}", file=sys.stderr, flush=True)
