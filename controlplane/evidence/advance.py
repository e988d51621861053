"""Advance evidence of one guardrail in one step: is the candidate's excess below what the next weight can afford?

Two tests of H0 {pB >= pA + d}, d = the harm budget over the next weight, and both must pass (statistics: intersection-
union, no split of alpha):
- keys: n = keys first met in the step, at least the follow-up ago; k = those bad within the follow-up after meeting;
  a stratum is the slot of first meeting. Exact: a key is one observation, however often it returns.
- requests: observed and bad per slot. Keeps a permanently broken few in view, who would fade from first meetings
  (21 of 40 wrong promotions without it). Not exact where one user sends much: that is what the first test is for.
Evidence starts anew with each step, since the margin does.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from controlplane.evidence import margin
from controlplane.evidence.alternatives import GOOD_ENOUGH_LOG_STAKES, Counts, Tally, good_enough_rates
from controlplane.evidence.harm import NOTHING_TO_SHOW_LOG_E
from controlplane.evidence.strata import is_comparison


class MarginEvidence:
    """ln of the e-value of H0 {pB >= pA + d} over strata, alternatives following a tally of earlier strata."""

    def __init__(self, limit: float | None, tally: Tally) -> None:
        self._limit = limit
        self._tally = tally
        self._log_e: tuple[float, ...] = GOOD_ENOUGH_LOG_STAKES  # per alternative, stake included

    def add(self, counts: Counts, weight_bp: int) -> None:
        """Take one stratum in, then let the tally learn from it."""
        if self._limit is not None and is_comparison(weight_bp):
            columns = (counts.baseline_n, counts.baseline_bad, counts.candidate_n, counts.candidate_bad)
            self._log_e = tuple(
                log_e + margin.log_e(*columns, a=a, b=b, d=self._limit)
                for log_e, (a, b) in zip(self._log_e, good_enough_rates(self._tally, self._limit), strict=True)
            )
        self._tally.add(counts)

    def log_e(self) -> float:
        """ln of the mixture over the alternatives; a high finite value when there is nothing to show."""
        if self._limit is None:
            return NOTHING_TO_SHOW_LOG_E
        return float(np.logaddexp.reduce(self._log_e))


@dataclass(slots=True)
class Cohort:
    """Keys first met in one stratum."""

    slot: int
    weight_bp: int
    counts: Counts = field(default_factory=Counts)


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
