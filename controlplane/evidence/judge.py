"""The judge: closed slots in, a verdict with its numbers out. No I/O, no clock.

- worse: the omega-weighted average of the guardrails' e-values reached 1/rollback_alpha once; then it stays so.
- good_enough: in this step every guardrail's e-value of "the excess is beyond what the next weight can afford" stands
  at 1/advance_alpha or above, for keys and for requests.
- not_enough_evidence: everything else, and always while a key could not be taken in.
Both hold at any time and however often anyone asks: see docs/judge.md, which also says what is measured, not proven.
It does not act, and does not know why a rollout stands where it stands.
"""

import math
from collections.abc import Sequence

import numpy as np

from controlplane.evidence.errors import CountsError, SlotOrderError
from controlplane.evidence.kernel import Floats, log_sum
from controlplane.evidence.keys import NEVER, KeyTable
from controlplane.evidence.measured import MetricsEvidence, evidence_of, limit_of, words_of
from controlplane.evidence.mixture import Opened, Starts
from controlplane.evidence.plan import BinnedPlan, GuardrailPlan, JudgePlan, check_plan
from controlplane.evidence.several import blamed
from controlplane.evidence.srm import observed_share
from controlplane.evidence.strata import CheckedSlot, Stratum, check_slot, check_weight, is_whole
from controlplane.evidence.verdict import Assessment, MetricAssessment, Verdict

__all__ = ["BinnedPlan", "GuardrailPlan", "Judge", "JudgePlan"]

# A million users; or, where each request is its own key, an hour at 280 requests/s. About 190 bytes each.
KEYS_MAX = 1_000_000


