"""What a policy is in a simulation: it has the weights of all paths, sees each second, and may roll paths back."""

from typing import Protocol

import numpy as np

from controlplane.evidence.kernel import Bools, Ints
from controlplane.simulate.traffic import Second

RAMP_BP = tuple(range(1_000, 10_000, 1_000))
STEP_S = 60


class Policy(Protocol):
    """Mutable; one for all paths."""

    weight_bp: Ints

    def observe(self, second: int, seen: Second) -> Bools:
        """Take second number `second` in; which paths are rolled back now (and stay so)."""

    def promoted(self) -> Bools:
        """Which paths have been through every step, had they not been rolled back. Asked when the ramp is over."""


def ramp_weight(second: int) -> int:
    """10, 20 … 90 % by the clock."""
    return RAMP_BP[min(second // STEP_S, len(RAMP_BP) - 1)]


def begins_step(second: int) -> bool:
    return second % STEP_S == 0 and second // STEP_S < len(RAMP_BP)


def everywhere(paths: int, weight_bp: int) -> Ints:
    return np.full(paths, weight_bp, dtype=np.int64)
