"""Rows that wait for their slot to close, by stratum: for what is shown beside the judge's evidence.

The slots are those of the judge: rows that it does not take are not taken here, nor is what comes late. Bounded as
`SlotMerge` is, which closes the slots. Pure.
"""

from collections.abc import Iterable, Iterator

from controlplane.ingest.merge import takes
from controlplane.ingest.rows import Row

Stratum = tuple[str, str, int]  # snapshot, weight class, weight
Strata = list[tuple[Stratum, list[Row]]]


class OpenRows:
    """Mutable, single-threaded, no clock. `versions`: baseline and candidate."""

    def __init__(self, *, rollout: str, versions: tuple[str, str]) -> None:
        self._rollout = rollout
        self._versions = versions
        self._open: dict[int, dict[Stratum, list[Row]]] = {}

    def add(self, rows: Iterable[Row], *, now_slot: int, closed_through: int | None) -> None:
        """Take the rows of one batch in."""
        for row in rows:
            is_late = closed_through is not None and row.slot <= closed_through
            if is_late or not takes(row, self._rollout, self._versions, now_slot):
                continue
            strata = self._open.setdefault(row.slot, {})
            strata.setdefault((row.snapshot, row.weight_class, row.weight_bp), []).append(row)

    def close(self, through_slot: int) -> Iterator[tuple[int, Strata]]:
        """Hand over the slots up to this one, oldest first, each once."""
        for slot in sorted(slot for slot in self._open if slot <= through_slot):
            yield slot, sorted(self._open.pop(slot).items(), key=lambda each: each[0])
