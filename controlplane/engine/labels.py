"""What feedback says about one rollout: labels into judges of their own, their answers into facts and sentences.

One judge for each kind of label (a score, a class, an event) and each wait, each with its share of `rollback_alpha`;
joined with what is seen at once as "worse if one is, good enough if all are" (`evidence.labelled`). Until labels of the
step in force have waited long enough nothing is good enough: the rollout holds and says so. Mutable, no clock: fed the
same feedback in the same order it says the same, so a restarted control plane rebuilds it from the store.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controlplane.engine.plan import Kind, LabelGroup, label_plans
from controlplane.evidence.classes import ClassInbox, class_sentence
from controlplane.evidence.events import EventInbox
from controlplane.evidence.labelled import LabelAssessment, LabelledJudge, LabelState, joined
from controlplane.evidence.labels import Asked, Label, LabelInbox, LabelPlan
from controlplane.evidence.plan import JudgePlan
from controlplane.evidence.strata import Stratum
from controlplane.evidence.verdict import MetricAssessment, Verdict
from controlplane.manifest.schema import RolloutSpec
from controlplane.manifest.units import in_time
from controlplane.rollout.effects import BeginStep
from serinus.contract.feedback import Said
from serinus.contract.weight import format_bp

# An hour of 70 labels a second that wait; about 350 bytes each. Past it labels are refused, and that holds.
WAITING_MAX = 250_000
_SHOWN_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class _Group:
    of: LabelGroup
    judge: LabelledJudge
    events: EventInbox | None
    classes: ClassInbox | None

    @property
    def words(self) -> str:
        words = {Kind.SCORE: "scores", Kind.CLASSES: "labels", Kind.EVENT: "events"}[self.of.kind]
        return f"{self.of.of} {words}".strip()


def _group(of: LabelGroup, plan: JudgePlan, waiting_max: int) -> _Group:
    labels = LabelPlan(wait_s=of.wait_s)
    events = EventInbox(plan.guardrails[0].metric, of.wait_s) if of.kind is Kind.EVENT else None
    classes = ClassInbox(labels, labels_max=waiting_max) if of.kind is Kind.CLASSES else None
    scores = LabelInbox(labels, labels_max=waiting_max, score=plan.guardrails[0].metric)
    judge = LabelledJudge(plan, labels, inbox=events or classes or scores)
    return _Group(of, judge, events, classes)


class RolloutLabels:
    """Of one attempt of a rollout, which began in `since_slot`."""

    def __init__(self, spec: RolloutSpec, *, since_slot: int, waiting_max: int = WAITING_MAX) -> None:
        self._since_slot = self._step_slot = since_slot
        self._steps_begun = 0
        self._groups = [_group(of, plan, waiting_max) for of, plan in label_plans(spec).items()]
        for group in self._groups:
            # What comes before the first step can still show that the candidate is worse.
            group.judge.begin_step(slot=since_slot, weight_bp=spec.weights_bp[0], next_weight_bp=None)

    def begin(self, step: BeginStep) -> None:
        """As `EvidenceTracker.begin`."""
        self._steps_begun += 1
        self._step_slot = max(step.slot, self._step_slot + 1)
        for group in self._groups:
            group.judge.begin_step(slot=self._step_slot, weight_bp=step.weight_bp, next_weight_bp=step.next_weight_bp)

    def requests(self, slot: int, strata: Sequence[Stratum]) -> None:
        """The requests of a closed slot, for what nobody says did not happen."""
        for group in self._groups:
            if group.events is not None:
                group.events.requests(slot, strata)

    def take(self, asked: Asked, said: Said, now_slot: int) -> bool:
        """File what was said of a request; False if no guardrail asks for it, or not any more."""
        if asked.slot < self._since_slot:
            return False
        # Clocks may stand apart by seconds: what seems to come before its request came at once.
        received = max(now_slot, asked.slot)
        labels = [(group.judge, label) for group in self._groups for label in _labels(group, asked, said, received)]
        return sum(judge.take(label) for judge, label in labels) > 0

    def advance(self, now_slot: int) -> None:
        """Judge what has waited long enough."""
        for group in self._groups:
            group.judge.advance(now_slot)

    def verdict(self, seen: Verdict) -> Verdict:
        """Joined with that of what is seen at once."""
        for one in self._assessments():
            is_asked = self._steps_begun or one.verdict is Verdict.WORSE
            seen = joined(seen, one.verdict if is_asked else Verdict.NOT_ENOUGH_EVIDENCE)
        return seen

    def worse_row(self) -> MetricAssessment | None:
        """The metric that carries the evidence that the candidate is worse, if labels show that."""
        rows = [row for one in self._assessments() if one.verdict is Verdict.WORSE for row in one.assessment.rows]
        return max(rows, key=lambda row: row.worse_log_e, default=None)

    def rows(self) -> tuple[MetricAssessment, ...]:
        return tuple(row for one in self._assessments() for row in one.assessment.rows)

    def sentences(self, *, holding: bool = False, is_over: bool = False) -> tuple[str, ...]:
        """How many labels there are, what they wait for, and what those of classes say. `holding`: of those alone that
        keep a step from ending. `is_over`: nothing waits for them any more."""
        said = zip(self._groups, self._assessments(), strict=True)
        if holding:
            return tuple(_sentence(group, one) for group, one in said if one.verdict is not Verdict.GOOD_ENOUGH)
        shown = (words for group in self._groups for words in _shown(group))
        return (*(_counts(group, one) if is_over else _sentence(group, one) for group, one in said), *shown)

    def is_overdue(self, now_slot: int) -> bool:
        """Labels of the step in force should have come, and none has."""
        return any(
            one.state is LabelState.WAITING and now_slot > self._step_slot + group.of.wait_s + 1
            for group, one in zip(self._groups, self._assessments(), strict=True)
        )

    def _assessments(self) -> list[LabelAssessment]:
        return [group.judge.assess() for group in self._groups]


def _labels(group: _Group, asked: Asked, said: Said, received: int) -> Iterator[Label]:
    """What of it is the group's: kinds come at different times, and each is complete in itself."""
    if group.of.kind is Kind.SCORE and said.score is not None and said.metric == group.of.of:
        yield Label(asked, received, score=said.score)
    if group.of.kind is Kind.EVENT and said.event == group.of.of:
        yield Label(asked, received, score=1.0)
    if group.of.kind is Kind.CLASSES and said.actual is not None:
        yield Label(
            asked,
            received,
            predicted_positive=said.predicted,
            actually_positive=said.actual,
            margin=said.margin,
        )


