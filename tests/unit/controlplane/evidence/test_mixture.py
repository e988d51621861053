"""Component starts, stakes, and the mixture's mean by exact enumeration."""

import itertools
import math

import numpy as np
import pytest

from controlplane.evidence import kernel
from controlplane.evidence.keys import NEVER
from controlplane.evidence.mixture import COMPONENTS_MAX, GAP_S_MIN, Opened, Starts, Wealth, stake


def test_stakes_sum_to_one_with_the_cash_whenever_one_looks() -> None:
    starts = Starts()
    starts.begin_step(0)
    for index in range(40):
        assert np.exp(starts.log_stakes).sum() + starts.cash == pytest.approx(1.0)
        starts.restart(100 * (index + 1))
    assert stake(0) == 0.5


def test_the_first_step_is_time_zero_and_each_later_one_a_start() -> None:
    starts = Starts()
    assert starts.begin_step(100) is None
    assert starts.begin_step(200) == Opened(None, 0.0)
    assert starts.slots.tolist() == [100, 200]


def test_two_steps_in_one_slot_are_one_start() -> None:
    starts = Starts()
    starts.begin_step(100)
    starts.begin_step(200)
    assert starts.begin_step(200) is None
    assert starts.slots.tolist() == [100, 200]


def test_nothing_is_due_before_the_first_step() -> None:
    assert not Starts().is_due(10**9)


def test_gaps_between_starts_grow_with_the_time_since_the_weight_changed() -> None:
    starts = Starts()
    starts.begin_step(0)
    for slot in range(1, 86_401):
        if starts.is_due(slot):
            starts.restart(slot)
    gaps = np.diff(starts.slots)
    assert gaps[:5].tolist() == [GAP_S_MIN] * 5
    assert (np.diff(gaps[4:]) > 0).all()
    assert len(starts.slots) == 31


def test_a_weight_change_makes_starts_frequent_again() -> None:
    starts = Starts()
    starts.begin_step(0)
    starts.restart(86_400)
    starts.begin_step(90_000)
    assert not starts.is_due(90_000 + GAP_S_MIN - 1)
    assert starts.is_due(90_000 + GAP_S_MIN)


def test_an_event_is_first_for_components_that_started_after_the_keys_previous_one() -> None:
    starts = Starts()
    starts.begin_step(10)
    starts.begin_step(20)
    starts.begin_step(30)
    previous = np.array([NEVER, 9, 10, 19, 20, 29])
    assert starts.firsts(previous, 30).tolist() == [2, 4, 6]
    assert starts.firsts(previous, 29).tolist() == [2, 4, 0], "a component that has not started counts nothing"
    assert starts.firsts(np.array([], dtype=np.int64), 30).tolist() == [0, 0, 0]


def test_at_most_64_components_bet_and_what_stops_keeps_its_wealth() -> None:
    starts = Starts()
    starts.begin_step(0)
    wealth = Wealth(starts, bets=2)
    for slot in range(1, COMPONENTS_MAX):
        wealth.opened(starts.restart(slot))
    increment = np.zeros((COMPONENTS_MAX, 2))
    increment[1] = math.log(1000.0)
    wealth.add(increment[None])
    before = wealth.total()
    opened = starts.restart(COMPONENTS_MAX)
    wealth.opened(opened)
    assert opened.stopped == 1
    assert len(starts.slots) == COMPONENTS_MAX
    assert starts.slots[:2].tolist() == [0, 2]
    assert wealth.total()[0] == pytest.approx(before)
    wealth.add(np.full((1, COMPONENTS_MAX, 2), -50.0))
    assert wealth.total()[0] == pytest.approx(math.log(1000.0 * stake(1) + starts.cash))


def test_the_mixture_of_fresh_components_is_worth_one() -> None:
    starts = Starts()
    starts.begin_step(0)
    wealth = Wealth(starts, bets=6)
    assert wealth.total()[0] == pytest.approx(0.0)
    wealth.opened(starts.restart(60))
    assert wealth.total()[0] == pytest.approx(0.0)


@pytest.mark.parametrize("weights", [(0.1, 0.1, 0.5, 0.5), (0.5, 0.9, 0.9, 0.1)])
def test_the_mean_of_the_mixture_is_exactly_one_when_every_key_fails_once(weights: tuple[float, ...]) -> None:
    """All 2^8 ways in which eight failing keys, two a slot, can sit in the arms; a start in every slot."""
    mean = 0.0
    for arms in itertools.product((0, 1), repeat=8):
        starts = Starts()
        starts.begin_step(0)
        wealth = Wealth(starts, bets=len(kernel.RATIOS))
        chance = 1.0
        for slot, weight in enumerate(weights):
            opened = starts.begin_step(slot)
            if opened:
                wealth.opened(opened)
            of_slot = arms[2 * slot : 2 * slot + 2]
            chance *= math.prod(weight if arm else 1 - weight for arm in of_slot)
            new = starts.firsts(np.array([NEVER, NEVER]), slot)
            candidate = starts.firsts(np.array([NEVER] * sum(of_slot), dtype=np.int64), slot)
            wealth.add(kernel.log_e(new, candidate, weight)[None])
        mean += chance * math.exp(wealth.total()[0])
    assert mean == pytest.approx(1.0)


def test_only_the_metrics_that_are_given_move_and_bets_may_have_stakes_of_their_own() -> None:
    starts = Starts()
    starts.begin_step(0)
    wealth = Wealth(starts, bets=2, metrics=3, log_bets=np.log([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]]))
    wealth.add(np.full((2, 1, 2), [math.log(3.0), 0.0]), np.array([1, 2]))
    assert np.exp(wealth.total()).tolist() == pytest.approx([1.0, 0.5 * 2.0 + 0.5, 0.5 * 2.8 + 0.5])


def test_events_of_many_groups_are_counted_as_each_alone() -> None:
    starts = Starts()
    for slot in (10, 20, 30):
        starts.begin_step(slot)
    previous, groups = np.array([NEVER, 9, 10, 19, 20, 29]), np.array([0, 2, 2, 0, 2, 0])
    together = starts.firsts_of(previous, groups, 3, 30)
    for group in range(3):
        assert together[group].tolist() == starts.firsts(previous[groups == group], 30).tolist()
