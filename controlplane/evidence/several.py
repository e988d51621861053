"""Several metrics, slices or candidates at once.

- rollback: the omega-weighted average of e-values, an e-value under any dependence (Vovk & Wang 2021); never a product.
  It rejects whenever weighted Bonferroni, E_i >= 1/(omega_i*alpha), does.
- advance: every guardrail at alpha (intersection-union; alpha is not split): a wrong advance needs *each* test to err.
- who is to blame: e-BH (Wang & Ramdas 2022): the k largest with the largest k that has k*e_(k) >= m/alpha; the expected
  share of wrong names among them is at most alpha, under any dependence. It names and ranks, it decides nothing.
"""

import math
from collections.abc import Sequence

import numpy as np


def average_log_e(log_e: Sequence[float], omegas: Sequence[float]) -> float:
    """ln of the weighted average; the omegas sum to 1."""
    return float(np.logaddexp.reduce([math.log(omega) + value for omega, value in zip(omegas, log_e, strict=True)]))


def all_good(log_e: Sequence[float], *, alpha: float) -> bool:
    """Every one reaches 1/alpha."""
    return min(log_e, default=-math.inf) >= -math.log(alpha)


def blamed(log_e: Sequence[float], *, alpha: float) -> tuple[int, ...]:
    """Indices that e-BH rejects, the strongest evidence first; equal ones in their order."""
    ranked = sorted(range(len(log_e)), key=lambda index: (-log_e[index], index))
    needed = math.log(len(log_e) / alpha) if log_e else 0.0
    count = 0
    for k, index in enumerate(ranked, start=1):
        if math.log(k) + log_e[index] >= needed:
            count = k
    return tuple(ranked[:count])


def alpha_of(alpha: float, omega: float) -> float:
    """What one of several candidates may spend of `alpha`."""
    return alpha * omega
