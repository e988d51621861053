"""The errors' evidence once more by cohort: a rollout's rows into slices, for people.

Cohorts are declared, bounded, and dealt by what a request or a key is, never by what a version does: each is a slice
whose kernel is exact. Pinned and excluded cohorts are never randomised and have none. A cohort that came later, and
what a tester's token brought, counts as `other`. The slots are those of the judge: nothing late, nothing early. It
decides nothing: no fact, gate or verdict reads it, and what it cannot take costs its own counts only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from controlplane.evidence.errors import EvidenceError
from controlplane.evidence.slices import OTHER, SLICES_MAX, SliceCounts, SliceRow, Slices
from controlplane.ingest.merge import takes
from controlplane.ingest.rows import Row
from controlplane.manifest.schema import ServiceSpec
from serinus.contract.headers import COHORT_EVERYONE
from serinus.contract.metric import ERRORS

DIMENSION = "cohort"
# Of the slices that are named worse at most this share is wrong on average (e-BH).
ALPHA = 0.05
# Of the ranked sentence; the API has them all.
SHOWN_MAX = 8

_Stratum = tuple[str, str, int]  # snapshot, weight class, weight
_Place = tuple[str, str]


@dataclass(slots=True)
class _Arm:
    observed: int = 0
    bad: int = 0
    keys_bad: set[int] = field(default_factory=set)


_Counts = dict[_Place, tuple[_Arm, _Arm]]


def cohorts_of(service: ServiceSpec) -> tuple[str, ...]:
    """The cohorts that a weight deals, in the order of the rules, as far as there is room beside two more."""
    return tuple(cohort.name for cohort in service.cohorts if cohort.weight_factor is not None)[: SLICES_MAX - 2]


class CohortSlices:
    """Mutable, single-threaded, no clock. `versions`: baseline and candidate. Without cohorts it keeps nothing."""

    def __init__(self, cohorts: Sequence[str], *, rollout: str, versions: tuple[str, str]) -> None:
        declared = {DIMENSION: (COHORT_EVERYONE, *(name for name in cohorts if name not in (COHORT_EVERYONE, OTHER)))}
        self._slices = Slices(declared) if cohorts else None
        self._rollout = rollout
        self._versions = versions
        self._open: dict[int, dict[_Stratum, _Counts]] = {}
        self.refused_strata = 0

    def add(self, rows: Iterable[Row], *, now_slot: int, closed_through: int | None) -> None:
        """Take the rows of one batch in, as `SlotMerge` does."""
        if self._slices is None:
            return
        for row in rows:
            errors = row.metrics.get(ERRORS)
            is_late = closed_through is not None and row.slot <= closed_through
            if errors is None or is_late or not takes(row, self._rollout, self._versions, now_slot):
                continue
            strata = self._open.setdefault(row.slot, {})
            counts = strata.setdefault((row.snapshot, row.weight_class, row.weight_bp), {})
            arms = counts.setdefault(self._slices.place(DIMENSION, row.cohort), (_Arm(), _Arm()))
            arm = arms[self._versions.index(row.version)]
            arm.observed += errors.observed
            arm.bad += errors.bad
            arm.keys_bad |= errors.keys_bad

    def close(self, through_slot: int) -> None:
        """Fold what the judge has been handed."""
        if self._slices is None:
            return
        for slot in sorted(slot for slot in self._open if slot <= through_slot):
            for (_, _, weight_bp), counts in sorted(self._open.pop(slot).items()):
                try:
                    self._slices.fold(slot, weight_bp, {place: _frozen(*arms) for place, arms in counts.items()})
                except EvidenceError:
                    self.refused_strata += 1

    def rows(self) -> tuple[SliceRow, ...]:
        """The strongest evidence first; nothing where all requests are in one slice."""
        if self._slices is None:
            return ()
        rows = self._slices.rows(alpha=ALPHA)
        return rows if len(rows) > 1 else ()


def _frozen(baseline: _Arm, candidate: _Arm) -> SliceCounts:
    return SliceCounts(
        baseline_n=baseline.observed,
        candidate_n=candidate.observed,
        baseline_bad=baseline.bad,
        candidate_bad=candidate.bad,
        baseline_keys_bad=frozenset(baseline.keys_bad),
        candidate_keys_bad=frozenset(candidate.keys_bad),
    )


def named_sentences(rows: Iterable[SliceRow]) -> tuple[str, ...]:
    """Of the slices that are worse by e-BH, one each."""
    return tuple(
        f"slice {row.value}: {_counts(row)}, evidence {row.log_e:.1f} (ln) that it is worse there; "
        "slices are shown and decide nothing"
        for row in rows
        if row.is_named
    )


def ranked_sentence(rows: Sequence[SliceRow]) -> str:
    """All slices in their order, as far as they fit in a sentence; "" without any."""
    if not rows:
        return ""
    shown = [f"{row.value}{' (worse)' if row.is_named else ''}: {_counts(row)}" for row in rows[:SHOWN_MAX]]
    if len(rows) > SHOWN_MAX:
        shown.append(f"{len(rows) - SHOWN_MAX} more")
    return f"Slices by {DIMENSION}, errors of requests since the start, shown and never decisive: {'; '.join(shown)}."


def _counts(row: SliceRow) -> str:
    return f"candidate {row.candidate_bad} of {row.candidate_n} failed, baseline {row.baseline_bad} of {row.baseline_n}"