def _counts(group: _Group, one: LabelAssessment) -> str:
    counts = one.labels
    told = f"{counts.taken} {group.words} taken, {counts.waiting} of them wait"
    more = [
        f"{count} {what}"
        for count, what in (
            (counts.late, "came too late"),
            (counts.not_randomised, "of requests that no weight dealt"),
            (counts.refused_full, "refused for want of room"),
        )
        if count
    ]
    return ", ".join([told, *more])


def _sentence(group: _Group, one: LabelAssessment) -> str:
    share = one.assessment.share
    state = ""
    match one.state:
        case LabelState.WAITING:
            state = f": none of this step has been judged yet, each waits {in_time(group.of.wait_s)} (label lag)"
        case LabelState.UNEVEN:
            state = (
                f": who gets a label depends on the version, {share.candidate_keys} of {share.keys} labelled users are "
                f"on the candidate at {format_bp(share.weight_bp)} (p = {share.p_value:.1g}); nothing follows from them"
            )
        case LabelState.FULL:
            state = ": some were refused, so nothing can be good enough"
    return _counts(group, one) + state


def _shown(group: _Group) -> Iterator[str]:
    """Of labels that were judged since the rollout began."""
    for arm, name in enumerate(("baseline", "candidate")) if group.classes is not None else ():
        assert group.classes is not None
        if words := class_sentence(group.classes.shown.arms[arm], alpha=_SHOWN_ALPHA):
            yield f"labels of the {name}: {words} (95%, at any time)"
