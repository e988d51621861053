"""Laws of the judge that hold for whatever traffic: order, refusal, bounds, determinism."""

import math
import pickle
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.errors import EvidenceError
from controlplane.evidence.judge import BinnedPlan, GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import BinCounts, MetricCounts, Stratum
from controlplane.evidence.verdict import Verdict

METRICS = ("errors", "finish_reason:length")
SIZE = "ttft"
PLAN = JudgePlan(
    (
        GuardrailPlan(METRICS[0], 0.4, None, 500, 2000),
        GuardrailPlan(METRICS[1], 0.3, 2000, 2000),
        BinnedPlan(SIZE, 0.3, 2, 1, (120,)),
    ),
    0.01,
    0.05,
    2,
)


@st.composite
def counts(draw: st.DrawFn) -> MetricCounts:
    keys = draw(st.frozensets(st.integers(0, 40), max_size=12))
    bad = draw(st.frozensets(st.sampled_from(sorted(keys)))) if keys else frozenset()
    repeats = draw(st.integers(0, 3)) if bad else 0
    return MetricCounts(len(keys) + repeats, len(bad) + repeats, keys - bad, bad)


@st.composite
def bins(draw: st.DrawFn) -> BinCounts:
    firsts = draw(st.dictionaries(st.integers(0, 400), st.integers(80, 130), max_size=30))
    observed = Counter(firsts.values())
    observed.update(draw(st.lists(st.integers(80, 130), max_size=200)))
    return BinCounts(dict(observed), firsts)


BINS = st.fixed_dictionaries({}, optional={SIZE: bins()})
ARM = st.fixed_dictionaries({}, optional={metric: counts() for metric in METRICS})
STRATUM = st.builds(
    Stratum,
    slot=st.just(0),
    snapshot=st.sampled_from(["s1", "s2"]),
    weight_class=st.sampled_from(["", "everyone", "eu"]),
    weight_bp=st.sampled_from([0, 1000, 5000, 10_000]),
    baseline=ARM,
    candidate=ARM,
    baseline_bins=BINS,
    candidate_bins=BINS,
)
SLOT = st.lists(STRATUM, max_size=4, unique_by=lambda s: (s.weight_bp, s.snapshot, s.weight_class))
STORY = st.lists(st.tuples(st.integers(1, 90), SLOT, st.booleans()), max_size=12)


def told(story: list[tuple[int, list[Stratum], bool]], *, is_reversed: bool = False) -> Judge:
    """A judge that has heard the story: (seconds since the slot before, strata, whether a step begins)."""
    judge, slot = Judge(PLAN), 1000
    for gap, strata, begins in story:
        slot += gap
        if begins:
            judge.begin_step(slot=slot, weight_bp=5000, next_weight_bp=10_000)
        placed = [replace(stratum, slot=slot) for stratum in strata]
        judge.fold(slot, placed[::-1] if is_reversed else placed)
    return judge


@settings(max_examples=40, deadline=None)
@given(STORY)
def test_the_order_of_strata_within_a_slot_does_not_matter(story: list[tuple[int, list[Stratum], bool]]) -> None:
    assert told(story).assess() == told(story, is_reversed=True).assess()


@settings(max_examples=40, deadline=None)
@given(STORY)
def test_what_the_judge_says_is_finite_and_within_bounds(story: list[tuple[int, list[Stratum], bool]]) -> None:
    assessed = told(story).assess()
    numbers = [assessed.overall_worse_log_e, assessed.share.p_value]
    for row in assessed.rows[:2]:
        assert row.candidate_n <= 41
    for row in assessed.rows:
        numbers += [row.worse_log_e, row.good_log_e]
        assert 0 <= row.baseline_bad <= row.baseline_n
        assert 0 <= row.candidate_bad <= row.candidate_n
        assert row.candidate_n <= 401
    assert all(math.isfinite(number) for number in numbers)
    assert 0 <= assessed.share.p_value <= 1
    assert (assessed.verdict is Verdict.WORSE) == (assessed.overall_worse_log_e >= math.log(100))


@settings(max_examples=40, deadline=None)
@given(STORY, SLOT, st.integers(0, 3))
def test_a_refused_slot_leaves_no_trace(
    story: list[tuple[int, list[Stratum], bool]], strata: list[Stratum], place: int
) -> None:
    judge = told(story)
    before = pickle.dumps(judge)
    impossible = {"errors": MetricCounts(1, 2, frozenset(), frozenset())}
    placed = [replace(stratum, slot=9999) for stratum in strata]
    placed.insert(place, Stratum(9999, "s3", "everyone", 5000, impossible, {}))
    with pytest.raises(EvidenceError):
        judge.fold(9999, placed)
    assert pickle.dumps(judge) == before


@settings(max_examples=20, deadline=None)
@given(STORY)
def test_a_judge_that_hears_the_same_story_again_says_the_same(
    story: list[tuple[int, list[Stratum], bool]],
) -> None:
    """A restarted control plane rebuilds its judge from what it stored."""
    assert told(story).assess() == told(story).assess()
