"""Absolute limits of shares (`max: 5%`): is the candidate alone beyond it, whatever the baseline does?

Unit: keys first observed since a component's start, bad or not in that slot; each is one draw, so under "at most max of
the users meet a failure" the likelihood ratio against a higher share has mean at most 1 at every share up to max, and
whatever way it drifts below. Four alternatives between max and certainty, equal stakes, components as everywhere.
A component in which the baseline is beyond the limit too has seen an incident of both: it counts as nothing found
(e at most 1), and the comparison with the baseline decides alone.
"""

import math

import numpy as np

from controlplane.evidence.kernel import Bools, Floats, Ints
from controlplane.evidence.mixture import Opened, Starts, Wealth

_POINTS = (0.05, 0.2, 0.5, 0.9)


class AbsoluteEvidence:
    """Mutable; all guardrails with a `max`, one limit each."""

    def __init__(self, starts: Starts, *, limits: Floats) -> None:
        self._limits = limits[:, None]
        rates = self._limits + (1.0 - self._limits) * np.array(_POINTS)
        self._log_bad: Floats = np.log(rates / self._limits)
        self._log_ok: Floats = np.log((1.0 - rates) / (1.0 - self._limits))
        self._wealth = Wealth(starts, bets=len(_POINTS), metrics=len(limits))
        self._baseline: Ints = np.zeros((len(limits), len(starts.slots), 2), dtype=np.int64)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._wealth.opened(opened)
        if opened.stopped is not None:
            self._baseline = np.delete(self._baseline, opened.stopped, axis=1)
        self._baseline = np.concatenate([self._baseline, np.zeros_like(self._baseline[:, :1])], axis=1)

    def add(self, *, baseline_n: Ints, baseline_bad: Ints, candidate_n: Ints, candidate_bad: Ints) -> None:
        """Counts of one stratum, shape (guardrails, components)."""
        self._baseline += np.stack([baseline_n, baseline_bad], axis=2)
        bad, ok = candidate_bad[..., None], (candidate_n - candidate_bad)[..., None]
        self._wealth.add(bad * self._log_bad[:, None] + ok * self._log_ok[:, None])

    def is_shared(self) -> Bools:
        """What the candidate shows would count, were the baseline not beyond the limit too."""
        shared: Bools = self._wealth.total() > np.maximum(self.log_e(), 0.0) + math.log(2.0)
        return shared

    def log_e(self) -> Floats:
        """ln of the e-values."""
        n, bad = self._baseline[..., 0], self._baseline[..., 1]
        return self._wealth.total(capped=bad > self._limits * n)
