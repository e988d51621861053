"""Slices: the evidence of one metric again, by region, device, user class, prompt length: shown, ranked.

A slice is a value of a declared dimension; values that were not declared are one slice, `other`, so their number is
bounded before the first request. Per slice the kernel of `kernel.py` over keys with their first bad event since the
rollout began, w = the weight in force: exact in each slice, since a slice is a property of the request or the key that
no version decides. e-BH over all slices names those that are worse (at most alpha of the names are wrong on average,
under any dependence); the rest are ranked below them. It decides nothing: there is no verdict here.
A dimension of *kinds of badness* (error class, finish reason) is one whose values a bad request falls into: give `bad`
keys alone. Memory: the bad keys of each slice, at most `keys_max` together; past it a slice learns nothing new.
"""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from controlplane.evidence import kernel
from controlplane.evidence.errors import CountsError, PlanError, SlotOrderError
from controlplane.evidence.intervals import share_interval
from controlplane.evidence.kernel import Floats, log_sum
from controlplane.evidence.keys import NEVER
from controlplane.evidence.several import blamed
from controlplane.evidence.strata import check_weight, is_comparison, is_whole
from serinus.contract.metric import ERRORS
from serinus.contract.slices import OTHER
from serinus.contract.weight import WEIGHT_TOTAL_BP

__all__ = ["OTHER", "SLICES_MAX", "SliceCounts", "SliceRow", "Slices"]

Place = tuple[str, str]  # dimension, value
# Slices of one rollout, all dimensions together: e-BH asks each for as many times more evidence.
SLICES_MAX = 100
KEYS_MAX = 200_000
_KEY_END = 1 << 64


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """One slice in one stratum: requests and bad ones per arm, and the keys that were bad."""

    baseline_n: int
    candidate_n: int
    baseline_bad: int
    candidate_bad: int
    baseline_keys_bad: frozenset[int]
    candidate_keys_bad: frozenset[int]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """For people. Shares with intervals that hold whenever they are looked at (95 %, each arm)."""

    dimension: str
    value: str
    log_e: float
    is_named: bool  # by e-BH at alpha
    baseline_n: int
    baseline_bad: int
    candidate_n: int
    candidate_bad: int
    baseline_high: float
    candidate_low: float
    metric: str = ERRORS


@dataclass(slots=True)
class _Slice:
    log_e: Floats = field(default_factory=lambda: np.zeros(len(kernel.RATIOS)))
    keys: set[int] = field(default_factory=set)
    counts: list[int] = field(default_factory=lambda: [0, 0, 0, 0])


