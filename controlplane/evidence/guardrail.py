"""Everything the judge holds about its shares: rollback evidence for the rollout, advance evidence for the step.

One stratum goes through in a fixed order: what the table says about the keys' past is read first, the evidence is
updated from it, and only then the table learns of the slot. A key that is in two strata of one slot (a weight changed
within that second) is therefore first met, and first bad, in the first of them.
All metrics go through at once: what a slot costs is a few dozen array operations, however many metrics there are.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from controlplane.evidence.advance import Cohort, MarginEvidence, Meetings
from controlplane.evidence.alternatives import Counts
from controlplane.evidence.kernel import Bools, Floats, Ints
from controlplane.evidence.keys import NEVER, KeyTable
from controlplane.evidence.mixture import Opened, Starts
from controlplane.evidence.plan import GuardrailPlan
from controlplane.evidence.strata import MetricCounts, Stratum, is_comparison
from controlplane.evidence.worse import Seen, WorseEvidence
from serinus.contract.weight import WEIGHT_TOTAL_BP

_NOTHING = MetricCounts(0, 0, frozenset(), frozenset())
_SHARED = "the baseline is beyond the absolute limit too: an incident of both versions, no reason to go back"


class ShareEvidence:
    """Mutable; `columns` are the guardrails' places in the key table. The face of `measured.MetricsEvidence`."""

    def __init__(
        self, planned: Sequence[GuardrailPlan], columns: Sequence[int], starts: Starts, *, follow_up: int
    ) -> None:
        self._metrics = [guardrail.metric for guardrail in planned]
        self._columns: Ints = np.array(columns, dtype=np.int64)
        self._worse = WorseEvidence(
            starts,
            tolerances=[_share(guardrail.tolerance_bp) for guardrail in planned],
            limits=[_share(guardrail.max_bp) for guardrail in planned],
        )
        self._advance = MarginEvidence(2 * len(planned))  # the keys' of each metric, then the requests'
        self._meetings = Meetings(follow_up)
        self._first_step_slot = self._step_slot = NEVER
        self.begin_step(None, limits=[None] * len(planned))

    def begin_step(self, slot: int | None, *, limits: Sequence[float | None]) -> None:
        """Ask about the excesses `limits` from now on (None: nothing to show)."""
        if slot is not None:
            self._step_slot = slot
            if self._first_step_slot == NEVER:
                self._first_step_slot = slot
        self._meetings.forget()
        self._advance.begin_step([*limits, *limits])
        self._met: Floats = np.zeros((len(self._metrics), 4))
        self._requested: Floats = self._met.copy()

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._worse.opened(opened)

    def fold(self, stratum: Stratum, table: KeyTable, contested: frozenset[int]) -> None:
        """Take one stratum in. `table` has admitted its keys; `contested` ones are left out."""
        arms = [
            metrics.get(metric, _NOTHING)
            for metric in self._metrics
            for metrics in (stratum.baseline, stratum.candidate)
        ]
        rows, keys = self._keys(arms, table, contested)
        columns = self._columns[keys.metrics]
        if is_comparison(stratum.weight_bp):
            weight = stratum.weight_bp / WEIGHT_TOTAL_BP
            self._worse.fold(stratum.slot, weight, keys, self._advance.tallies[: len(self._metrics)])
        if self._step_slot != NEVER and stratum.slot >= self._step_slot:
            self._meet(stratum, rows, keys, table)
            self._request(stratum, arms)
        table.seen[columns, rows] = stratum.slot
        table.bad[columns[keys.is_bad], rows[keys.is_bad]] = stratum.slot

    def mature(self, closed_slot: int) -> None:
        """Judge the cohorts whose follow-up lies within `closed_slot`."""
        for cohort in self._meetings.mature(closed_slot):
            self._advance.add(cohort.counts, cohort.weight_bp, new=cohort.new)

    def worse_log_e(self) -> Floats:
        """ln of the e-values, per metric."""
        return self._worse.log_e()

    def good_log_e(self) -> Floats:
        """The smaller of the keys' and the requests' evidence, per metric."""
        value: Floats = self._advance.log_e().reshape(2, -1).min(axis=0)
        return value

    def findings(self, metric: int) -> tuple[str, ...]:
        """What a person should know beside the counts."""
        return (_SHARED,) if self._worse.is_shared(metric) else ()

    def met(self, metric: int) -> Counts:
        """Keys of the step, and the bad ones."""
        return Counts(*map(int, self._met[metric].tolist()))

    def requested(self, metric: int) -> Counts:
        """Requests of the step, and the bad ones."""
        return Counts(*map(int, self._requested[metric].tolist()))

    def _keys(self, arms: list[MetricCounts], table: KeyTable, contested: frozenset[int]) -> tuple[Ints, Seen]:
        """The rows of all keys of all metrics, and what the table says of them."""
        sets = [keys for counts in arms for keys in (counts.keys_ok, counts.keys_bad)]
        if contested:
            sets = [keys - contested for keys in sets]
        if table.is_full:
            sets = [frozenset(filter(table.has, keys)) for keys in sets]
        rows = table.rows(list(chain.from_iterable(sets)))
        place = np.repeat(np.arange(len(sets)), list(map(len, sets)))
        metrics, is_bad = place >> 2, (place & 1).astype(bool)
        columns = self._columns[metrics]
        seen, bad = table.seen[columns, rows], table.bad[columns, rows]
        return rows, Seen(metrics, (place >> 1) & 1, is_bad, seen, bad)

    def _meet(self, stratum: Stratum, rows: Ints, keys: Seen, table: KeyTable) -> None:
        """Count keys met for the first time in this step, and those met before that turn bad within the follow-up.

        A key carries where its meeting is counted: 4 * cohort + 2 if it was new to the rollout + its arm."""
        columns = self._columns[keys.metrics]
        carried = table.cohort[columns, rows]
        late = keys.is_bad & (carried >= 4 * self._meetings.first_number) & (carried & 1 == keys.arms)
        self._turn_bad(keys.metrics[late], carried[late])
        is_first = keys.seen < self._step_slot
        is_new = keys.seen < self._first_step_slot
        counts, new = self._count(keys, is_first), self._count(keys, is_first & is_new)
        self._met += counts
        number = self._meetings.begin(Cohort(stratum.slot, stratum.weight_bp, counts, new))
        carries = 4 * number + 2 * is_new[is_first] + keys.arms[is_first]
        table.cohort[columns[late], rows[late]] = NEVER
        table.cohort[columns[is_first], rows[is_first]] = np.where(keys.is_bad[is_first], NEVER, carries)

    def _turn_bad(self, metrics: Ints, carried: Ints) -> None:
        for metric, place in zip(metrics.tolist(), carried.tolist(), strict=True):
            cohort, column = self._meetings[place // 4], 2 * (place % 2) + 1
            cohort.counts[metric, column] += 1
            if place & 2:
                cohort.new[metric, column] += 1
            self._met[metric, column] += 1

    def _count(self, keys: Seen, counted: Bools) -> Floats:
        """Rows of (baseline n, bad, candidate n, bad), of the keys that are `counted`."""
        size = 2 * len(self._metrics)
        place = 2 * keys.metrics + keys.arms
        n, bad = (np.bincount(place[of], minlength=size) for of in (counted, counted & keys.is_bad))
        return np.stack([n, bad], axis=1).reshape(-1, 4).astype(np.float64)

    def _request(self, stratum: Stratum, arms: list[MetricCounts]) -> None:
        flat = [count for counts in arms for count in (counts.observed, counts.bad)]
        requested = np.array(flat, dtype=np.float64).reshape(-1, 4)
        self._requested += requested
        self._advance.add(requested, stratum.weight_bp, first=len(self._metrics))


def _share(limit_bp: int | None) -> float | None:
    return None if limit_bp is None else limit_bp / WEIGHT_TOTAL_BP
