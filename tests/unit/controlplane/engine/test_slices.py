"""Cohorts as slices: they find where a candidate is worse, and nothing follows from what they find."""

from collections.abc import Mapping, Sequence

import pytest

from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.slices import (
    SHOWN_MAX,
    RolloutSlices,
    declared_of,
    metrics_of,
    named_sentences,
    ranked_sentence,
)
from controlplane.evidence.slices import SLICES_MAX, SliceRow
from controlplane.evidence.verdict import Verdict
from controlplane.ingest.merge import AHEAD_S_MAX
from controlplane.ingest.rows import HistogramCount, MetricCount, Row
from controlplane.manifest.load import load
from controlplane.manifest.schema import ServiceSpec
from controlplane.rollout.effects import BeginStep
from serinus.contract.edge import BIN_COUNT
from tests.unit.controlplane.engine.test_plan import spec
from tests.unit.controlplane.manifest.samples import SERVICE

SLOTS = 20
USERS = 20  # of each cohort and version in a slot


def by_cohort(*cohorts: str) -> dict[str, tuple[str, ...]]:
    return {"cohort": ("everyone", *cohorts)} if cohorts else {}


def row(
    slot: int, version: str, cohort: str, *, bad: int = 0, weight_class: str = "1", rollout: str = "chat-v2"
) -> Row:
    """Each request of a user of its own."""
    first = ((slot * 4 + (version == "v2")) * 2 + (cohort == "everyone")) * USERS
    keys = range(first, first + USERS)
    count = MetricCount(USERS, bad, frozenset(keys[bad:]), frozenset(keys[:bad]))
    place = ("chat", rollout, "s1", slot, 5_000, weight_class, cohort, version, USERS, 0)
    return Row(*place, metrics={"errors": count}, classes={})


def told(*, cohorts: Sequence[str], bad: Mapping[str, int], guardrails: str = "[{metric: errors}]") -> EvidenceTracker:
    """`bad`: failures of the candidate in each slot, by cohort."""
    tracker = EvidenceTracker(spec(guardrails), rollout="chat-v2", baseline="v1", slices=by_cohort(*cohorts))
    tracker.begin(BeginStep(step_index=0, slot=1, weight_bp=5_000, next_weight_bp=10_000))
    for slot in range(1, SLOTS + 1):
        for cohort in ("eu", "everyone"):
            tracker.add([row(slot, "v1", cohort), row(slot, "v2", cohort, bad=bad.get(cohort, 0))], now_slot=slot)
        tracker.close(slot)
    return tracker


def sliced(*rows: Row, now_slot: int = 5, closed_through: int | None = None) -> tuple[SliceRow, ...]:
    slices = RolloutSlices(by_cohort("eu"), rollout="chat-v2", versions=("v1", "v2"))
    slices.add([row(2, "v1", "everyone"), *rows], now_slot=now_slot, closed_through=closed_through)
    slices.close(now_slot + 2 * AHEAD_S_MAX)
    assert not slices.refused_strata
    return slices.rows()


def test_a_cohort_in_which_alone_the_candidate_fails_is_named_and_no_other() -> None:
    eu, everyone = told(cohorts=("eu",), bad={"eu": 6}).slices.rows()
    assert (eu.value, eu.is_named, eu.candidate_bad, eu.baseline_bad) == ("eu", True, 120, 0)
    assert (everyone.value, everyone.is_named, everyone.candidate_n) == ("everyone", False, 400)


def test_slices_never_change_what_the_judge_says() -> None:
    for bad in ({}, {"eu": 1}, {"eu": 6}, {"eu": 6, "everyone": 6}):
        without, sliced_ = (told(cohorts=cohorts, bad=bad) for cohorts in ((), ("eu", "asia")))
        assert without.slices.rows() == ()
        assert len(sliced_.slices.rows()) == 2
        assert sliced_.evidence_fact() == without.evidence_fact()
        assert sliced_.assessment == without.assessment
        assert sliced_.samples() == without.samples()
        assert sliced_.named("s1") == without.named("s1")


def test_a_cohort_that_was_not_declared_counts_as_other() -> None:
    assert {each.value for each in sliced(row(2, "v2", "later"))} == {"everyone", "other"}


def test_rows_that_the_judge_does_not_take_are_in_no_slice() -> None:
    ahead = row(5 + AHEAD_S_MAX + 1, "v2", "eu")
    for strange in (
        row(2, "v2", "eu", weight_class=""),
        row(2, "v2", "eu", rollout="chat-v1"),
        row(2, "v3", "eu"),
        ahead,
        Row(*("chat", "chat-v2", "s1", 2, 5_000, "1", "eu", "v2", 1, 0), metrics={}, classes={}),
    ):
        assert sliced(strange) == (), "only everyone is left, which is no slice of anything"
    assert sliced(row(1, "v2", "eu"), closed_through=1) == ()


