"""Advance evidence of one guardrail in one step: is the candidate's excess below what the next weight can afford?

Two tests of H0 {pB >= pA + d}, d = the harm budget over the next weight, and both must pass (statistics: intersection-
union, no split of alpha):
- keys: n = keys first met in the step, at least the follow-up ago; k = those bad within the follow-up after meeting;
  a stratum is the slot of first meeting. Exact: a key is one observation, however often it returns.
- requests: observed and bad per slot. Keeps a permanently broken few in view, who would fade from first meetings
  (21 of 40 wrong promotions without it). Not exact where one user sends much: that is what the first test is for.
The margin changes with each step; `history.py` keeps the counts to ask anew. A key counts once since the first step and
once in each step; one that waits for its follow-up when a step ends is not counted, in neither arm.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from controlplane.evidence import margin
from controlplane.evidence.alternatives import (
    GOOD_ENOUGH_LOG_STAKES,
    Counts,
    Estimates,
    Tally,
    estimates_of,
    good_enough_rates,
)
from controlplane.evidence.harm import NOTHING_TO_SHOW_LOG_E
from controlplane.evidence.history import History
from controlplane.evidence.kernel import Floats
from controlplane.evidence.strata import is_comparison

# With half on each a healthy candidate was promoted in 327 s, with this in 266 s (median; weights 5/10/25/50/100 %).
WHOLE_STAKE = 0.95
LOG_STAKES: Floats = np.array(GOOD_ENOUGH_LOG_STAKES)


class MarginEvidence:
    """ln of the e-value of H0 {pB >= pA + d} over strata, alternatives following a tally of earlier strata.

    Most of the stake lies on the strata since the first step, the rest on those of the step in force: the first makes a
    good candidate's last steps short, the second does not carry a past along that is no longer true. While the step
    itself does not point the same way, it is all that counts: a weight is never passed through unseen.
    """

    def __init__(self) -> None:
        self._tally = Tally()
        self._history = History.empty()
        self.begin_step(None)

    @property
    def tally(self) -> Tally:
        """What earlier strata have shown."""
        return self._tally

    def begin_step(self, limit: float | None) -> None:
        """Ask about the excess `limit` from now on; None: nothing is to be shown."""
        self._limit = limit
        self._step: Floats = LOG_STAKES.copy()
        self._whole: Floats = LOG_STAKES if limit is None else LOG_STAKES + self._history.log_e(limit)

    def add(self, counts: Counts, weight_bp: int, *, new: Counts | None = None) -> None:
        """Take one stratum in, then let the tally learn from it. `new`: what counts since the first step, if other."""
        new = counts if new is None else new
        if is_comparison(weight_bp):
            estimates = estimates_of(self._tally)
            self._history.add(new, estimates)
            if self._limit is not None:
                step = self._log_e(counts, estimates, self._limit)
                self._step = self._step + step
                self._whole = self._whole + (step if new == counts else self._log_e(new, estimates, self._limit))
        self._tally.add(counts)

    def log_e(self) -> float:
        """ln of the mixture over the alternatives; a high finite value when there is nothing to show."""
        if self._limit is None:
            return NOTHING_TO_SHOW_LOG_E
        step = float(np.logaddexp.reduce(self._step))
        whole = float(np.logaddexp.reduce(self._whole))
        both = float(np.logaddexp(whole + math.log(WHOLE_STAKE), step + math.log1p(-WHOLE_STAKE)))
        return both if step > 0.0 else min(both, step)

    @staticmethod
    def _log_e(counts: Counts, estimates: Estimates, d: float) -> Floats:
        columns = (counts.baseline_n, counts.baseline_bad, counts.candidate_n, counts.candidate_bad)
        return np.array([margin.log_e(*columns, a=a, b=b, d=d) for a, b in good_enough_rates(estimates, d)])


@dataclass(slots=True)
class Cohort:
    """Keys first met in one stratum."""

    slot: int
    weight_bp: int
    counts: Counts = field(default_factory=Counts)
    new: Counts = field(default_factory=Counts)  # of these, keys never met before in the rollout


class Meetings:
    """Cohorts whose follow-up has not passed; at most (follow-up + 1) times the strata of a slot.

    Cohorts are numbered without end: the number a key carries from an earlier step is never taken for a new one.
    """

    def __init__(self, follow_up_slots: int) -> None:
        self._follow_up_slots = follow_up_slots
        self._open: deque[Cohort] = deque()
        self.first_number = 0

    def begin(self, cohort: Cohort) -> int:
        """Open a cohort; returns its number."""
        self._open.append(cohort)
        return self.first_number + len(self._open) - 1

    def __getitem__(self, number: int) -> Cohort:
        """An open cohort: `number >= first_number`."""
        return self._open[number - self.first_number]

    def forget(self) -> None:
        """A new step began: who was met before it is of no matter."""
        self.first_number += len(self._open)
        self._open.clear()

    def mature(self, closed_slot: int) -> Iterator[Cohort]:
        """Hand over the cohorts whose follow-up lies within `closed_slot`, oldest first."""
        while self._open and self._open[0].slot + self._follow_up_slots <= closed_slot:
            self.first_number += 1
            yield self._open.popleft()
