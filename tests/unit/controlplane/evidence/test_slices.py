"""Slices: named with correction, bounded, order-free within a slot, and without any verdict."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.evidence.errors import CountsError, PlanError, SlotOrderError, WeightError
from controlplane.evidence.slices import OTHER, SLICES_MAX, SliceCounts, Slices

REGIONS = ("eu", "us", "asia")


def counts(baseline: set[int] = frozenset(), candidate: set[int] = frozenset(), n: int = 10) -> SliceCounts:  # type: ignore[assignment]
    return SliceCounts(n, n, len(baseline), len(candidate), frozenset(baseline), frozenset(candidate))


def slices(**limits: int) -> Slices:
    return Slices({"region": REGIONS, "device": ("phone",)}, **limits)


def rollout(seed: int, *, broken: str | None, seconds: int = 60) -> Slices:
    """Ten requests/s in each region at weight 1/2; 2 % fail, on the candidate half of those of `broken`."""
    rng, held, key = np.random.default_rng(seed), slices(), 0
    for second in range(seconds):
        rows = {}
        for region in REGIONS:
            bad: tuple[set[int], set[int]] = (set(), set())
            for _ in range(10):
                key += 1
                arm = int(rng.random() < 0.5)
                if rng.random() < (0.5 if arm and region == broken else 0.02):
                    bad[arm].add(key)
            rows["region", region] = counts(*bad)
        held.fold(second, 5000, rows)
    return held


def test_the_slice_that_is_broken_is_named_first_and_hardly_ever_another() -> None:
    wrong = 0
    for seed in range(10):
        first, *others = rollout(seed, broken="us").rows(alpha=0.01)
        assert (first.dimension, first.value, first.is_named) == ("region", "us", True)
        assert first.candidate_low > 0.1
        wrong += sum(row.is_named for row in others)
    assert wrong / 20 <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 20)


def test_versions_alike_have_a_slice_named_no_more_often_than_alpha() -> None:
    named = sum(any(row.is_named for row in rollout(seed, broken=None).rows(alpha=0.05)) for seed in range(40))
    assert named / 40 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)


def test_values_that_were_not_declared_are_one_slice() -> None:
    held = slices()
    assert held.place("region", "mars") == ("region", OTHER)
    assert held.place("region", "eu") == ("region", "eu")
    with pytest.raises(CountsError):
        held.place("colour", "red")


def test_a_key_that_fails_again_counts_once_in_a_slice() -> None:
    once, again = slices(), slices()
    once.fold(1, 5000, {("region", "eu"): counts(candidate={7})})
    for slot in (1, 2, 3):
        again.fold(slot, 5000, {("region", "eu"): counts(candidate={7})})
    assert once.rows(alpha=0.1)[0].log_e == again.rows(alpha=0.1)[0].log_e
    assert again.rows(alpha=0.1)[0].candidate_bad == 3


def test_a_key_in_both_arms_and_a_weight_with_one_arm_say_nothing() -> None:
    held = slices()
    held.fold(1, 5000, {("region", "eu"): counts({7}, {7})})
    held.fold(2, 10_000, {("region", "eu"): counts(candidate={8})})
    assert held.rows(alpha=0.1)[0].log_e == pytest.approx(0.0)


@given(st.permutations([("region", "eu"), ("region", "us"), ("device", "phone")]))
def test_the_order_of_slices_does_not_matter(order: list[tuple[str, str]]) -> None:
    rows = {place: counts({1}, {2, len(place[1])}) for place in order}
    held, sorted_held = slices(), slices()
    held.fold(1, 5000, rows)
    sorted_held.fold(1, 5000, dict(sorted(rows.items())))
    assert held.rows(alpha=0.1) == sorted_held.rows(alpha=0.1)


def test_past_the_bound_of_keys_slices_learn_nothing_new_and_say_so() -> None:
    held = slices(keys_max=1)
    held.fold(1, 5000, {("region", "eu"): counts(candidate={1})})
    before = held.rows(alpha=0.1)[0].log_e
    held.fold(2, 5000, {("region", "eu"): counts(candidate={2, 3})})
    assert held.is_full
    assert held.rows(alpha=0.1)[0].log_e == before


def test_declarations_are_bounded_and_name_each_value_once() -> None:
    with pytest.raises(PlanError):
        Slices({"region": tuple(map(str, range(SLICES_MAX)))})
    for values in (("eu", "eu"), (OTHER,)):
        with pytest.raises(PlanError):
            Slices({"region": values})


@pytest.mark.parametrize(
    "bad",
    [
        SliceCounts(1, 1, 2, 0, frozenset(), frozenset()),
        SliceCounts(1, 1, 0, 0, frozenset({1}), frozenset()),
        SliceCounts(-1, 1, -1, 0, frozenset(), frozenset()),
        SliceCounts(1, 1, 0, 1, frozenset(), frozenset({-1})),
        SliceCounts(1, math.nan, 0, 0, frozenset(), frozenset()),  # type: ignore[arg-type]
    ],
)
def test_counts_that_cannot_be_are_refused(bad: SliceCounts) -> None:
    held = slices()
    with pytest.raises(CountsError):
        held.fold(1, 5000, {("region", "eu"): bad})
    assert held.rows(alpha=0.1) == ()


def test_slots_weights_and_places_that_cannot_be_are_refused() -> None:
    held = slices()
    held.fold(5, 5000, {})
    with pytest.raises(SlotOrderError):
        held.fold(4, 5000, {})
    with pytest.raises(WeightError):
        held.fold(6, -1, {})
    with pytest.raises(CountsError):
        held.fold(-1, 5000, {})
    with pytest.raises(CountsError):
        held.fold(6, 5000, {("region", "mars"): counts()})