def test_counts_that_cannot_be_taken_cost_themselves_only() -> None:
    slices = RolloutSlices(by_cohort("eu"), rollout="chat-v2", versions=("v1", "v2"))
    for slot in (3, 2):  # a slot that comes after it was folded
        slices.add([row(slot, "v1", "eu"), row(slot, "v2", "everyone")], now_slot=5, closed_through=None)
        slices.close(slot)
    assert slices.refused_strata == 1
    assert [(each.value, each.baseline_n + each.candidate_n) for each in slices.rows()] == [
        ("eu", USERS),
        ("everyone", USERS),
    ]


def test_only_cohorts_that_a_weight_deals_are_declared_and_no_more_than_there_is_room_for() -> None:
    cohorts = [f"{{name: c{n}, match: {{header: {{name: x-c, exact: c{n}}}}}, weight_factor: 1}}" for n in range(99)]
    cohorts[0] = "{name: staff, match: {header: {name: x-c, exact: s}}, pin: candidate}"
    cohorts.append("{name: out, match: {header: {name: x-c, exact: o}}, exclude: true}")
    head = SERVICE.split("  cohorts:")[0]
    (manifest,) = load([("s.yaml", f"{head}  cohorts: [{', '.join(cohorts)}]\n")])
    assert isinstance(manifest.spec, ServiceSpec)
    declared = declared_of(manifest.spec)
    assert declared == {"cohort": ("everyone", *(f"c{n}" for n in range(1, 99)))}
    assert len(declared["cohort"]) + 1 == SLICES_MAX
    RolloutSlices(declared, rollout="chat-v2", versions=("v1", "v2"))
    by_region = "  slices: [{by: region, header: x-region, in: [eu, us]}]\n"
    (manifest,) = load([("s.yaml", f"{head}  cohorts: [{', '.join(cohorts)}]\n{by_region}")])
    assert isinstance(manifest.spec, ServiceSpec)
    declared = declared_of(manifest.spec)
    assert (declared["region"], sum(len(values) + 1 for values in declared.values())) == (("eu", "us"), SLICES_MAX)


def test_the_ranked_sentence_has_the_strongest_first_and_counts_what_it_leaves_out() -> None:
    rows = told(cohorts=("eu",), bad={"eu": 6}).slices.rows()
    assert ranked_sentence(()) == ""
    assert ranked_sentence(rows) == (
        "Slices by cohort, errors of requests since the start, shown and never decisive: "
        "eu (worse): candidate 120 of 400 failed, baseline 0 of 400; "
        "everyone: candidate 0 of 400 failed, baseline 0 of 400."
    )
    assert ranked_sentence(rows * SHOWN_MAX).endswith("; 8 more.")
    (named,) = named_sentences(rows)
    assert named.startswith("slice eu: ")


REGIONS = {"region": ("eu", "us"), "device": ("phone",)}
SLOW_BIN, FAST_BIN = 90, 40


def sized(slot: int, version: str, slices: str, *, slow: int, latency: str = "latency") -> Row:
    """40 requests, each of a user of its own, of which so many are slow."""
    first = ((slot * 4 + (version == "v2")) * 8 + hash_of(slices)) * 40
    bins = [SLOW_BIN] * slow + [FAST_BIN] * (40 - slow)
    histogram = HistogramCount(
        {SLOW_BIN: slow, FAST_BIN: 40 - slow},
        {first + at: 1_000 * BIN_COUNT + bin_ for at, bin_ in enumerate(bins)},
    )
    place = ("chat", "chat-v2", "s1", slot, 5_000, "1", "everyone", version, 40, 0)
    errors = MetricCount(40, 0, frozenset(range(first, first + 40)), frozenset())
    return Row(*place, metrics={"errors": errors}, classes={}, histograms={latency: histogram}, slices=slices)


def hash_of(slices: str) -> int:
    return ("", "region=eu,device=phone", "region=us,device=phone", "region=eu,device=other").index(slices)


def played(*, slots: int, slow: Mapping[str, int], declared: Mapping[str, tuple[str, ...]] = REGIONS) -> RolloutSlices:
    """`slow`: of the candidate's 40 requests of a slot, by slices; of the baseline's two are."""
    slices = RolloutSlices(declared, rollout="chat-v2", versions=("v1", "v2"), sizes=("latency",))
    for slot in range(1, slots + 1):
        rows = [
            sized(slot, version, word, slow=count if version == "v2" else 2)
            for word, count in slow.items()
            for version in ("v1", "v2")
        ]
        slices.add(rows, now_slot=slot, closed_through=slot - 1)
        slices.close(slot)
    assert not slices.refused_strata
    return slices


