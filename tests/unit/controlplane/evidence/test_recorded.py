"""Recorded counts: the path by hand, any order, restarts, weights, refusals."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.bounds import Bound
from controlplane.evidence.errors import CountsError
from controlplane.evidence.kernel import RATIOS
from controlplane.evidence.mixture import stake
from controlplane.evidence.recorded import EvidencePath, RecordedSlot, RowError, judge_recorded

ROWS = [
    RecordedSlot(0, 90, 0, 10, 1),
    RecordedSlot(1, 91, 1, 9, 0),
    RecordedSlot(2, 88, 0, 12, 3),
    RecordedSlot(3, 0, 0, 100, 50),
    RecordedSlot(130, 50, 1, 50, 9),
]


def by_hand(rows: list[RecordedSlot]) -> list[float]:
    """The running log of the equal-weight mixture over the ratios, binomial bound, realised share, no restarts."""
    sums, path = [0.0] * len(RATIOS), []
    for row in rows:
        for index, ratio in enumerate(RATIOS):
            if row.baseline_n and row.candidate_n:
                share = row.candidate_n / (row.baseline_n + row.candidate_n)
                bad = row.baseline_k + row.candidate_k
                sums[index] += row.candidate_k * math.log(ratio) - bad * math.log(1 + share * (ratio - 1))
        path.append(math.log(sum(math.exp(value) for value in sums) / len(RATIOS)))
    return path


def test_the_plain_path_can_be_checked_by_hand() -> None:
    path = judge_recorded(ROWS, alpha=0.05, bound=Bound.BINOMIAL, restart_every_s=0)
    assert path.slots == (0, 1, 2, 3, 130)
    np.testing.assert_allclose(path.log_e, by_hand(ROWS))
    assert path.crossed_at_slot == 2
    assert path.is_worse


@given(st.permutations(ROWS))
def test_any_order_of_the_rows_gives_the_same_path(rows: list[RecordedSlot]) -> None:
    assert judge_recorded(rows, alpha=0.05) == judge_recorded(ROWS, alpha=0.05)


def test_restarts_mix_the_paths_that_begin_at_each_start_with_the_cash() -> None:
    path = judge_recorded(ROWS, alpha=0.05, bound=Bound.BINOMIAL, restart_every_s=60)
    whole, late = by_hand(ROWS)[-1], by_hand(ROWS[4:])[-1]
    expected = stake(0) * math.exp(whole) + (stake(1) + stake(2)) * math.exp(late) + 0.5 - stake(1) - stake(2)
    assert path.log_e[-1] == pytest.approx(math.log(expected))


def test_years_between_two_slots_cost_nothing() -> None:
    rows = [ROWS[0], replace(ROWS[2], slot=10**15)]
    path = judge_recorded(rows, alpha=0.05, ratios=[2.0], bound=Bound.BINOMIAL)
    assert path.log_e[-1] > path.log_e[0]


def test_the_weight_in_force_replaces_the_realised_share_in_its_row_alone() -> None:
    rows = [ROWS[0], replace(ROWS[2], weight_bp=2000), replace(ROWS[1], slot=9, weight_bp=0)]
    path = judge_recorded(rows, alpha=0.05, ratios=[3.0], bound=Bound.BINOMIAL, restart_every_s=0)
    first = math.log(3) - math.log(1 + 0.1 * 2)
    np.testing.assert_allclose(path.log_e, [first, first + 3 * (math.log(3) - math.log(1.4)), path.log_e[1]])


def test_the_exact_bound_says_more_than_the_minimum_and_that_more_than_the_binomial() -> None:
    rows = [replace(ROWS[4], slot=slot) for slot in range(5)]
    exact, minimum, plain = (
        judge_recorded(rows, alpha=0.05, ratios=[2.0], bound=bound, restart_every_s=0).log_e[-1]
        for bound in (Bound.EXACT, Bound.MINIMUM, Bound.BINOMIAL)
    )
    assert exact > minimum >= plain


def test_nothing_recorded_is_no_evidence() -> None:
    assert judge_recorded([], alpha=0.05) == EvidencePath((), (), None)


def test_starts_of_ages_later_have_their_stake_too() -> None:
    rows = [ROWS[0], *(replace(ROWS[2], slot=10**18 + second) for second in range(0, 6000, 60))]
    path = judge_recorded(rows, alpha=0.05)
    assert all(math.isfinite(value) for value in path.log_e)
    assert path.is_worse


def test_an_exact_sum_that_would_fill_the_memory_is_refused() -> None:
    huge = RecordedSlot(1, 10**12, 9 * 10**11, 10**12, 10**11)
    with pytest.raises(RowError, match="take auto"):
        judge_recorded([ROWS[0], huge], alpha=0.05, bound=Bound.EXACT)


@pytest.mark.parametrize("restart_every_s", [0, 1])
def test_the_mean_of_the_whole_path_is_at_most_one(restart_every_s: int) -> None:
    """Three slots of 3 + 2 requests; every outcome at one rate, and the rate drifts."""
    mean, rates = 0.0, (0.1, 0.8, 0.4)
    for bad in itertools.product(range(4), range(3), repeat=3):
        chance, rows = 1.0, []
        for slot, rate in enumerate(rates):
            k_a, k_b = bad[2 * slot : 2 * slot + 2]
            chance *= math.comb(3, k_a) * math.comb(2, k_b) * rate ** (k_a + k_b) * (1 - rate) ** (5 - k_a - k_b)
            rows.append(RecordedSlot(slot, 3, k_a, 2, k_b))
        mean += chance * math.exp(judge_recorded(rows, alpha=0.05, restart_every_s=restart_every_s).log_e[-1])
    assert mean == pytest.approx(1.0)


COUNTS = st.tuples(st.integers(0, 10**12), st.floats(0, 1)).map(lambda pair: (pair[0], int(pair[0] * pair[1])))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(COUNTS, COUNTS, st.none() | st.integers(0, 10_000)), max_size=6))
def test_whatever_is_recorded_the_path_is_finite(
    drawn: list[tuple[tuple[int, int], tuple[int, int], int | None]],
) -> None:
    rows = [RecordedSlot(slot, *a, *b, weight) for slot, (a, b, weight) in enumerate(drawn)]
    assert all(math.isfinite(value) for value in judge_recorded(rows, alpha=0.05).log_e)


def test_a_rollout_of_many_slots_with_one_failure_each_is_the_same_as_the_sum_of_its_slots() -> None:
    rows = [RecordedSlot(slot, 90, 1, 10, 0, 1000) for slot in range(500)]
    path = judge_recorded(rows, alpha=0.05, ratios=[2.0], restart_every_s=0)
    assert path.log_e[-1] == pytest.approx(-500 * math.log(1.1))


@pytest.mark.parametrize(
    "row",
    [
        RecordedSlot(1, -1, 0, 1, 0),
        RecordedSlot(1, 1, 2, 1, 0),
        RecordedSlot(1, 1, 0, 1, 2),
        RecordedSlot(1, 1, 0, 10**16, 0),
        RecordedSlot(1, math.nan, 0, 1, 0),  # type: ignore[arg-type]
        RecordedSlot(0, 1, 0, 1, 0),
        RecordedSlot(1, 1, 0, 1, 0, 10_001),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_its_number(row: RecordedSlot) -> None:
    with pytest.raises(CountsError, match="row 1"):
        judge_recorded([ROWS[0], row], alpha=0.05)


@pytest.mark.parametrize(
    "options",
    [{"alpha": 0.0}, {"alpha": math.nan}, {"ratios": []}, {"ratios": [1.0]}, {"restart_every_s": -1}],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(CountsError):
        judge_recorded(ROWS, **{"alpha": 0.05, **options})  # type: ignore[arg-type]
