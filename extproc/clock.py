"""Clock and randomness ports: real time and real chance live here and nowhere else."""

import random
import time
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since 1970."""

    def now_us(self) -> int:
        """Microseconds since 1970."""

    def epoch_ns(self) -> int:
        """Nanoseconds since 1970: names one process's run."""


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def epoch_ns(self) -> int:
        return time.time_ns()


class Prng(Protocol):
    def uniform(self) -> float:
        """A number in [0, 1)."""


class SystemPrng:
    def uniform(self) -> float:
        return random.random()
