"""Everything the judge holds about one guardrail: rollback evidence for the rollout, advance evidence for the step.

One stratum goes through in a fixed order: what the table says about the keys' past is read first, the evidence is
updated from it, and only then the table learns of the slot. A key that is in two strata of one slot (a weight changed
within that second) is therefore first met, and first bad, in the first of them.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.advance import Cohort, MarginEvidence, Meetings
from controlplane.evidence.alternatives import Counts
from controlplane.evidence.kernel import Ints
from controlplane.evidence.keys import NEVER, KeyTable
from controlplane.evidence.mixture import Opened, Starts
from controlplane.evidence.strata import MetricCounts, Stratum, is_comparison
from controlplane.evidence.worse import Previous, WorseEvidence
from serinus.contract.weight import WEIGHT_TOTAL_BP

_NOTHING = MetricCounts(0, 0, frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class _ArmRows:
    """The keys of one arm as rows of the table. `seen` ends with the bad ones."""

    seen: Ints
    bad: Ints
    new: Ints  # first met in this step, never bad in this slot
    new_bad: Ints  # first met in this step, bad at once


class GuardrailEvidence:
    """Mutable; `column` is the guardrail's place in the key table."""

    def __init__(
        self,
        metric: str,
        column: int,
        starts: Starts,
        *,
        tolerance: float | None,
        follow_up: int,
        limit: float | None = None,
    ) -> None:
        self.metric = metric
        self._worse = WorseEvidence(starts, tolerance=tolerance, limit=limit)
        self._column = column
        self.keys, self.requests = MarginEvidence(), MarginEvidence()
        self._meetings = Meetings(follow_up)
        self._first_step_slot: int | None = None
        self._step_slot: int | None = None
        self.begin_step(None, limit=None)

    def begin_step(self, slot: int | None, *, limit: float | None) -> None:
        """Ask about the excess `limit` from now on (None: nothing to show)."""
        if self._first_step_slot is None:
            self._first_step_slot = slot
        self._step_slot = slot
        self._meetings.forget()
        self.keys.begin_step(limit)
        self.requests.begin_step(limit)
        self.met, self.requested = Counts(), Counts()

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._worse.opened(opened)

    def fold(self, stratum: Stratum, table: KeyTable, contested: frozenset[int]) -> None:
        """Take one stratum in. `table` has admitted its keys; `contested` ones are left out."""
        arms = [metrics.get(self.metric, _NOTHING) for metrics in (stratum.baseline, stratum.candidate)]
        rows = [self._rows(counts, table, contested) for counts in arms]
        if is_comparison(stratum.weight_bp):
            weight = stratum.weight_bp / WEIGHT_TOTAL_BP
            baseline, candidate = (self._previous(arm, table) for arm in rows)
            self._worse.fold(stratum.slot, weight, baseline, candidate, self.keys.tally)
        if self._step_slot is not None and stratum.slot >= self._step_slot:
            self._meet(stratum, rows, table)
            self._request(stratum, arms)
        for arm in rows:
            table.seen[self._column, arm.seen] = stratum.slot
            table.bad[self._column, arm.bad] = stratum.slot

    def mature(self, closed_slot: int) -> None:
        """Judge the cohorts whose follow-up lies within `closed_slot`."""
        for cohort in self._meetings.mature(closed_slot):
            self.keys.add(cohort.counts, cohort.weight_bp, new=cohort.new)

    def worse_log_e(self) -> float:
        """ln of the metric's e-value."""
        return self._worse.log_e()

    def findings(self) -> tuple[str, ...]:
        """What a person should know beside the counts."""
        if self._worse.is_shared():
            return (
                "the baseline is beyond the absolute limit too: an incident of both versions, no reason to go back",
            )
        return ()

    def good_log_e(self) -> float:
        """The smaller of the keys' and the requests' evidence."""
        return min(self.keys.log_e(), self.requests.log_e())

    def _rows(self, counts: MetricCounts, table: KeyTable, contested: frozenset[int]) -> _ArmRows:
        ok = table.rows(counts.keys_ok - contested)
        bad = table.rows(counts.keys_bad - contested)
        step_slot = NEVER if self._step_slot is None else self._step_slot
        seen = table.seen[self._column]
        return _ArmRows(np.concatenate([ok, bad]), bad, ok[seen[ok] < step_slot], bad[seen[bad] < step_slot])

    def _previous(self, arm: _ArmRows, table: KeyTable) -> Previous:
        seen, bad = table.seen[self._column], table.bad[self._column]
        return Previous(bad=bad[arm.bad], seen=seen[arm.seen], seen_of_bad=seen[arm.bad])

    def _meet(self, stratum: Stratum, rows: list[_ArmRows], table: KeyTable) -> None:
        """Count keys met for the first time in this step, and those met before that turn bad within the follow-up.

        A key carries where its meeting is counted: 4 * cohort + 2 if it was new to the rollout + its arm."""
        carried = table.cohort[self._column]
        for arm, keys in enumerate(rows):
            late = keys.bad[(carried[keys.bad] >= 4 * self._meetings.first_number) & (carried[keys.bad] % 2 == arm)]
            for place, bad_count in Counter((carried[late] // 2).tolist()).items():
                cohort = self._meetings[place // 2]
                _add(cohort.counts, arm, 0, bad_count)
                _add(cohort.new, arm, 0, bad_count * (place % 2))
            _add(self.met, arm, 0, len(late))
            carried[late] = NEVER
        cohort = Cohort(stratum.slot, stratum.weight_bp)
        number = self._meetings.begin(cohort)
        seen = table.seen[self._column]
        for arm, keys in enumerate(rows):
            for counts in (cohort.counts, self.met):
                _add(counts, arm, len(keys.new) + len(keys.new_bad), len(keys.new_bad))
            is_new, is_new_bad = (seen[of] < self._first_slot() for of in (keys.new, keys.new_bad))
            new_bad_count = int(np.count_nonzero(is_new_bad))
            _add(cohort.new, arm, int(np.count_nonzero(is_new)) + new_bad_count, new_bad_count)
            carried[keys.new] = 4 * number + 2 * is_new + arm
            carried[keys.new_bad] = NEVER

    def _first_slot(self) -> int:
        return NEVER if self._first_step_slot is None else self._first_step_slot

    def _request(self, stratum: Stratum, arms: list[MetricCounts]) -> None:
        counts = Counts()
        for arm, of_arm in enumerate(arms):
            for sums in (counts, self.requested):
                _add(sums, arm, of_arm.observed, of_arm.bad)
        self.requests.add(counts, stratum.weight_bp)


def _add(counts: Counts, arm: int, n: int, bad: int) -> None:
    """`arm` 0 is the baseline, 1 the candidate."""
    if arm == 0:
        counts.baseline_n += n
        counts.baseline_bad += bad
    else:
        counts.candidate_n += n
        counts.candidate_bad += bad
