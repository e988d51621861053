"""The evidence of one rollout: merged slots into the judge, the judge's answer into facts, and the path for plots.

Mutable, single-threaded, no clock: everything comes in. Fed the same batches in the same order it gives the same
answers, so a restarted control plane rebuilds it from the store.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controlplane.engine.drift import RolloutDrift
from controlplane.engine.dry_run import DryRun
from controlplane.engine.labels import RolloutLabels
from controlplane.engine.plan import judge_plan
from controlplane.engine.sentences import joined_sentence, metric_sentence
from controlplane.engine.server_logs import LogRates
from controlplane.engine.servers import explains
from controlplane.engine.situation import RecentOutcomes
from controlplane.engine.slices import RolloutSlices, declared_of, metrics_of
from controlplane.engine.slow import SlowShare
from controlplane.evidence.finding import Finding, Named, Situation
from controlplane.evidence.finding import name as name_of
from controlplane.evidence.judge import Judge
from controlplane.evidence.mirrored import with_mirrored
from controlplane.evidence.strata import Stratum
from controlplane.evidence.verdict import Assessment, MetricAssessment, Verdict
from controlplane.ingest.merge import AHEAD_S_MAX, SlotMerge
from controlplane.ingest.rows import Row
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.manifest.slices import COHORT
from controlplane.rollout.effects import BeginStep
from controlplane.rollout.events import EvidenceFact, RoutingFact
from controlplane.rollout.model import Rollout
from serinus.contract.metric import BADNESS_WHOLE, ERRORS
from serinus.contract.weight import format_bp

# One point a closed slot; past this the path is thinned to every second point. 4,096 seconds at full detail.
SAMPLES_MAX = 4_096


@dataclass(frozen=True, slots=True)
class MetricSample:
    metric: str
    worse_log_e: float
    good_log_e: float
    baseline_requests: int
    baseline_bad: int
    candidate_requests: int
    candidate_bad: int


@dataclass(frozen=True, slots=True)
class Sample:
    at_ms: int
    weight_bp: int
    observed_ratio: float
    metrics: tuple[MetricSample, ...]


def tracker_of(rollout: Rollout, service: ServiceSpec) -> "EvidenceTracker":
    """Without any evidence yet."""
    of = {"rollout": rollout.name, "baseline": rollout.baseline}
    within = frozenset(each.by for each in service.slices if each.within)
    tracker = EvidenceTracker(rollout.spec, **of, slices=declared_of(service), within=within)
    # What is told late of an attempt before this one, which had the same name, is no evidence.
    tracker.merge.closed_through = rollout.started_at_ms // 1000 - 1
    tracker.labels = RolloutLabels(rollout.spec, since_slot=rollout.started_at_ms // 1000)
    return tracker


class EvidenceTracker:
    def __init__(
        self,
        spec: RolloutSpec,
        *,
        rollout: str,
        baseline: str,
        slices: Mapping[str, tuple[str, ...]] | None = None,
        within: frozenset[str] = frozenset(),
    ) -> None:
        """`slices`: dimension -> its declared values. `within`: those of which values are compared one by one."""
        self.merge = SlotMerge(rollout=rollout, baseline=baseline, candidate=spec.candidate, within=within)
        self._versions = (baseline, spec.candidate)
        self._recent = RecentOutcomes(rollout=rollout, versions=self._versions)
        shares, sizes = metrics_of(spec.guardrails)
        self.slices = RolloutSlices(slices or {}, rollout=rollout, versions=self._versions, shares=shares, sizes=sizes)
        inputs = {name: values for name, values in (slices or {}).items() if name != COHORT}
        self.drift = RolloutDrift(inputs, rollout=rollout, versions=self._versions)
        self.full = self.dependency = ""  # as in `Situation`
        self.logs = LogRates()
        self._closed: tuple[int, int] | None = None  # the first and the last slot that were closed
        self._judge = Judge(judge_plan(spec))
        self.dry_run = DryRun(spec)
        self.labels = RolloutLabels(spec, since_slot=0)
        self._first_bp = spec.weights_bp[0]
        self._begins: deque[BeginStep] = deque()
        self._begun: BeginStep | None = None
        self._totals: dict[str, list[int]] = {g.metric_id: [0, 0, 0, 0] for g in spec.guardrails}
        self._slow = {g.metric_id: SlowShare() for g in spec.guardrails if g.is_size}
        self._badness = {g.metric_id: [0, 0] for g in spec.guardrails if g.is_score}  # hundredths, of each arm
        self._samples: list[Sample] = []
        self._stride = 1
        self._folded = 0
        self._last_slot = -1
        self.assessment: Assessment | None = None

    def begin(self, step: BeginStep) -> None:
        """A weight is in force from the step's slot on; the judge hears of it when it gets there."""
        self._begins.append(step)
        self.labels.begin(step)

    def add(self, rows: Iterable[Row], *, now_slot: int) -> None:
        rows = tuple(rows)
        for shown in (self.slices, self.drift):
            shown.add(rows, now_slot=now_slot, closed_through=self.merge.closed_through)
        self.merge.add(rows, now_slot=now_slot)
        self._recent.add(rows, before_slot=now_slot + AHEAD_S_MAX)

    def close(self, through_slot: int) -> None:
        """Judge every slot up to `through_slot` that was not judged before."""
        self._closed = (self._closed[0] if self._closed else through_slot, through_slot)
        for slot, merged in self.merge.close(through_slot):
            strata = with_mirrored(merged, self._totals)
            self._begin_due(slot)
            if self._begun is None:
                self._begin_before_steps(slot)
            self._judge.fold(slot, strata)
            self.dry_run.fold(slot, strata)
            self.labels.requests(slot, strata)
            self._last_slot = slot
            for stratum in strata:
                self._add_totals(stratum.baseline, 0)
                self._add_totals(stratum.candidate, 2)
                self._add_sizes(stratum)
                self._add_scores(stratum)
            assessment = self._judge.assess()
            self._sample(slot, assessment)
            self._show(assessment)
        self._begin_due(through_slot)
        for shown in (self.slices, self.drift):
            shown.close(through_slot if self.merge.closed_through is None else self.merge.closed_through)

    def _show(self, assessment: Assessment) -> None:
        """Before the first step counts there is no question to be good enough for; only `worse` is an answer."""
        has_step = self._begun is not None and self._begun.step_index >= 0
        self.assessment = assessment if has_step or assessment.verdict is Verdict.WORSE else None

    def _begin_before_steps(self, slot: int) -> None:
        """Traffic that the candidate gets before its first step counts as started can still show that it is worse."""
        self._begin_step(BeginStep(step_index=-1, slot=slot, weight_bp=self._first_bp, next_weight_bp=None))

    def _begin_due(self, slot: int) -> None:
        while self._begins and self._begins[0].slot <= slot:
            # A slot that was judged already stays where it was judged.
            due = self._begins.popleft()
            self._begin_step(replace(due, slot=max(due.slot, self._last_slot + 1)))
            self.assessment = self._judge.assess()

    def _begin_step(self, step: BeginStep) -> None:
        self._begun = step
        self._judge.begin_step(slot=step.slot, weight_bp=step.weight_bp, next_weight_bp=step.next_weight_bp)
        self.dry_run.begin_step(step)

    def _add_totals(self, metrics: object, offset: int) -> None:
        assert isinstance(metrics, dict)
        for name, counts in metrics.items():
            totals = self._totals.get(name)
            if totals is not None:
                totals[offset] += counts.observed
                totals[offset + 1] += counts.bad

    def _add_sizes(self, stratum: Stratum) -> None:
        for name, slow in self._slow.items():
            bins = [arm[name].bins if name in arm else {} for arm in (stratum.baseline_bins, stratum.candidate_bins)]
            for place, count in enumerate(slow.counts(*bins)):
                self._totals[name][place] += count

    def _add_scores(self, stratum: Stratum) -> None:
        for name, badness in self._badness.items():
            for place, bins in ((0, stratum.baseline_bins), (1, stratum.candidate_bins)):
                of = bins[name].bins if name in bins else {}
                self._totals[name][2 * place] += sum(of.values())
                badness[place] += sum(number * count for number, count in of.items())
                self._totals[name][2 * place + 1] = round(badness[place] / BADNESS_WHOLE)

    def _sample(self, slot: int, assessment: Assessment) -> None:
        self._folded += 1
        if self._folded % self._stride:
            return
        share = assessment.share
        self._samples.append(
            Sample(
                at_ms=slot * 1000,
                weight_bp=self._begun.weight_bp if self._begun else 0,
                observed_ratio=share.candidate_keys / share.keys if share.keys else 0.0,
                metrics=tuple(
                    MetricSample(row.metric, row.worse_log_e, row.good_log_e, *self._totals[row.metric])
                    for row in assessment.rows
                ),
            )
        )
        if len(self._samples) > SAMPLES_MAX:
            self._samples = self._samples[::2]
            self._stride *= 2

    def samples(self) -> list[Sample]:
        return list(self._samples)

    @property
    def requests(self) -> tuple[int, int]:
        """How many both versions have had: of those whose outcome is known."""
        baseline, _, candidate, _ = self._totals.get(ERRORS, (0, 0, 0, 0))
        return baseline, candidate

    def step_seconds(self) -> int:
        """How long the step in force has been judged; 0 before the first."""
        if self._begun is None or self._begun.step_index < 0:
            return 0
        return max(self._last_slot - self._begun.slot + 1, 0)

    def evidence_fact(self) -> EvidenceFact:
        tried = tuple((row.metric, metric_sentence(row)) for row in self.dry_run.rows if row.verdict is Verdict.WORSE)
        if self.assessment is None and self.labels.worse_row() is None:
            return EvidenceFact(dry_run_worse=tried)
        seen = self.assessment.verdict if self.assessment is not None else Verdict.NOT_ENOUGH_EVIDENCE
        return EvidenceFact(
            step_index=self._begun.step_index if self._begun else None,
            verdict=self.labels.verdict(seen),
            sentence=joined_sentence(self.assessment, self.labels),
            findings=tuple(finding for row in self.rows() for finding in row.findings),
            dry_run_worse=tried,
            doubt=self.drift.doubt(),
        )

    def rows(self) -> tuple[MetricAssessment, ...]:
        """Of all guardrails that act: what is seen at once, then what feedback tells."""
        return (*(self.assessment.rows if self.assessment is not None else ()), *self.labels.rows())

    def named(self, snapshot: str) -> Named | None:
        """What all this looks like together, in one name, under the snapshot in force. None: nothing stands out."""
        if self._closed is None:
            return None
        first, through = self._closed
        last = first if self._recent.last_slot is None else self._recent.last_slot
        routing = self.routing_fact(snapshot)
        found = name_of(
            Situation(
                silent_s=max(through - last, 0),
                is_worse=self.assessment is not None and self.assessment.verdict is Verdict.WORSE,
                mismatches=routing.mismatches,
                is_split_plausible=routing.share_plausible,
                baseline=self._recent.level(self._versions[0], through),
                candidate=self._recent.level(self._versions[1], through),
                labels_share=0.0 if self.labels.is_overdue(through) else None,
                full=explains(self.full, self.assessment),
                dependency=self.dependency,
            )
        )
        return None if found.finding is Finding.NONE else found

    def routing_fact(self, snapshot: str) -> RoutingFact:
        """What was seen under the snapshot in force; the share test speaks of the judge's step."""
        count = self.merge.routing(snapshot)
        share = self.assessment.share if self.assessment else None
        plausible = share is None or share.is_plausible
        text = ""
        if share is not None and not plausible:
            text = (
                f"{share.candidate_keys} of {share.keys} users on the candidate at {format_bp(share.weight_bp)} "
                f"(p = {share.p_value:.1g})"
            )
        return RoutingFact(count.outcomes, count.mismatches, plausible, text)
