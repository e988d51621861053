"""The clock port: real time lives here and nowhere else."""

import time
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since 1970."""


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000
