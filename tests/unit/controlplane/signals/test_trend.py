"""What looks like a leak, and what only seems to."""

import numpy as np
import pytest

from controlplane.signals.trend import POINTS_MAX, POINTS_MIN, trend

MIB = 1024.0 * 1024.0
NOISE = np.random.default_rng(7)


def points(values: "np.ndarray") -> list[tuple[float, float]]:
    """A point each half minute."""
    return [(30.0 * index, float(value)) for index, value in enumerate(values)]


def noisy(level: float, count: int) -> "np.ndarray":
    return level + NOISE.normal(0.0, MIB, count)


def test_a_steady_rise_is_found_with_its_slope() -> None:
    found = trend(points(noisy(400 * MIB, 60) + np.arange(60) * MIB))
    assert found is not None
    assert found.is_steady
    assert found.slope == pytest.approx(MIB / 30, rel=0.1)


def test_a_few_points_are_too_few_however_steep() -> None:
    assert trend(points(np.arange(POINTS_MIN - 1) * 100 * MIB)) is None


@pytest.mark.parametrize("minutes", [2, 5, 10, 20])
def test_a_server_that_warms_up_and_then_stands_leaks_not(minutes: int) -> None:
    """Weights and caches fill in the first minutes of an hour, then nothing grows: the commonest growth of all."""
    at_s = np.arange(POINTS_MAX) * 30.0
    warm = 2_000 * MIB * (1 - np.exp(-at_s / (minutes * 20.0)))
    for count in range(POINTS_MIN, POINTS_MAX + 1):
        if at_s[count - 1] >= minutes * 60 * 2:
            found = trend(points(noisy(500 * MIB, count) + warm[:count]))
            assert found is not None
            assert not found.is_steady, f"after {count} points"


def test_a_step_is_no_slope() -> None:
    found = trend(points(np.concatenate([noisy(400 * MIB, 30), noisy(900 * MIB, 30)])))
    assert found is not None
    assert not found.is_steady


def test_noise_is_no_slope_however_often_one_looks() -> None:
    values = points(noisy(400 * MIB, 400))
    looks = [trend(values[max(0, end - POINTS_MAX) : end]) for end in range(POINTS_MIN, 400, 4)]
    assert not any(look is not None and look.is_steady for look in looks)


def test_what_shrinks_or_grows_by_nothing_that_matters_is_no_leak() -> None:
    for step in (-MIB, 0.0, 0.0005 * MIB):
        found = trend(points(10_000 * MIB + np.arange(60) * step))
        assert found is not None
        assert not found.is_steady


def test_one_restart_does_not_hide_a_slope() -> None:
    values = 400 * MIB + np.arange(100) * MIB
    values[3] = 0.0
    found = trend(points(values))
    assert found is not None
    assert found.is_steady


def test_points_of_one_moment_have_no_slope() -> None:
    found = trend([(0.0, float(value)) for value in range(30)])
    assert found is not None
    assert (found.slope, found.is_steady) == (0.0, False)
