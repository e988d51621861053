"""A rollout's evidence once more by slice, for people: its rows by cohort and by what its service declares.

Slices are declared, bounded, and dealt by what a request or a key is, never by what a version does: each has a kernel
that is exact. Pinned and excluded cohorts are never randomised and have none. What was declared later, and what a
tester's token brought, counts as `other`. Judged so are errors and the other shares among the guardrails, and sizes:
bad are those above the baseline's p90, as it was at first. The slots are those of the judge: nothing late, nothing
early. It decides nothing: no fact, gate or verdict reads it, and what it cannot take costs its own counts only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.engine.open_rows import OpenRows
from controlplane.engine.slow import SlowShare
from controlplane.evidence.errors import EvidenceError
from controlplane.evidence.slices import KEYS_MAX, OTHER, SLICES_MAX, SliceCounts, SliceRow, Slices, ranked
from controlplane.ingest.rows import HistogramCount, MetricCount, Row
from controlplane.manifest.guardrail import Guardrail
from controlplane.manifest.schema import ServiceSpec
from controlplane.manifest.slices import COHORT
from serinus.contract.edge import BIN_COUNT
from serinus.contract.headers import COHORT_EVERYONE
from serinus.contract.metric import ERRORS, LOWER
from serinus.contract.slices import values_in

# Of the slices that are named worse at most this share is wrong on average (e-BH).
ALPHA = 0.05
# Of the ranked sentence; the API has them all.
SHOWN_MAX = 8

_Place = tuple[str, str]


@dataclass(slots=True)
class _Arm:
    observed: int = 0
    bad: int = 0
    keys_bad: set[int] = field(default_factory=set)
    firsts: dict[int, int] = field(default_factory=dict)

    def add(self, count: MetricCount) -> None:
        self.observed += count.observed
        self.bad += count.bad
        self.keys_bad |= count.keys_bad

    def add_sizes(self, count: HistogramCount, edge: int) -> None:
        """A key counts by its first observation, as in the judge."""
        self.observed += sum(count.bins.values())
        self.bad += sum(number for bin_, number in count.bins.items() if bin_ > edge)
        for key, first in count.firsts.items():
            if first < self.firsts.get(key, first + 1):
                self.firsts[key] = first

    def slow(self, edge: int) -> frozenset[int]:
        """Keys whose first observation is above the edge."""
        return frozenset(key for key, first in self.firsts.items() if first % BIN_COUNT > edge)


def declared_of(service: ServiceSpec) -> dict[str, tuple[str, ...]]:
    """Dimension -> its values: what the service declares, and the cohorts that a weight deals, in the order of the
    rules, as far as there is room beside two more."""
    found = {each.by: tuple(value.name for value in each.dimension("").values) for each in service.slices}
    room = SLICES_MAX - 2 - sum(len(values) + 1 for values in found.values())
    dealt = [cohort.name for cohort in service.cohorts if cohort.weight_factor is not None]
    names = tuple(name for name in dealt if name not in (COHORT_EVERYONE, OTHER))[:room]
    return {COHORT: (COHORT_EVERYONE, *names), **found} if dealt else found


def metrics_of(guardrails: Iterable[Guardrail]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The shares and the sizes that are judged by slice: what rows hold of each request."""
    of_rows = [each for each in guardrails if not (each.is_score or each.is_labelled)]
    shares = tuple(each.metric_id for each in of_rows if not each.is_size)
    sizes = tuple(each.metric_id for each in of_rows if each.is_size and not each.metric_id.endswith(LOWER))
    return shares, sizes


