"""The key table: when was a sticky key last seen, and last bad? Bounded; holds 64-bit hashes, never ids.

One row per key, shared by all metrics; one column per metric and fact. Slots are whole seconds; `NEVER` means not yet.
Past `keys_max` no new key is admitted, of either arm, for good: a slot whose new keys do not all fit admits none of
them, so that being left out never depends on the arm. Keys are never evicted: the oldest component reaches back to the
beginning, and a forgotten key would count twice.
Cost: about 190 bytes a key with two metrics (a dict entry, the hash, 64 bytes of columns).
"""

from collections.abc import Collection, Set

import numpy as np

from controlplane.evidence.kernel import Ints

NEVER = -1
_ROWS_FIRST = 1024


class KeyTable:
    """Mutable, single-threaded. Columns are indexed [metric, row]."""

    def __init__(self, *, metric_count: int, keys_max: int) -> None:
        self._rows: dict[int, int] = {}
        self._keys_max = keys_max
        self.is_full = False
        self.met: Ints = _column(_ROWS_FIRST)  # latest slot under the weight of the step in force
        self.seen: Ints = _columns(metric_count, _ROWS_FIRST)  # latest slot in which the metric could be told
        self.bad: Ints = _columns(metric_count, _ROWS_FIRST)  # latest slot with a bad event
        self.cohort: Ints = _columns(metric_count, _ROWS_FIRST)  # where its first meeting in the step is counted

    def __len__(self) -> int:
        return len(self._rows)

    def admit(self, keys: Set[int]) -> None:
        """Give each new key a row, all of them or, when they do not fit, none from now on."""
        new = set(keys).difference(self._rows)
        if len(self._rows) + len(new) > self._keys_max:
            self.is_full = True
        if self.is_full:
            return
        self._rows.update(zip(new, range(len(self._rows), len(self._rows) + len(new)), strict=True))
        while len(self._rows) > len(self.met):
            self._grow()

    def has(self, key: int) -> bool:
        """The key was admitted."""
        return key in self._rows

    def rows(self, keys: Collection[int]) -> Ints:
        """The rows of admitted keys, leaving out those for which there was no room."""
        if self.is_full:
            keys = [key for key in keys if key in self._rows]
        return np.fromiter(map(self._rows.__getitem__, keys), dtype=np.int64, count=len(keys))

    def _grow(self) -> None:
        metric_count, row_count = self.seen.shape
        self.met = np.concatenate([self.met, _column(row_count)])
        self.seen = np.concatenate([self.seen, _columns(metric_count, row_count)], axis=1)
        self.bad = np.concatenate([self.bad, _columns(metric_count, row_count)], axis=1)
        self.cohort = np.concatenate([self.cohort, _columns(metric_count, row_count)], axis=1)


def _column(row_count: int) -> Ints:
    return np.full(row_count, NEVER, dtype=np.int64)


def _columns(metric_count: int, row_count: int) -> Ints:
    return np.full((metric_count, row_count), NEVER, dtype=np.int64)
