"""The exact log e-value given the realised split, for many small tables at once: computed once per (n_a, n_b), kept.

Slots are small: up to 256 keys of both arms the moment generating functions of all numbers of bad ones are kept, for
the whole process (they are constants, no rollout's state; at most 12 MB for each set of ratios, then it starts anew).
Past that the exact sum where it has at most 100 terms, else the minimum of the four bounds (`bounds.py`). Which of them
is chosen by pooled counts and the split alone, row by row, so no metric's evidence depends on its neighbours.
"""

import numpy as np

from controlplane.evidence import bounds
from controlplane.evidence.bounds import Bound
from controlplane.evidence.kernel import Floats, Ints

KEPT_N_MAX = 256
_ROWS_MAX = 1 << 18
_ROWS_FIRST = 1 << 12
_TERMS_MAX = 100
_MISSING = -1


class ExactTables:
    """Mutable; for one set of ratios."""

    def __init__(self, lam: Floats, *, rows_max: int = _ROWS_MAX) -> None:
        self._lam = lam
        self._rows_max = rows_max
        self._clear()

    def log_e(self, n_a: Ints, k_a: Ints, n_b: Ints, k_b: Ints) -> Floats:
        """`n` of shape (rows,), `k` of shape (rows, edges). Returns (rows, edges, ratios)."""
        bad = k_a + k_b
        value: Floats = k_b[..., None] * self._lam
        is_kept = n_a + n_b <= KEPT_N_MAX
        if is_kept.all():
            value -= self._kept(n_a, n_b, bad)
            return value
        if is_kept.any():
            value[is_kept] -= self._kept(n_a[is_kept], n_b[is_kept], bad[is_kept])
        value[~is_kept] = self._large(n_a[~is_kept], k_a[~is_kept], n_b[~is_kept], k_b[~is_kept])
        return value

    def _clear(self) -> None:
        self._log_mgf: Floats = np.empty((_ROWS_FIRST, len(self._lam)))
        self._used = 0
        self._first: Ints = np.full((KEPT_N_MAX + 1, KEPT_N_MAX + 1), _MISSING, dtype=np.int64)

    def _kept(self, n_a: Ints, n_b: Ints, bad: Ints) -> Floats:
        first = self._first[n_a, n_b]
        if (first == _MISSING).any():
            self._fill(n_a, n_b)
            first = self._first[n_a, n_b]
        log_mgf: Floats = self._log_mgf[first[:, None] + bad]
        return log_mgf

    def _fill(self, n_a: Ints, n_b: Ints) -> None:
        pairs = sorted(set(zip(n_a.tolist(), n_b.tolist(), strict=True)))
        if self._used + sum(a + b + 1 for a, b in pairs) > self._rows_max:
            self._clear()
        for a, b in pairs:
            if self._first[a, b] != _MISSING:
                continue
            bad = np.arange(a + b + 1)
            while self._used + len(bad) > len(self._log_mgf):
                self._log_mgf = np.concatenate([self._log_mgf, np.empty_like(self._log_mgf)])
            log_mgf = bounds.log_mgf_exact(np.full_like(bad, a), np.full_like(bad, b), bad, lam=self._lam)
            # With one arm, nobody or everybody bad, what the candidate has is known: exactly nothing is said.
            known = np.minimum(bad, b)[:, None] * self._lam
            says_nothing = (bad == 0) | (bad == a + b) | (a == 0) | (b == 0)
            rows = slice(self._used, self._used + len(bad))
            self._log_mgf[rows] = np.where(says_nothing[:, None], known, log_mgf)
            self._first[a, b] = self._used
            self._used += len(bad)

    def _large(self, n_a: Ints, k_a: Ints, n_b: Ints, k_b: Ints) -> Floats:
        """Neighbouring rows that are the same need one computation."""
        columns = np.concatenate([n_a[:, None], n_b[:, None], k_a, k_b], axis=1)
        is_new = np.ones(len(columns), dtype=bool)
        is_new[1:] = (np.diff(columns, axis=0) != 0).any(axis=1)
        k_a, k_b = k_a[is_new], k_b[is_new]
        n_a, n_b = (np.broadcast_to(n[is_new][:, None], k_a.shape) for n in (n_a, n_b))
        bad = k_a + k_b
        terms = np.minimum(np.minimum(n_a, n_b), np.minimum(bad, n_a + n_b - bad)).max(axis=1) + 1
        value: Floats = np.empty((*k_a.shape, len(self._lam)))
        for of, bound in ((terms <= _TERMS_MAX, Bound.EXACT), (terms > _TERMS_MAX, Bound.MINIMUM)):
            if of.any():
                value[of] = bounds.log_e(n_a[of], k_a[of], n_b[of], k_b[of], lam=self._lam, bound=bound)
        all_rows: Floats = value[is_new.cumsum() - 1]
        return all_rows
