"""Rows of sidecars become a rollout's evidence: sizes as well as shares, the same when they are read again."""

from collections.abc import Mapping, Sequence

from controlplane.engine.evidence import EvidenceTracker
from controlplane.evidence.verdict import Verdict
from controlplane.ingest.rows import HistogramCount, MetricCount, Row
from controlplane.rollout.effects import BeginStep
from serinus.contract.edge import first_of
from tests.unit.controlplane.engine.test_plan import spec

SLOTS = 40
USERS_A_SLOT = 20  # of each version
BASELINE_BIN = 120


def row(slot: int, version: str, number: int | None, *, bad: int = 0, metric: str = "latency") -> Row:
    """Each request of a user of its own, all of one size; `number` None: this sidecar reports no sizes."""
    first = (slot * 2 + (version == "v2")) * USERS_A_SLOT
    keys = range(first, first + USERS_A_SLOT)
    count = MetricCount(USERS_A_SLOT, bad, frozenset(keys[bad:]), frozenset(keys[:bad]))
    sizes: Mapping[str, HistogramCount] = {}
    if number is not None:
        firsts = {key: first_of(place, number) for place, key in enumerate(keys)}
        sizes = {metric: HistogramCount({number: USERS_A_SLOT}, firsts)}
    place = ("chat", "chat-v2", "s1", slot, 5_000, "1", "everyone", version, USERS_A_SLOT, 0)
    return Row(*place, metrics={"errors": count}, classes={}, histograms=sizes)


def tracked(
    candidate_bin: int | None,
    *,
    guardrails: str,
    bad: int = 0,
    slots: Sequence[int] = range(1, SLOTS),
    metric: str = "latency",
    baseline_at: int = BASELINE_BIN,
) -> EvidenceTracker:
    tracker = EvidenceTracker(spec(guardrails), rollout="chat-v2", baseline="v1")
    tracker.begin(BeginStep(step_index=0, slot=1, weight_bp=5_000, next_weight_bp=10_000))
    for slot in slots:
        baseline_bin = None if candidate_bin is None else baseline_at
        rows = [row(slot, "v1", baseline_bin, metric=metric), row(slot, "v2", candidate_bin, bad=bad, metric=metric)]
        tracker.add(rows, now_slot=slot)
        tracker.close(slot)
    return tracker


def test_a_candidate_that_is_slower_beyond_the_margin_is_worse_and_the_sentence_says_where_it_was_cut() -> None:
    fact = tracked(BASELINE_BIN + 5, guardrails="[{metric: errors}, {metric: latency, margin: 25%}]").evidence_fact()
    assert fact.verdict is Verdict.WORSE
    assert fact.sentence.startswith("latency: candidate ")
    assert "(bad means above " in fact.sentence


def test_slower_within_the_margin_is_no_reason_for_a_rollback() -> None:
    fact = tracked(BASELINE_BIN + 2, guardrails="[{metric: errors}, {metric: latency, margin: 25%}]").evidence_fact()
    assert fact.verdict is not Verdict.WORSE


def test_sizes_that_never_come_hold_the_rollout() -> None:
    fact = tracked(None, guardrails="[{metric: errors}, {metric: latency, margin: 25%}]").evidence_fact()
    assert fact.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert "no edges yet" in " ".join(fact.findings)


def test_an_absolute_limit_acts_where_the_margin_would_forgive() -> None:
    """3 of 20 fail: within 30 points of the baseline, beyond 5 % of all."""
    forgiving = "[{metric: errors, margin: 30pp}]"
    assert tracked(BASELINE_BIN, guardrails=forgiving, bad=3).evidence_fact().verdict is not Verdict.WORSE
    limited = "[{metric: errors, margin: 30pp, max: 5%}]"
    assert tracked(BASELINE_BIN, guardrails=limited, bad=3).evidence_fact().verdict is Verdict.WORSE


def test_the_same_rows_read_again_give_the_same_evidence_and_the_same_path() -> None:
    guardrails = "[{metric: errors, max: 5%}, {metric: latency, margin: 25%}]"
    one, two = (tracked(BASELINE_BIN + 1, guardrails=guardrails) for _ in range(2))
    assert one.assessment == two.assessment
    assert one.samples() == two.samples()


def test_the_path_shows_how_many_requests_were_slower_than_the_baselines_first_p90() -> None:
    tracker = tracked(BASELINE_BIN + 1, guardrails="[{metric: errors}, {metric: latency, margin: 25%}]")
    last = {metric.metric: metric for metric in tracker.samples()[-1].metrics}["latency"]
    # Ten slots of 20 gave the edge; each later one counts.
    assert (last.baseline_requests, last.baseline_bad) == ((SLOTS - 11) * USERS_A_SLOT, 0)
    assert last.candidate_requests == last.candidate_bad == (SLOTS - 11) * USERS_A_SLOT


def test_a_candidate_whose_answers_are_worse_by_more_than_the_margin_is_worse_and_the_sentence_gives_the_means() -> (
    None
):
    guardrails = "[{metric: errors}, {metric: repetition, margin: 10pp}]"
    tracker = tracked(35, baseline_at=3, metric="repetition", guardrails=guardrails)
    fact = tracker.evidence_fact()
    assert fact.verdict is Verdict.WORSE
    assert fact.sentence.startswith("repetition: mean badness: baseline 0.030 (")
    last = {metric.metric: metric for metric in tracker.samples()[-1].metrics}["repetition"]
    requests = (SLOTS - 1) * USERS_A_SLOT
    assert (last.baseline_bad, last.candidate_bad) == (round(0.03 * requests), round(0.35 * requests))
    assert (last.baseline_requests, last.candidate_requests) == (requests, requests)


def test_answers_that_are_worse_within_the_margin_are_no_reason_for_a_rollback() -> None:
    guardrails = "[{metric: errors}, {metric: repetition, margin: 10pp}]"
    fact = tracked(9, baseline_at=3, metric="repetition", guardrails=guardrails).evidence_fact()
    assert fact.verdict is Verdict.GOOD_ENOUGH


def test_answers_that_are_too_short_are_worse_where_it_was_asked_for() -> None:
    lower = "[{metric: errors}, {metric: tokens, margin: 50%, worse: lower}]"
    fact = tracked(24, baseline_at=44, metric="tokens_out", guardrails=lower).evidence_fact()
    assert fact.verdict is Verdict.WORSE
    assert "(bad means below 45.25 tokens, p50" in fact.sentence
    either = "[{metric: errors}, {metric: tokens, margin: 50%}]"
    assert (
        tracked(24, baseline_at=44, metric="tokens_out", guardrails=either).evidence_fact().verdict is not Verdict.WORSE
    )
