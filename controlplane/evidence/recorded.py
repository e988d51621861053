"""The judge on recorded counts: (slot, n and k per arm) in any order -> the path of the evidence, slot by slot.

For `serinus judge` and for anybody who wants to check the method on numbers of their own: no keys, no steps, no state.
- s = the weight in force where a row has one, else the realised share of its slot (and then the bound asked for);
- ratios with equal stakes; restarts every so many seconds with the stakes of `mixture.py`, 0 for none;
- rows may come in any order, a slot may come once; what cannot be is refused with the index of the row.
One request is one observation here: with sticky users who fail again and again, recorded counts false-alarm (.15-.34
measured), which is why the live judge counts keys.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.evidence import bounds
from controlplane.evidence.bounds import Bound
from controlplane.evidence.errors import CountsError
from controlplane.evidence.kernel import RATIOS, Floats
from controlplane.evidence.mixture import cash
from controlplane.evidence.strata import is_whole
from serinus.contract.weight import WEIGHT_TOTAL_BP

# Beyond it a sum over a rollout would leave the whole numbers of 64 bits.
COUNT_MAX = 10**15


@dataclass(frozen=True, slots=True)
class RecordedSlot:
    slot: int
    baseline_n: int
    baseline_k: int
    candidate_n: int
    candidate_k: int
    weight_bp: int | None = None


@dataclass(frozen=True, slots=True)
class EvidencePath:
    """Ascending slots and ln E after each. `crossed_at_slot`: the first at ln(1/alpha) or above, None: never."""

    slots: tuple[int, ...]
    log_e: tuple[float, ...]
    crossed_at_slot: int | None

    @property
    def is_worse(self) -> bool:
        return self.crossed_at_slot is not None


def judge_recorded(
    rows: Sequence[RecordedSlot],
    *,
    alpha: float,
    ratios: Sequence[float] = RATIOS,
    bound: Bound = Bound.AUTO,
    restart_every_s: int = 60,
) -> EvidencePath:
    """Raises CountsError for rows or settings that cannot be."""
    _check_settings(alpha, ratios, restart_every_s)
    _check_rows(rows)
    ordered = sorted(rows, key=lambda row: row.slot)
    slots = [row.slot for row in ordered]
    path = _mixture(slots, _increments(ordered, np.log(np.array(ratios, dtype=np.float64)), bound), restart_every_s)
    crossed = np.flatnonzero(path >= -math.log(alpha))
    return EvidencePath(tuple(slots), tuple(path.tolist()), slots[int(crossed[0])] if len(crossed) else None)


def _increments(rows: Sequence[RecordedSlot], lam: Floats, bound: Bound) -> Floats:
    """ln e per slot and ratio."""
    columns = [(row.baseline_n, row.baseline_k, row.candidate_n, row.candidate_k) for row in rows]
    n_a, k_a, n_b, k_b = np.array(columns, dtype=np.int64).reshape(len(rows), 4).T
    weighted = np.array([row.weight_bp is not None for row in rows], dtype=bool)
    if bound is Bound.EXACT or not weighted.any():
        return bounds.log_e(n_a, k_a, n_b, k_b, lam=lam, bound=bound)
    value = np.zeros((len(rows), len(lam)))
    plain = ~weighted
    if plain.any():
        value[plain] = bounds.log_e(n_a[plain], k_a[plain], n_b[plain], k_b[plain], lam=lam, bound=bound)
    weight = np.array([row.weight_bp or 0 for row in rows])[weighted] / WEIGHT_TOTAL_BP
    has_both = (n_a > 0) & (n_b > 0)
    log_mgf = np.log1p(np.multiply.outer(weight, np.expm1(lam)))
    bad = (k_a + k_b)[weighted]
    of_weight = np.multiply.outer(k_b[weighted], lam) - bad[:, None] * log_mgf
    is_comparison = has_both[weighted] & (weight > 0.0) & (weight < 1.0)
    value[weighted] = np.where(is_comparison[:, None], of_weight, 0.0)
    return value


def _mixture(slots: Sequence[int], increments: Floats, restart_every_s: int) -> Floats:
    """ln of the mixture after each slot. A component started at i is worth S(t)-S(i), so all starts are one sum."""
    total = np.zeros(increments.shape[1])
    started = np.full(increments.shape[1], -np.inf)  # ln of the sum over starts of stake*e^-S(start)
    count, path = 0, []
    for slot, increment in zip(slots, increments, strict=True):
        due = (slot - slots[0]) // restart_every_s + 1 if restart_every_s else 1
        if due > count:
            staked = cash(count) - cash(due) if restart_every_s else 1.0
            started = np.logaddexp(started, math.log(staked) - total)
            count = due
        total = total + increment
        value = float(np.logaddexp.reduce(started + total)) - math.log(len(total))
        path.append(float(np.logaddexp(value, math.log(cash(count)))) if restart_every_s else value)
    return np.array(path)


def _check_settings(alpha: float, ratios: Sequence[float], restart_every_s: int) -> None:
    if not 0.0 < alpha < 1.0:
        raise CountsError(f"alpha is {alpha}, must be between 0 and 1")
    if not ratios or not all(1.0 < ratio < math.inf for ratio in ratios):
        raise CountsError(f"ratios are {list(ratios)}: at least one, each above 1 and finite")
    if not is_whole(restart_every_s) or restart_every_s < 0:
        raise CountsError(f"restart_every_s is {restart_every_s!r}, must be whole seconds, 0 for none")


def _check_rows(rows: Sequence[RecordedSlot]) -> None:
    seen: dict[int, int] = {}
    for index, row in enumerate(rows):
        counts = (row.slot, row.baseline_n, row.baseline_k, row.candidate_n, row.candidate_k)
        if not all(is_whole(count) for count in counts):
            raise CountsError(f"row {index}: counts and slots are whole numbers, not {counts}")
        if not 0 <= row.baseline_k <= row.baseline_n <= COUNT_MAX:
            raise CountsError(f"row {index}: {row.baseline_k} failures of {row.baseline_n} of the baseline cannot be")
        if not 0 <= row.candidate_k <= row.candidate_n <= COUNT_MAX:
            raise CountsError(
                f"row {index}: {row.candidate_k} failures of {row.candidate_n} of the candidate cannot be"
            )
        if row.weight_bp is not None and not (is_whole(row.weight_bp) and 0 <= row.weight_bp <= WEIGHT_TOTAL_BP):
            raise CountsError(f"row {index}: weight {row.weight_bp!r} is outside 0..{WEIGHT_TOTAL_BP} bp")
        if row.slot in seen:
            raise CountsError(f"row {index}: slot {row.slot} came before, in row {seen[row.slot]}")
        seen[row.slot] = index
