"""A one-sided two-sample z-test of the pooled counts, looked at every second: what a dashboard with a p-value does."""

import numpy as np

from controlplane.evidence.kernel import Bools, Ints
from controlplane.simulate.policies.policy import everywhere, ramp_weight
from controlplane.simulate.traffic import Second

# Of a standard normal: P(Z > 1.645) = 5 %.
Z_NEEDED = 1.6449


class ZPeekPolicy:
    def __init__(self, paths: int) -> None:
        self.weight_bp = everywhere(paths, ramp_weight(0))
        self._counts: Ints = np.zeros((4, paths), dtype=np.int64)
        self._rolled_back: Bools = np.zeros(paths, dtype=bool)

    def observe(self, second: int, seen: Second) -> Bools:
        self._counts += np.array([arm for of in seen.ended for arm in (of.n, of.bad)])
        n_a, bad_a, n_b, bad_b = self._counts
        pooled = (bad_a + bad_b) / np.maximum(n_a + n_b, 1)
        spread = np.sqrt(pooled * (1.0 - pooled) * (1.0 / np.maximum(n_a, 1) + 1.0 / np.maximum(n_b, 1)))
        z = (bad_b / np.maximum(n_b, 1) - bad_a / np.maximum(n_a, 1)) / np.maximum(spread, 1e-12)
        self._rolled_back = self._rolled_back | ((z > Z_NEEDED) & (bad_a + bad_b > 0))
        self.weight_bp = everywhere(len(n_a), ramp_weight(second + 1))
        return self._rolled_back

    def promoted(self) -> Bools:
        return np.ones(len(self.weight_bp), dtype=bool)  # the clock's weights wait for nobody
