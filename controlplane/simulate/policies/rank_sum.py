"""Mann-Whitney on error ratios of 10 s each, both arms, all points since the start, looked at every minute.

- Kayenta-like: worse if the lower end of the 98 % interval of the shift is above a quarter of its estimate and the mean
  ratio exceeds 1. The interval is where the tie-corrected, continuity-corrected statistic crosses +-2.3263.
- plain: the one-sided p-value below 5 % at any look (as PipeCD's analysis template does, two-sided).
Written from the published formulas, for many paths at once: the roots by bisection.
"""

import numpy as np

from controlplane.evidence.kernel import Bools, Floats, Ints
from controlplane.simulate.policies.policy import STEP_S, everywhere, ramp_weight
from controlplane.simulate.traffic import Second

POINT_S = 10
Z_INTERVAL = 2.3263
Z_P_VALUE = 1.6449
TOLERANCE = 0.25
_BISECTIONS = 24


class RankSumPolicy:
    def __init__(self, paths: int, *, is_kayenta: bool) -> None:
        self.weight_bp = everywhere(paths, ramp_weight(0))
        self._is_kayenta = is_kayenta
        self._counts: Ints = np.zeros((4, paths), dtype=np.int64)
        self._points: list[Floats] = []  # (arms, paths) each
        self._rolled_back: Bools = np.zeros(paths, dtype=bool)

    def observe(self, second: int, seen: Second) -> Bools:
        self._counts += np.array([arm for of in seen.ended for arm in (of.n, of.bad)])
        if (second + 1) % POINT_S == 0:
            n_a, bad_a, n_b, bad_b = self._counts
            self._points.append(np.array([bad_a / np.maximum(n_a, 1), bad_b / np.maximum(n_b, 1)]))
            self._counts = np.zeros_like(self._counts)
        if (second + 1) % STEP_S == 0:
            baseline, candidate = np.stack(self._points, axis=-1)
            self._rolled_back = self._rolled_back | self._is_worse(baseline, candidate)
        self.weight_bp = everywhere(len(self.weight_bp), ramp_weight(second + 1))
        return self._rolled_back

    def promoted(self) -> Bools:
        return np.ones(len(self.weight_bp), dtype=bool)  # the clock's weights wait for nobody

    def _is_worse(self, baseline: Floats, candidate: Floats) -> Bools:
        if not self._is_kayenta:
            return statistic(candidate, baseline, np.zeros(len(candidate))) > Z_P_VALUE
        varies = np.ptp(np.concatenate([baseline, candidate], axis=1), axis=1) > 0.0
        low = shift_at(candidate, baseline, Z_INTERVAL)
        estimate = shift_at(candidate, baseline, 0.0)
        rises = candidate.mean(axis=1) > baseline.mean(axis=1)
        worse: Bools = varies & rises & (low > TOLERANCE * np.abs(estimate))
        return worse


def statistic(x: Floats, y: Floats, shift: Floats) -> Floats:
    """z of the rank sum of x - shift among y, per path: tie-corrected, with continuity."""
    moved = x - shift[:, None]
    n_x, n_y = x.shape[1], y.shape[1]
    greater = (moved[:, :, None] > y[:, None, :]).sum(axis=(1, 2))
    equal = moved[:, :, None] == y[:, None, :]
    centred = greater + 0.5 * equal.sum(axis=(1, 2)) - n_x * n_y / 2.0
    # The sum over ties of t^3 is the sum over elements of t^2.
    ties_x = (moved[:, :, None] == moved[:, None, :]).sum(axis=2) + equal.sum(axis=2)
    ties_y = (y[:, :, None] == y[:, None, :]).sum(axis=2) + equal.sum(axis=1)
    n = n_x + n_y
    correction = ((ties_x**2).sum(axis=1) + (ties_y**2).sum(axis=1) - n) / (n * (n - 1.0))
    sigma = np.sqrt(np.maximum(n_x * n_y / 12.0 * (n + 1.0 - correction), 1e-12))
    value: Floats = (centred - 0.5 * np.sign(centred)) / sigma
    return np.where(np.abs(centred) < 1e-9, 0.0, value)


def shift_at(x: Floats, y: Floats, z: float) -> Floats:
    """The shift at which the statistic falls to `z`, per path."""
    low = x.min(axis=1) - y.max(axis=1) - 1e-9
    high = x.max(axis=1) - y.min(axis=1) + 1e-9
    for _ in range(_BISECTIONS):
        middle_shift = (low + high) / 2.0
        is_above = statistic(x, y, middle_shift) > z
        low, high = np.where(is_above, middle_shift, low), np.where(is_above, high, middle_shift)
    middle: Floats = (low + high) / 2.0
    return middle
