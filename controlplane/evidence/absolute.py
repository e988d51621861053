"""Absolute limit of a share (`max: 5%`): is the candidate alone beyond it, whatever the baseline does?

Unit: keys first observed since a component's start, bad or not in that slot; each is one draw, so under "at most max of
the users meet a failure" the likelihood ratio against a higher share has mean at most 1 at every share up to max, and
whatever way it drifts below. Four alternatives between max and certainty, equal stakes, components as everywhere.
A component in which the baseline is beyond the limit too has seen an incident of both: it counts as nothing found
(e at most 1), and the comparison with the baseline decides alone.
"""

import math

import numpy as np

from controlplane.evidence.kernel import Floats, Ints
from controlplane.evidence.mixture import Opened, Starts, Wealth

_POINTS = (0.05, 0.2, 0.5, 0.9)


class AbsoluteEvidence:
    """Mutable; one per guardrail with a `max`."""

    def __init__(self, starts: Starts, *, limit: float) -> None:
        self._limit = limit
        rates = limit + (1.0 - limit) * np.array(_POINTS)
        self._log_bad: Floats = np.log(rates / limit)
        self._log_ok: Floats = np.log((1.0 - rates) / (1.0 - limit))
        self._wealth = Wealth(starts, bets=len(_POINTS))
        self._baseline: Ints = np.zeros((len(starts.slots), 2), dtype=np.int64)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._wealth.opened(opened)
        if opened.stopped is not None:
            self._baseline = np.delete(self._baseline, opened.stopped, axis=0)
        self._baseline = np.vstack([self._baseline, [[0, 0]]])

    def add(self, *, baseline_n: Ints, baseline_bad: Ints, candidate_n: Ints, candidate_bad: Ints) -> None:
        """Counts per component of one stratum."""
        self._baseline = self._baseline + np.stack([baseline_n, baseline_bad], axis=1)
        ok = candidate_n - candidate_bad
        self._wealth.add(np.multiply.outer(candidate_bad, self._log_bad) + np.multiply.outer(ok, self._log_ok))

    def is_shared(self) -> bool:
        """What the candidate shows would count, were the baseline not beyond the limit too."""
        return self._wealth.total() > max(self.log_e(), 0.0) + math.log(2.0)

    def log_e(self) -> float:
        """ln of the e-value."""
        n, bad = self._baseline.T
        return self._wealth.total(capped=bad > self._limit * n)