class RolloutSlices:
    """Mutable, single-threaded, no clock. `versions`: baseline and candidate. With nothing declared it keeps
    nothing."""

    def __init__(
        self,
        declared: Mapping[str, tuple[str, ...]],
        *,
        rollout: str,
        versions: tuple[str, str],
        shares: Sequence[str] = (ERRORS,),
        sizes: Sequence[str] = (),
    ) -> None:
        keys_max = KEYS_MAX // max(len(shares) + len(sizes), 1)
        metrics = (*shares, *sizes) if declared else ()
        self._slices = {name: Slices(declared, metric=name, keys_max=keys_max) for name in metrics}
        self._sizes = {name: SlowShare() for name in sizes} if declared else {}
        self._versions = versions
        self._open = OpenRows(rollout=rollout, versions=versions)
        self.refused_strata = 0

    def add(self, rows: Iterable[Row], *, now_slot: int, closed_through: int | None) -> None:
        """Take the rows of one batch in, as `SlotMerge` does."""
        if self._slices:
            self._open.add(rows, now_slot=now_slot, closed_through=closed_through)

    def close(self, through_slot: int) -> None:
        """Fold what the judge has been handed."""
        for slot, strata in self._open.close(through_slot):
            for (_, _, weight_bp), rows in strata:
                for name in self._slices:
                    self._fold(name, slot, weight_bp, rows)
            # Edges are fixed by earlier slots alone.
            for name, slow in self._sizes.items():
                self._learn(name, slow, [row for _, rows in strata for row in rows])

    def rows(self) -> tuple[SliceRow, ...]:
        """The strongest evidence first; nothing of a dimension in which all requests are in one slice."""
        rows = ranked(tuple(self._slices.values()), alpha=ALPHA)
        seen: dict[str, set[str]] = {}
        for row in rows:
            seen.setdefault(row.dimension, set()).add(row.value)
        return tuple(row for row in rows if len(seen[row.dimension]) > 1)

    def _fold(self, name: str, slot: int, weight_bp: int, rows: Sequence[Row]) -> None:
        slices, slow = self._slices[name], self._sizes.get(name)
        if slow is not None and slow.edge is None:
            return
        counts: dict[_Place, tuple[_Arm, _Arm]] = {}
        for row in rows:
            count, sizes = row.metrics.get(name), row.histograms.get(name)
            for place in self._places(slices, row):
                arm = counts.setdefault(place, (_Arm(), _Arm()))[self._versions.index(row.version)]
                if slow is None and count is not None:
                    arm.add(count)
                elif slow is not None and slow.edge is not None and sizes is not None:
                    arm.add_sizes(sizes, slow.edge)
        edge = slow.edge if slow is not None else None
        try:
            slices.fold(slot, weight_bp, {place: _frozen(*arms, edge) for place, arms in counts.items()})
        except EvidenceError:
            self.refused_strata += 1

    def _places(self, slices: Slices, row: Row) -> list[_Place]:
        values = {COHORT: row.cohort, **values_in(row.slices)}
        return [slices.place(dimension, values.get(dimension, OTHER)) for dimension in sorted(slices.dimensions)]

    def _learn(self, name: str, slow: SlowShare, rows: Iterable[Row]) -> None:
        for row in rows:
            sizes = row.histograms.get(name)
            if slow.edge is None and sizes is not None and row.version == self._versions[0]:
                slow.counts(sizes.bins, {})


def _frozen(baseline: _Arm, candidate: _Arm, edge: int | None) -> SliceCounts:
    return SliceCounts(
        baseline_n=baseline.observed,
        candidate_n=candidate.observed,
        baseline_bad=baseline.bad,
        candidate_bad=candidate.bad,
        baseline_keys_bad=frozenset(baseline.keys_bad) if edge is None else baseline.slow(edge),
        candidate_keys_bad=frozenset(candidate.keys_bad) if edge is None else candidate.slow(edge),
    )


def named_sentences(rows: Iterable[SliceRow]) -> tuple[str, ...]:
    """Of the slices that are worse by e-BH, one each."""
    return tuple(
        f"slice {_name(row)}: {_counts(row)}, evidence {row.log_e:.1f} (ln) that it is worse there; "
        "slices are shown and decide nothing"
        for row in rows
        if row.is_named
    )


def ranked_sentence(rows: Sequence[SliceRow]) -> str:
    """All slices in their order, as far as they fit in a sentence; "" without any."""
    if not rows:
        return ""
    shown = [f"{_name(row)}{' (worse)' if row.is_named else ''}: {_counts(row)}" for row in rows[:SHOWN_MAX]]
    if len(rows) > SHOWN_MAX:
        shown.append(f"{len(rows) - SHOWN_MAX} more")
    dimensions, metrics = ({getattr(row, of): None for row in rows} for of in ("dimension", "metric"))
    what = f"Slices by {', '.join(dimensions)}, {', '.join(metrics)} of requests since the start"
    return f"{what}, shown and never decisive: {'; '.join(shown)}."


def _name(row: SliceRow) -> str:
    return row.value if row.dimension == COHORT else f"{row.dimension} {row.value}"


def _counts(row: SliceRow) -> str:
    counts = f"candidate {row.candidate_bad} of {row.candidate_n}", f"baseline {row.baseline_bad} of {row.baseline_n}"
    return f"{counts[0]} failed, {counts[1]}" if row.metric == ERRORS else f"{row.metric}: bad {', '.join(counts)}"
