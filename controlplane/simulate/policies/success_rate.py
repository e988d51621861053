"""Thresholds on the candidate alone, as Flagger (tutorial: success >= 99 % over a minute) and Argo Rollouts set them.

Flagger-like: a failed minute holds the weight and counts; at five, never forgotten, it rolls back. No traffic fails.
Argo-like: the steps go on by the clock; more failed minutes than the failure limit (3) abort.
"""

import numpy as np

from controlplane.evidence.kernel import Bools, Ints
from controlplane.simulate.policies.policy import RAMP_BP, STEP_S, everywhere
from controlplane.simulate.traffic import Second

SUCCESS_MIN = 0.99
FLAGGER_FAILURES = 5
ARGO_FAILURES = 4


class SuccessRatePolicy:
    """`failures`: so many failed minutes end the rollout; `holds`: a failed minute keeps the weight where it is."""

    def __init__(self, paths: int, *, failures: int, holds: bool) -> None:
        self._step: Ints = np.zeros(paths, dtype=np.int64)
        self.weight_bp = everywhere(paths, RAMP_BP[0])
        self._failures_max = failures
        self._holds = holds
        self._is_through: Bools = np.zeros(paths, dtype=bool)
        self._failures: Ints = np.zeros(paths, dtype=np.int64)
        self._n: Ints = np.zeros(paths, dtype=np.int64)
        self._bad: Ints = np.zeros(paths, dtype=np.int64)

    def observe(self, second: int, seen: Second) -> Bools:
        self._n = self._n + seen.ended[1].n
        self._bad = self._bad + seen.ended[1].bad
        if (second + 1) % STEP_S == 0:
            passed = (self._n > 0) & (self._n - self._bad >= SUCCESS_MIN * self._n)
            self._failures = self._failures + ~passed
            self._is_through = (self._step == len(RAMP_BP) - 1) & (passed | (not self._holds))
            self._step = np.minimum(self._step + (passed | (not self._holds)), len(RAMP_BP) - 1)
            self.weight_bp = np.array(RAMP_BP)[self._step]
            self._n, self._bad = np.zeros_like(self._n), np.zeros_like(self._bad)
        rolled_back: Bools = self._failures >= self._failures_max
        return rolled_back

    def promoted(self) -> Bools:
        return self._is_through
