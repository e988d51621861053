"""What a slot may hold, and what is refused."""

from dataclasses import replace

import pytest

from controlplane.evidence.errors import CountsError, SlotOrderError, WeightError
from controlplane.evidence.strata import MetricCounts, Stratum, check_slot, is_comparison
from tests.unit.controlplane.evidence.counts import counted, stratum

NONE = frozenset[int]()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (MetricCounts(1, 2, NONE, NONE), "2 bad of 1 observed"),
        (MetricCounts(-1, 0, NONE, NONE), "0 bad of -1"),
        (MetricCounts(1, -1, NONE, NONE), "-1 bad of 1"),
        (MetricCounts(float("nan"), 0, NONE, NONE), "not nan and 0"),  # type: ignore[arg-type]
        (MetricCounts(1.0, 0, NONE, NONE), "not 1.0 and 0"),  # type: ignore[arg-type]
        (MetricCounts(1, True, NONE, NONE), "not 1 and True"),
        (MetricCounts(2, 1, NONE, frozenset({1, 2})), "0 good and 2 bad keys"),
        (MetricCounts(2, 1, frozenset({3, 4}), frozenset({1})), "2 good and 1 bad keys"),
        (MetricCounts(3, 1, frozenset({1}), frozenset({1})), "both never bad and bad"),
        (MetricCounts(1, 0, frozenset({-1}), NONE), "64-bit hash, 0"),
        (MetricCounts(1, 1, NONE, frozenset({2**64})), "64-bit hash, 0"),
        (MetricCounts(1, 0, frozenset({float("nan")}), NONE), "a key is a whole number"),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("arm", ["baseline", "candidate"])
def test_counts_that_cannot_be_are_refused(counts: MetricCounts, message: str, arm: str) -> None:
    with pytest.raises(CountsError, match=message):
        check_slot(5, [replace(stratum(5), **{arm: {"errors": counts}})])


@pytest.mark.parametrize("weight_bp", [-1, 10_001, 0.5, True])
def test_a_weight_that_is_none_is_refused(weight_bp: int) -> None:
    with pytest.raises(WeightError, match=r"outside 0\.\.10000"):
        check_slot(5, [stratum(5, weight_bp=weight_bp)])


def test_a_stratum_of_another_slot_is_refused() -> None:
    with pytest.raises(SlotOrderError, match="a stratum of slot 4"):
        check_slot(5, [stratum(4)])


def test_a_stratum_given_twice_is_refused() -> None:
    with pytest.raises(CountsError, match="twice"):
        check_slot(5, [stratum(5), stratum(5)])


def test_the_order_of_strata_is_the_same_whoever_hands_them_over() -> None:
    strata = [stratum(5, weight_bp=9000), stratum(5, snapshot="s2"), stratum(5, weight_class="eu"), stratum(5)]
    assert check_slot(5, strata) == check_slot(5, strata[::-1])
    assert [one.weight_bp for one in check_slot(5, strata).strata] == [5000, 5000, 5000, 9000]


def test_what_is_not_randomised_never_enters() -> None:
    pinned = stratum(5, weight_class="", baseline=counted([1]), candidate=counted([1]))
    assert check_slot(5, [pinned, stratum(5)]) == check_slot(5, [stratum(5)])


def test_a_key_in_both_arms_of_a_stratum_is_told_apart() -> None:
    both = stratum(5, baseline=counted([1, 2]), candidate=counted([3], bad=[2]))
    assert check_slot(5, [both]).contested == {2}


def test_a_key_that_changes_arms_between_two_weights_is_not_contested() -> None:
    before, after = stratum(5, baseline=counted([1])), stratum(5, weight_bp=9000, candidate=counted([1]))
    assert check_slot(5, [before, after]).contested == frozenset()


@pytest.mark.parametrize(("weight_bp", "expected"), [(0, False), (1, True), (9999, True), (10_000, False)])
def test_one_arm_alone_is_no_comparison(weight_bp: int, expected: bool) -> None:
    assert is_comparison(weight_bp) is expected


def test_a_key_in_both_arms_of_one_weight_is_contested_whichever_parts_it_is_in() -> None:
    metrics = {"errors": MetricCounts(1, 0, frozenset({7}), NONE)}
    parts = [
        Stratum(5, "s1", "1", 1_000, metrics, {}, within="prompt=short"),
        Stratum(5, "s1", "1", 1_000, {}, metrics, within="prompt=long"),
    ]
    assert check_slot(5, parts).contested == {7}
    apart = [parts[0], replace(parts[1], weight_bp=2_000)]
    assert check_slot(5, apart).contested == NONE, "another weight may deal it otherwise"