class Judge:
    """Mutable, single-threaded; one per rollout attempt. Each call either takes effect whole or raises and changes
    nothing."""

    def __init__(self, plan: JudgePlan, *, keys_max: int = KEYS_MAX) -> None:
        """Raises PlanError."""
        check_plan(plan)
        self._plan = plan
        self._starts = Starts()
        self._table = KeyTable(metric_count=len(plan.guardrails), keys_max=keys_max)
        self._kinds = evidence_of(plan.guardrails, self._starts, follow_up_slots=plan.follow_up_slots)
        self._log_omegas: Floats = np.log([guardrail.omega for guardrail in plan.guardrails])
        self._last_slot = NEVER
        self._step_slot: int | None = None
        self._weight_bp = 0
        self._next_weight_bp: int | None = None
        self._step_keys = [0, 0]  # distinct keys under the step's weight, per arm
        self._words = ["no limit: no step has begun"] * len(plan.guardrails)
        self._contested_count = 0
        self._worse_log_e: Floats = np.zeros(len(plan.guardrails))  # as of the last slot
        self._decided: tuple[int, float, str] | None = None  # slot, ln e, metric that weighed most

    def begin_step(self, *, slot: int, weight_bp: int, next_weight_bp: int | None) -> None:
        """`weight_bp` is in force from `slot` on; `next_weight_bp` None: it is the last step.

        Raises SlotOrderError for a slot already folded or before the step in force, WeightError.
        """
        _check_slot_number(slot)
        check_weight(weight_bp)
        if next_weight_bp is not None:
            check_weight(next_weight_bp)
        latest = max(self._last_slot + 1, self._step_slot or 0)
        if slot < latest:
            raise SlotOrderError("the begin of a step in slot", slot, after=latest - 1)
        self._step_slot, self._weight_bp, self._next_weight_bp = slot, weight_bp, next_weight_bp
        self._step_keys = [0, 0]
        self._words = [words_of(planned, next_weight_bp) for planned in self._plan.guardrails]
        self._open(self._starts.begin_step(slot))
        limits = [limit_of(planned, next_weight_bp) for planned in self._plan.guardrails]
        for kind, places in self._kinds:
            kind.begin_step(slot, limits=[limits[place] for place in places])

    def fold(self, slot: int, strata: Sequence[Stratum]) -> None:
        """Take in all strata of one closed slot. Slots come once, oldest first; gaps are allowed.

        Raises CountsError, WeightError or SlotOrderError, and then nothing has changed.
        """
        _check_slot_number(slot)
        if slot <= self._last_slot:
            raise SlotOrderError("slot", slot, after=self._last_slot)
        checked = check_slot(slot, strata)
        self._last_slot = slot
        if self._starts.is_due(slot):
            self._open(self._starts.restart(slot))
        self._contested_count += len(checked.contested)
        for kind, _ in self._kinds:
            kind.mature(slot - 1)
        self._fold_strata(checked)
        for kind, _ in self._kinds:
            kind.mature(slot)
        self._decide(slot)

    def assess(self) -> Assessment:
        """What the evidence says now. Changes nothing."""
        worse_log_e = float(log_sum(self._weighed()))
        rows = self._rows()
        verdict = Verdict.NOT_ENOUGH_EVIDENCE
        if self._decided is not None:
            verdict = Verdict.WORSE
            worse_log_e = max(worse_log_e, self._decided[1])
        elif all(row.verdict is Verdict.GOOD_ENOUGH for row in rows):
            verdict = Verdict.GOOD_ENOUGH
        baseline_keys, candidate_keys = self._step_keys
        share = observed_share(candidate_keys, baseline_keys + candidate_keys, self._weight_bp)
        named = blamed(self._worse_log_e.tolist(), alpha=self._plan.rollback_alpha)
        return Assessment(verdict, rows, share, worse_log_e, tuple(rows[index].metric for index in named))

    def _fold_strata(self, checked: CheckedSlot) -> None:
        self._table.admit(frozenset().union(*(keys for arms in checked.keys for keys in arms)) - checked.contested)
        for stratum, keys_per_arm in zip(checked.strata, checked.keys, strict=True):
            if stratum.weight_bp == self._weight_bp:
                self._count_share(stratum.slot, keys_per_arm, checked.contested)
            for kind, _ in self._kinds:
                kind.fold(stratum, self._table, checked.contested)

    def _count_share(self, slot: int, arms: Sequence[frozenset[int]], contested: frozenset[int]) -> None:
        if self._step_slot is None or slot < self._step_slot:
            return
        for arm, keys in enumerate(arms):
            rows = self._table.rows(keys - contested)
            self._step_keys[arm] += int(np.count_nonzero(self._table.met[rows] < self._step_slot))
            self._table.met[rows] = slot

    def _open(self, opened: Opened | None) -> None:
        if opened is not None:
            for kind, _ in self._kinds:
                kind.opened(opened)

    def _weighed(self) -> Floats:
        """ln of each omega*E; their sum is an e-value under any dependence between metrics (Vovk & Wang 2021)."""
        weighed: Floats = self._log_omegas + self._worse_log_e
        return weighed

    def _decide(self, slot: int) -> None:
        for kind, places in self._kinds:
            self._worse_log_e[list(places)] = kind.worse_log_e()
        weighed = self._weighed()
        worse_log_e = float(log_sum(weighed))
        if self._decided is None and worse_log_e >= -math.log(self._plan.rollback_alpha):
            heaviest = self._plan.guardrails[int(weighed.argmax())].metric
            self._decided = (slot, worse_log_e, heaviest)

    def _rows(self) -> tuple[MetricAssessment, ...]:
        rows = {}
        for kind, places in self._kinds:
            for metric, (place, good_log_e) in enumerate(zip(places, kind.good_log_e().tolist(), strict=True)):
                rows[place] = self._row(kind, metric, place, good_log_e)
        return tuple(rows[place] for place in range(len(rows)))

    def _row(self, kind: MetricsEvidence, metric: int, place: int, good_log_e: float) -> MetricAssessment:
        planned, worse_log_e = self._plan.guardrails[place], float(self._worse_log_e[place])
        worse_needed = -math.log(planned.omega * self._plan.rollback_alpha)
        good_needed = -math.log(self._plan.advance_alpha)
        is_blamed = self._decided is not None and self._decided[2] == planned.metric
        has_step = self._step_slot is not None
        verdict = Verdict.NOT_ENOUGH_EVIDENCE
        if worse_log_e >= worse_needed or is_blamed:
            verdict = Verdict.WORSE
        elif has_step and good_log_e >= good_needed and not self._table.is_full:
            verdict = Verdict.GOOD_ENOUGH
        met, requested = kind.met(metric), kind.requested(metric)
        return MetricAssessment(
            metric=planned.metric,
            verdict=verdict,
            worse_log_e=worse_log_e,
            worse_needed=worse_needed,
            good_log_e=good_log_e if has_step else 0.0,
            good_needed=good_needed,
            baseline_n=met.baseline_n,
            baseline_bad=met.baseline_bad,
            candidate_n=met.candidate_n,
            candidate_bad=met.candidate_bad,
            baseline_requests=requested.baseline_n,
            baseline_request_bad=requested.baseline_bad,
            candidate_requests=requested.candidate_n,
            candidate_request_bad=requested.candidate_bad,
            limit=self._words[place],
            findings=(*self._findings(planned.metric), *kind.findings(metric)),
        )

    def _findings(self, metric: str) -> tuple[str, ...]:
        found = []
        if self._table.is_full:
            found.append(
                f"key table full: {len(self._table)} keys; new keys are not judged, nothing can be good enough"
            )
        if self._contested_count:
            found.append(f"{self._contested_count} times a key was seen in both arms under one weight: routing fault")
        if self._decided is not None and self._decided[2] == metric:
            found.append(f"worse since slot {self._decided[0]}")
        return tuple(found)


def _check_slot_number(slot: int) -> None:
    if not is_whole(slot) or slot < 0:
        raise CountsError(f"slot {slot!r} is no second since 1970")
