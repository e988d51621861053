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
# Sums of the exact bound are refused past it: 50 MB for six ratios.
EXACT_TERMS_MAX = 1_000_000
# Rows at a time: a day of seconds in one piece would take a gigabyte.
_BLOCK = 1_000
# 1/cash grows by this with each start.
_PER_START = 1.0 / cash(2) - 1.0 / cash(1)


class RowError(CountsError):
    """A row that cannot be. `row` counts from 0; `first` is the row that has its slot already."""

    def __init__(self, row: int, what: str, *, first: int | None = None) -> None:
        self.row = row
        self.what = what
        self.first = first
        super().__init__(f"row {row}: {what}" + ("" if first is None else f", in row {first}"))


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
    check_rows(rows)
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
    value = np.zeros((len(rows), len(lam)))
    plain = np.arange(len(rows)) if bound is Bound.EXACT else np.flatnonzero(~weighted)
    block = 1 if bound is Bound.EXACT else _BLOCK
    for first in range(0, len(plain), block):
        of = plain[first : first + block]
        if bound is Bound.EXACT:
            _check_exact(rows[of[0]], int(of[0]))
        value[of] = bounds.log_e(n_a[of], k_a[of], n_b[of], k_b[of], lam=lam, bound=bound)
    if bound is Bound.EXACT or not weighted.any():
        return value
    weight = np.array([row.weight_bp or 0 for row in rows])[weighted] / WEIGHT_TOTAL_BP
    has_both = (n_a > 0) & (n_b > 0)
    log_mgf = np.log1p(np.multiply.outer(weight, np.expm1(lam)))
    bad = (k_a + k_b)[weighted]
    of_weight = np.multiply.outer(k_b[weighted], lam) - bad[:, None] * log_mgf
    is_comparison = has_both[weighted] & (weight > 0.0) & (weight < 1.0)
    value[weighted] = np.where(is_comparison[:, None], of_weight, 0.0)
    return value


def _check_exact(row: RecordedSlot, index: int) -> None:
    bad, n_a, n_b = row.baseline_k + row.candidate_k, row.baseline_n, row.candidate_n
    terms = min(n_b, bad) - max(bad - n_a, 0) + 1
    if terms > EXACT_TERMS_MAX:
        raise RowError(index, f"bound exact would sum {terms} terms, more than {EXACT_TERMS_MAX}: take auto")


def _mixture(slots: Sequence[int], increments: Floats, restart_every_s: int) -> Floats:
    """ln of the mixture after each slot. A component started at i is worth S(t)-S(i), so all starts are one sum."""
    total = np.zeros(increments.shape[1])
    started = np.full(increments.shape[1], -np.inf)  # ln of the sum over starts of stake*e^-S(start)
    count, path, has_spoken = 0, [], False
    for slot, increment in zip(slots, increments, strict=True):
        due = (slot - slots[0]) // restart_every_s + 1 if restart_every_s else 1
        if due > count:
            staked = _staked(count, due) if restart_every_s else 1.0
            started = np.logaddexp(started, math.log(staked) - total)
            count = due
        total = total + increment
        has_spoken = has_spoken or bool(increment.any())
        if not has_spoken:
            path.append(0.0)  # nothing was said yet: exactly 1, whatever rounding would make of its parts
            continue
        value = float(np.logaddexp.reduce(started + total)) - math.log(len(total))
        path.append(float(np.logaddexp(value, math.log(cash(count)))) if restart_every_s else value)
    return np.array(path)


def _staked(count: int, due: int) -> float:
    """cash(count) - cash(due), without the cancellation that would make it 0 after years of starts."""
    return cash(0) - cash(due) if count == 0 else cash(count) * cash(due) * (due - count) * _PER_START


def _check_settings(alpha: float, ratios: Sequence[float], restart_every_s: int) -> None:
    if not 0.0 < alpha < 1.0:
        raise CountsError(f"alpha is {alpha}, must be between 0 and 1")
    if not ratios or not all(1.0 < ratio < math.inf for ratio in ratios):
        raise CountsError(f"ratios are {list(ratios)}: at least one, each above 1 and finite")
    if not is_whole(restart_every_s) or restart_every_s < 0:
        raise CountsError(f"restart_every_s is {restart_every_s!r}, must be whole seconds, 0 for none")


def check_rows(rows: Sequence[RecordedSlot]) -> None:
    """Raises RowError for the first row that cannot be."""
    seen: dict[int, int] = {}
    for index, row in enumerate(rows):
        counts = (row.slot, row.baseline_n, row.baseline_k, row.candidate_n, row.candidate_k)
        if not all(is_whole(count) for count in counts):
            raise RowError(index, f"counts and slots are whole numbers, not {counts}")
        if not 0 <= row.baseline_k <= row.baseline_n <= COUNT_MAX:
            raise RowError(index, f"{row.baseline_k} failures of {row.baseline_n} of the baseline cannot be")
        if not 0 <= row.candidate_k <= row.candidate_n <= COUNT_MAX:
            raise RowError(index, f"{row.candidate_k} failures of {row.candidate_n} of the candidate cannot be")
        if row.weight_bp is not None and not (is_whole(row.weight_bp) and 0 <= row.weight_bp <= WEIGHT_TOTAL_BP):
            raise RowError(index, f"weight {row.weight_bp!r} is outside 0..{WEIGHT_TOTAL_BP} bp")
        if row.slot in seen:
            raise RowError(index, f"slot {row.slot} came before", first=seen[row.slot])
        seen[row.slot] = index