def test_a_region_in_which_alone_the_candidate_is_slow_is_named_by_that_metric_and_no_other() -> None:
    rows = played(slots=20, slow={"region=eu,device=phone": 20, "region=us,device=phone": 2}).rows()
    assert [(row.dimension, row.value, row.metric) for row in rows if row.is_named] == [("region", "eu", "latency")]
    assert {row.dimension for row in rows} == {"region"}, "all are phones, which is no slice of anything"
    assert named_sentences(rows)[0].startswith("slice region eu: latency: bad candidate ")
    assert ranked_sentence(rows).startswith("Slices by region, latency, errors of requests since the start, ")


def test_each_dimension_counts_every_request_once() -> None:
    slices = played(
        slots=10, slow={"region=eu,device=phone": 2, "region=us,device=phone": 2, "region=eu,device=other": 2}
    )
    errors = {(row.dimension, row.value): row.candidate_n for row in slices.rows() if row.metric == "errors"}
    assert errors == {
        ("region", "eu"): 800,
        ("region", "us"): 400,
        ("device", "phone"): 800,
        ("device", "other"): 400,
    }


def test_what_is_slow_is_fixed_by_the_baseline_of_earlier_slots() -> None:
    """200 observations of the baseline are there after five slots of 40."""
    word = {"region=eu,device=phone": 40, "region=us,device=phone": 40}
    sizes = [row for row in played(slots=2, slow=word).rows() if row.metric == "latency"]
    assert sizes == []
    (eu, us) = (row for row in played(slots=5, slow=word).rows() if row.metric == "latency")
    assert (eu.candidate_n, us.candidate_n, eu.candidate_bad) == (80, 80, 80)


def test_a_request_without_slices_or_with_others_than_declared_is_other() -> None:
    slices = played(slots=1, slow={"": 2, "region=eu,device=phone": 2}, declared={"tier": ("gold",), "region": ("eu",)})
    values = {(row.dimension, row.value) for row in slices.rows()}
    assert values == {("region", "eu"), ("region", "other")}


def test_what_rows_hold_of_each_request_is_judged_by_slice() -> None:
    guardrails = (
        "[{metric: errors}, {metric: latency, margin: 25%}, {metric: finish_reason, of: length, margin: 20pp}, "
        "{metric: tokens, margin: 25%, worse: lower}, {metric: repetition, margin: 10pp}]"
    )
    assert metrics_of(spec(guardrails).guardrails) == (("errors", "finish_reason:length"), ("latency",))


def mixed(slot: int, version: str, part: str, count: int, bin_: int) -> Row:
    """Requests of one prompt class, all of one size, each of a user of its own."""
    first = ((slot * 2 + (version == "v2")) * 2 + (part == "long")) * 100
    keys = range(first, first + count)
    sizes = HistogramCount({bin_: count}, dict.fromkeys(keys, 1000 * BIN_COUNT + bin_))
    errors = MetricCount(count, 0, frozenset(keys), frozenset())
    place = ("chat", "chat-v2", "s1", slot, 5_000, "1", "everyone", version, count, 0)
    return Row(*place, metrics={"errors": errors}, classes={}, histograms={"latency": sizes}, slices=f"prompt={part}")


@pytest.mark.parametrize("is_within", [True, False])
def test_a_version_that_meets_longer_prompts_is_not_called_slower_where_they_are_compared_with_their_like(
    is_within: bool,
) -> None:
    """Both take as long for a short prompt, and for a long one; the candidate meets more long ones."""
    tracker = EvidenceTracker(
        spec("[{metric: errors}, {metric: latency, margin: 25%}]"),
        rollout="chat-v2",
        baseline="v1",
        slices={"prompt": ("short",)},
        within=frozenset({"prompt"} if is_within else ()),
    )
    tracker.begin(BeginStep(step_index=0, slot=1, weight_bp=5_000, next_weight_bp=10_000))
    mix = {"v1": (16, 4), "v2": (4, 16)}
    for slot in range(1, 40):
        sizes = [
            (version, part, n, bin_)
            for version, counts in mix.items()
            for part, n, bin_ in zip(("short", "long"), counts, (FAST_BIN, SLOW_BIN), strict=True)
        ]
        tracker.add([mixed(slot, *each) for each in sizes], now_slot=slot)
        tracker.close(slot)
    fact = tracker.evidence_fact()
    assert (fact.verdict is Verdict.WORSE) is not is_within
    assert fact.doubt.startswith("prompt: candidate and baseline get unlike requests")
