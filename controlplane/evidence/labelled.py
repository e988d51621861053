"""The judge of labels: the same judge, fed with windows of labelled requests once their wait is over.

It lives in the time of the requests: a step begins for it when the first window of that step has waited long enough,
and until then nothing is good enough in that step. It has an alpha of its own (`several.alpha_of`): its verdict and the
verdict on what is seen at once are joined as "worse if one is, good enough if both are".
The named states, in which nothing new is decided:
- waiting: no label of the step in force has been judged yet (the finding `label lag`);
- uneven: the arms of labelled keys are not what the weight makes them: who gets a label depends on the version, so
  labels say nothing fair about it;
- full: labels were refused for want of room.
Precision needs a tolerance: a version that says yes more often has more wrong yeses at the same precision, and only the
margin's test, given how often each said yes, tells that apart. No I/O, no clock.
"""

import enum
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from controlplane.evidence.errors import PlanError, SlotOrderError
from controlplane.evidence.judge import Judge
from controlplane.evidence.labels import LABELS_MAX, PRECISION, InboxCounts, Label, LabelInbox, LabelPlan
from controlplane.evidence.plan import GuardrailPlan, JudgePlan
from controlplane.evidence.strata import Stratum, check_weight
from controlplane.evidence.verdict import Assessment, Verdict


class LabelState(enum.StrEnum):
    JUDGED = "judged"
    WAITING = "waiting"
    UNEVEN = "uneven"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class LabelAssessment:
    """`verdict` is what counts; `assessment` holds the numbers it rests on."""

    verdict: Verdict
    state: LabelState
    assessment: Assessment
    labels: InboxCounts


class Inbox(Protocol):
    """Where what comes late waits."""

    @property
    def counts(self) -> InboxCounts: ...

    def take(self, label: Label) -> bool: ...

    def strata(self, now_slot: int) -> Sequence[tuple[int, Sequence[Stratum]]]:
        """What has waited long enough, once and oldest first."""


@dataclass(frozen=True, slots=True)
class _Step:
    slot: int
    weight_bp: int
    next_weight_bp: int | None


class LabelledJudge:
    """Mutable, single-threaded; beside the judge of what is seen at once."""

    def __init__(
        self, plan: JudgePlan, labels: LabelPlan, *, labels_max: int = LABELS_MAX, inbox: "Inbox | None" = None
    ) -> None:
        """`inbox`: in place of one for labels. Raises PlanError."""
        for guardrail in plan.guardrails:
            if (
                isinstance(guardrail, GuardrailPlan)
                and guardrail.metric == PRECISION
                and guardrail.tolerance_bp is None
            ):
                raise PlanError(
                    "guardrail precision: without a tolerance more answers of yes would look like worse ones",
                    next_step="give precision a margin",
                )
        self._judge = Judge(plan)
        self._inbox = inbox if inbox is not None else LabelInbox(labels, labels_max=labels_max)
        self._steps: deque[_Step] = deque()
        self._last_step_slot = -1
        self._has_windows = False
        self._is_worse = False

    def begin_step(self, *, slot: int, weight_bp: int, next_weight_bp: int | None) -> None:
        """As `Judge.begin_step`; taken in when labels of the step come. Raises SlotOrderError, WeightError."""
        check_weight(weight_bp)
        if next_weight_bp is not None:
            check_weight(next_weight_bp)
        if slot <= self._last_step_slot:
            raise SlotOrderError("the begin of a step in slot", slot, after=self._last_step_slot)
        self._last_step_slot = slot
        self._steps.append(_Step(slot, weight_bp, next_weight_bp))

    def take(self, label: Label) -> bool:
        """File a label; False if it is left out. Raises CountsError, WeightError."""
        return self._inbox.take(label)

    def advance(self, now_slot: int) -> None:
        """Judge what has waited long enough."""
        for slot, strata in self._inbox.strata(now_slot):
            while self._steps and self._steps[0].slot <= slot:
                step = self._steps.popleft()
                self._judge.begin_step(slot=step.slot, weight_bp=step.weight_bp, next_weight_bp=step.next_weight_bp)
                self._has_windows = False
            self._judge.fold(slot, strata)
            self._has_windows = True
            said = self._judge.assess()
            self._is_worse = self._is_worse or (said.verdict is Verdict.WORSE and said.share.is_plausible)

    def assess(self) -> LabelAssessment:
        """What the labels say now. Changes nothing."""
        said, counts, state = self._judge.assess(), self._inbox.counts, LabelState.JUDGED
        if self._steps or not self._has_windows:
            state = LabelState.WAITING
        if counts.refused_full:
            state = LabelState.FULL
        if not said.share.is_plausible:
            state = LabelState.UNEVEN
        verdict = Verdict.NOT_ENOUGH_EVIDENCE
        if self._is_worse:
            verdict = Verdict.WORSE
        elif state is LabelState.JUDGED and said.verdict is Verdict.GOOD_ENOUGH:
            verdict = Verdict.GOOD_ENOUGH
        return LabelAssessment(verdict, state, said, counts)


def joined(seen: Verdict, labelled: Verdict) -> Verdict:
    """Of what is seen at once and of labels: worse if one is, good enough if both are."""
    both = {seen, labelled}
    if Verdict.WORSE in both:
        return Verdict.WORSE
    return Verdict.GOOD_ENOUGH if both == {Verdict.GOOD_ENOUGH} else Verdict.NOT_ENOUGH_EVIDENCE
