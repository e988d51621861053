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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.evidence import margin
from controlplane.evidence.alternatives import GOOD_ENOUGH_LOG_STAKES, Tallies, estimates_of, good_enough_pairs
from controlplane.evidence.harm import NOTHING_TO_SHOW_LOG_E
from controlplane.evidence.history import History
from controlplane.evidence.kernel import Floats, log_sum
from controlplane.evidence.strata import is_comparison

# With half on each a healthy candidate was promoted in 327 s, with this in 266 s (median; weights 5/10/25/50/100 %).
WHOLE_STAKE = 0.95
# Stakes sum to 1 but for rounding: from here on a step has shown something.
SHOWN_LOG_E = 1e-9
LOG_STAKES: Floats = np.array(GOOD_ENOUGH_LOG_STAKES)


class MarginEvidence:
    """ln of the e-values of H0 {pB >= pA + d} over strata, alternatives following a tally of earlier strata.

    Several evidences side by side, each with its own d. Most of the stake lies on the strata since the first step, the
    rest on those of the step in force: the first makes a good candidate's last steps short, the second does not carry a
    past along that is no longer true. While the step itself does not point the same way, it is all that counts: a
    weight is never passed through unseen.
    """

    def __init__(self, size: int = 1) -> None:
        self._size = size
        self._tallies = Tallies(size)
        self._history = History(size)
        self.begin_step([None] * size)

    @property
    def tallies(self) -> Floats:
        """What earlier strata have shown, a row each."""
        return self._tallies.rows

    def begin_step(self, limits: Sequence[float | None]) -> None:
        """Ask about the excesses `limits` from now on; None: nothing is to be shown."""
        self._has_limit = np.array([limit is not None for limit in limits])
        self._d: Floats = np.array([math.nan if limit is None else limit for limit in limits])
        self._step: Floats = np.tile(LOG_STAKES, (self._size, 1))
        self._whole: Floats = self._step.copy()
        asked = np.flatnonzero(self._has_limit)
        if len(asked):
            self._whole[asked] += self._history.log_e(asked, self._d[asked])

    def add(self, counts: Floats, weight_bp: int, *, new: Floats | None = None, first: int = 0) -> None:
        """Take one stratum in, then let the tallies learn from it.

        `counts`: rows of (baseline n, bad, candidate n, bad), for the evidences from `first` on. `new`: what counts
        since the first step, if other."""
        if is_comparison(weight_bp):
            end = first + len(counts)
            estimates = estimates_of(self._tallies.rows[first:end])
            self._history.add(counts if new is None else new, estimates, first)
            asked = np.flatnonzero(self._has_limit[first:end])
            if len(asked):
                d = self._d[first:end][asked]
                a, b = (pairs[asked] for pairs in good_enough_pairs(estimates, self._d[first:end]))
                both = np.stack([counts[asked], (counts if new is None else new)[asked]])
                n_a, bad_a, n_b, bad_b = np.moveaxis(both, 2, 0)[..., None]
                step, whole = margin.log_e_all(n_a, bad_a, n_b, bad_b, a=a, b=b, d=d[:, None])
                self._step[first + asked] += step
                self._whole[first + asked] += whole
        self._tallies.add(counts, first)

    def log_e(self) -> Floats:
        """ln of the mixture over the alternatives, of each; a high finite value where there is nothing to show."""
        step, whole = log_sum(self._step), log_sum(self._whole)
        both = np.logaddexp(whole + math.log(WHOLE_STAKE), step + math.log1p(-WHOLE_STAKE))
        told = np.where(step > SHOWN_LOG_E, both, np.minimum(both, step))
        value: Floats = np.where(self._has_limit, told, NOTHING_TO_SHOW_LOG_E)
        return value


@dataclass(slots=True)
class Cohort:
    """Keys first met in one stratum: rows of (baseline n, bad, candidate n, bad), one for each metric."""

    slot: int
    weight_bp: int
    counts: Floats
    new: Floats  # of these, keys never met before in the rollout


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
