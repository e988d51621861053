"""Signals: what can be true of them, and how several servers become one."""

import math

import pytest

from controlplane.signals.signal import Signal, is_sound, merged


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.5])
def test_what_is_no_number_of_anything_is_not_sound(value: float) -> None:
    assert not is_sound(Signal.QUEUE, value)


def test_a_share_is_at_most_one_but_for_rounding() -> None:
    assert is_sound(Signal.KV_CACHE, 1.0)
    assert is_sound(Signal.KV_CACHE, 1.001)
    assert not is_sound(Signal.KV_CACHE, 87.0)
    assert is_sound(Signal.QUEUE, 87.0)


def test_of_several_servers_the_fullest_share_counts_and_requests_add_up() -> None:
    both = merged([{Signal.KV_CACHE: 0.2, Signal.QUEUE: 3.0}, {Signal.KV_CACHE: 0.9, Signal.QUEUE: 4.0}])
    assert both == {Signal.KV_CACHE: 0.9, Signal.QUEUE: 7.0}
    assert merged([]) == {}


def test_counters_are_told_by_their_name() -> None:
    assert [signal for signal in Signal if signal.is_counter] == [
        Signal.PREEMPTIONS,
        Signal.CPU_SECONDS,
        Signal.DISK_READ,
        Signal.DISK_WRITTEN,
    ]