class Slices:
    """Mutable, single-threaded; one metric."""

    def __init__(
        self, declared: Mapping[str, tuple[str, ...]], *, metric: str = ERRORS, keys_max: int = KEYS_MAX
    ) -> None:
        """`declared`: dimension -> its values. Raises PlanError."""
        self._metric = metric
        self._slices = {
            (dimension, value): _Slice() for dimension, values in declared.items() for value in (*values, OTHER)
        }
        if len(self._slices) != sum(len(values) + 1 for values in declared.values()):
            raise PlanError("a slice is declared twice", next_step=f"name each value once, and none {OTHER!r}")
        if len(self._slices) > SLICES_MAX:
            raise PlanError(f"{len(self._slices)} slices are declared, at most {SLICES_MAX}")
        self.dimensions = frozenset(declared)
        self._keys_left = keys_max
        self._last_slot = NEVER

    @property
    def is_full(self) -> bool:
        """Bad keys past the bound were left out."""
        return self._keys_left <= 0

    def place(self, dimension: str, value: str) -> Place:
        """Where a value counts. Raises CountsError for a dimension that was not declared."""
        if dimension not in self.dimensions:
            raise CountsError(f"slices by {dimension!r} are not declared")
        return (dimension, value) if (dimension, value) in self._slices else (dimension, OTHER)

    def fold(self, slot: int, weight_bp: int, counts: Mapping[tuple[str, str], SliceCounts]) -> None:
        """One stratum; the strata of a slot one after another. Raises CountsError, WeightError or SlotOrderError."""
        check_weight(weight_bp)
        if not is_whole(slot) or slot < 0:
            raise CountsError(f"slot {slot!r} is no second since 1970")
        if slot < self._last_slot:
            raise SlotOrderError("slot", slot, after=self._last_slot)
        for place, of in counts.items():
            if place not in self._slices:
                raise CountsError(f"slice {place} is not declared", next_step="ask place() where a value counts")
            _check(of)
        self._last_slot = slot
        for place, of in sorted(counts.items()):
            self._fold(self._slices[place], weight_bp, of)

    def rows(self, *, alpha: float) -> tuple[SliceRow, ...]:
        """All slices with requests, the strongest evidence first."""
        return ranked((self,), alpha=alpha)

    def log_e(self) -> dict[Place, float]:
        """Of every slice, also of those without requests: what may be named is counted beforehand."""
        return {place: float(log_sum(of.log_e)) - math.log(len(of.log_e)) for place, of in self._slices.items()}

    def row(self, place: Place, *, log_e: float, is_named: bool) -> SliceRow | None:
        """None for a slice without requests."""
        return self._row(place, log_e, is_named) if any(self._slices[place].counts) else None

    def _fold(self, held: _Slice, weight_bp: int, of: SliceCounts) -> None:
        for index, count in enumerate((of.baseline_n, of.baseline_bad, of.candidate_n, of.candidate_bad)):
            held.counts[index] += count
        contested = of.baseline_keys_bad & of.candidate_keys_bad
        baseline, candidate = (keys - contested - held.keys for keys in (of.baseline_keys_bad, of.candidate_keys_bad))
        new = len(baseline) + len(candidate)
        if new > self._keys_left:
            self._keys_left = 0
        if self.is_full or not new:
            return
        if is_comparison(weight_bp):
            both, candidates = np.array(new), np.array(len(candidate))
            held.log_e += kernel.log_e(both, candidates, weight_bp / WEIGHT_TOTAL_BP)
        held.keys |= baseline | candidate
        self._keys_left -= new

    def _row(self, place: tuple[str, str], log_e: float, is_named: bool) -> SliceRow:
        baseline_n, baseline_bad, candidate_n, candidate_bad = self._slices[place].counts
        return SliceRow(
            dimension=place[0],
            value=place[1],
            log_e=log_e,
            is_named=is_named,
            baseline_n=baseline_n,
            baseline_bad=baseline_bad,
            candidate_n=candidate_n,
            candidate_bad=candidate_bad,
            baseline_high=share_interval(baseline_bad, baseline_n, alpha=0.05).high,
            candidate_low=share_interval(candidate_bad, candidate_n, alpha=0.05).low,
            metric=self._metric,
        )


def ranked(metrics: Sequence[Slices], *, alpha: float) -> tuple[SliceRow, ...]:
    """The slices of several metrics together, those with requests, the strongest evidence first. e-BH over all of them:
    one more metric asks for more evidence of each."""
    every = [(of, place, log_e) for of in metrics for place, log_e in of.log_e().items()]
    named = set(blamed([log_e for _, _, log_e in every], alpha=alpha))
    rows = (of.row(place, log_e=log_e, is_named=at in named) for at, (of, place, log_e) in enumerate(every))
    seen = [row for row in rows if row is not None]
    return tuple(sorted(seen, key=lambda row: (-row.log_e, row.dimension, row.value, row.metric)))


def _check(of: SliceCounts) -> None:
    arms: tuple[tuple[int, int, Set[int]], ...] = (
        (of.baseline_n, of.baseline_bad, of.baseline_keys_bad),
        (of.candidate_n, of.candidate_bad, of.candidate_keys_bad),
    )
    for n, bad, keys in arms:
        if not (is_whole(n) and is_whole(bad) and 0 <= len(keys) <= bad <= n):
            raise CountsError(f"{len(keys)} bad keys, {bad!r} bad of {n!r} requests cannot be")
        if not all(is_whole(key) and 0 <= key < _KEY_END for key in keys):
            raise CountsError("a key is a 64-bit hash, 0..2^64-1")
