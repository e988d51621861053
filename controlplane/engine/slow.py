"""For plots and for people: how many requests were larger than the baseline's p90 was at the start. Decides nothing.

The judge cuts where it tells the arms apart and moves its edges with the steps; a line on a screen needs one edge for
the whole rollout. Until the baseline has shown enough, nothing is counted.
"""

from collections import Counter
from collections.abc import Mapping

from controlplane.evidence.histogram import EDGE_OBSERVATIONS_MIN

_QUANTILE = 0.9


class SlowShare:
    """Mutable; one metric of one rollout."""

    def __init__(self) -> None:
        self._first = Counter[int]()
        self.edge: int | None = None  # the last bin that is not slow

    def counts(self, baseline: Mapping[int, int], candidate: Mapping[int, int]) -> tuple[int, int, int, int]:
        """Of one slot: baseline and slow ones of it, candidate and slow ones of it."""
        if self.edge is None:
            self._first.update(baseline)
            self._fix()
            return 0, 0, 0, 0
        return (*self._of(baseline, self.edge), *self._of(candidate, self.edge))

    @staticmethod
    def _of(bins: Mapping[int, int], edge: int) -> tuple[int, int]:
        return sum(bins.values()), sum(count for number, count in bins.items() if number > edge)

    def _fix(self) -> None:
        total, below = self._first.total(), 0
        if total < EDGE_OBSERVATIONS_MIN:
            return
        for number, count in sorted(self._first.items()):
            below += count
            if below >= _QUANTILE * total:
                self.edge = number
                return
