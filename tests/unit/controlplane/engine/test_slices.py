"""Cohorts as slices: they find where a candidate is worse, and nothing follows from what they find."""

from collections.abc import Mapping, Sequence

from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.slices import SHOWN_MAX, CohortSlices, cohorts_of, named_sentences, ranked_sentence
from controlplane.evidence.slices import SLICES_MAX, SliceRow
from controlplane.ingest.merge import AHEAD_S_MAX
from controlplane.ingest.rows import MetricCount, Row
from controlplane.manifest.load import load
from controlplane.manifest.schema import ServiceSpec
from controlplane.rollout.effects import BeginStep
from tests.unit.controlplane.engine.test_plan import spec
from tests.unit.controlplane.manifest.samples import SERVICE

SLOTS = 20
USERS = 20  # of each cohort and version in a slot


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
    tracker = EvidenceTracker(spec(guardrails), rollout="chat-v2", baseline="v1", cohorts=cohorts)
    tracker.begin(BeginStep(step_index=0, slot=1, weight_bp=5_000, next_weight_bp=10_000))
    for slot in range(1, SLOTS + 1):
        for cohort in ("eu", "everyone"):
            tracker.add([row(slot, "v1", cohort), row(slot, "v2", cohort, bad=bad.get(cohort, 0))], now_slot=slot)
        tracker.close(slot)
    return tracker


def sliced(*rows: Row, now_slot: int = 5, closed_through: int | None = None) -> tuple[SliceRow, ...]:
    slices = CohortSlices(("eu",), rollout="chat-v2", versions=("v1", "v2"))
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
    slices = CohortSlices(("eu",), rollout="chat-v2", versions=("v1", "v2"))
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
    assert cohorts_of(manifest.spec) == tuple(f"c{n}" for n in range(1, 99))
    CohortSlices([f"c{n}" for n in range(SLICES_MAX - 2)], rollout="chat-v2", versions=("v1", "v2"))


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
