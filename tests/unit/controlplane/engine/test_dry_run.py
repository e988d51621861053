"""A guardrail that is tried out: its numbers are those of one that acts, and the verdict does not know it."""

from controlplane.engine.dry_run import DryRun
from controlplane.evidence.verdict import Verdict
from tests.unit.controlplane.engine.test_evidence import BASELINE_BIN, tracked
from tests.unit.controlplane.engine.test_plan import spec

TRIED = "[{metric: errors}, {metric: latency, margin: 25%, dry_run: true}]"
ACTING = "[{metric: errors}, {metric: latency, margin: 25%}]"


def test_a_candidate_that_is_too_slow_is_reported_and_nothing_follows() -> None:
    tracker = tracked(BASELINE_BIN + 5, guardrails=TRIED)
    fact = tracker.evidence_fact()
    ((metric, sentence),) = fact.dry_run_worse
    assert metric == "latency"
    assert "worse, evidence" in sentence
    assert fact.verdict is not Verdict.WORSE
    assert tracker.assessment is not None
    assert [row.metric for row in tracker.assessment.rows] == ["errors"]
    assert tracked(BASELINE_BIN + 5, guardrails=ACTING).evidence_fact().verdict is Verdict.WORSE


def test_it_holds_nothing_and_weakens_nobody() -> None:
    """Sizes never come: an acting guardrail would hold, this one takes neither the step nor a share of the error rate."""
    tried = tracked(None, guardrails=TRIED)
    alone = tracked(None, guardrails="[{metric: errors}]")
    assert tried.assessment == alone.assessment
    assert tried.evidence_fact() == alone.evidence_fact()
    assert [row.verdict for row in tried.dry_run.rows] == [Verdict.NOT_ENOUGH_EVIDENCE]


def test_without_any_nothing_is_judged_twice() -> None:
    assert DryRun(spec(ACTING)).rows == ()
