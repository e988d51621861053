"""The share of slow requests that plots show: one edge for a whole rollout, from the baseline's first 200."""

from controlplane.engine.slow import SlowShare


def test_nothing_is_counted_before_the_baseline_has_shown_enough() -> None:
    slow = SlowShare()
    assert slow.counts({10: 100}, {10: 50}) == (0, 0, 0, 0)
    assert slow.edge is None


def test_slow_is_what_lies_above_the_baselines_first_p90_from_then_on() -> None:
    slow = SlowShare()
    slow.counts({10: 180, 20: 20}, {})
    assert slow.edge == 10
    assert slow.counts({10: 8, 20: 2}, {11: 3, 5: 1}) == (10, 2, 4, 3)
    slow.counts({40: 1_000}, {})
    assert slow.edge == 10
