"""Thresholds, rates, anomalies, trends and their combinations, on series that a test draws with a seed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from controlplane.engine.alerting.condition import Answer, answer
from controlplane.engine.alerting.series import EVERY_MS, Counts, Series
from controlplane.manifest.alert_rule import Arm, Measure, When

T0 = 1_000_000
POINTS = 200
NOW = T0 + (POINTS - 1) * EVERY_MS


def drawn(value: Callable[[int], float], points: int = POINTS) -> Series:
    series = Series()
    for number in range(points):
        series.add(T0 + number * EVERY_MS, value(number))
    return series


def when(*measures: dict[str, Any], kind: str = "all") -> When:
    return When.model_validate({kind: tuple(Measure.model_validate(each) for each in measures)})


def asked(series: Series, now_ms: int = NOW, **measure: Any) -> Answer:
    return answer(when({"metric": "queue", **measure}), {("queue", Arm.CANDIDATE): series}, now_ms)


NOISE = np.random.default_rng(7).normal(0.0, 1.0, 4 * POINTS)


@pytest.mark.parametrize(
    ("measure", "is_so"),
    [({"above": 4}, True), ({"above": 5}, False), ({"below": 6}, True), ({"below": 5}, False)],
)
def test_a_threshold_is_beyond_not_at(measure: dict[str, Any], is_so: bool) -> None:
    assert asked(drawn(lambda _: 5.0), **measure).is_so is is_so


def test_a_threshold_says_its_number() -> None:
    assert asked(drawn(lambda _: 5.0), above=4).text == "queue of the candidate 5 (above 4)"


def test_a_change_is_against_a_window_ago() -> None:
    step = drawn(lambda number: 10.0 if number >= POINTS - 6 else 2.0)
    assert asked(step, rises_by=7, window="1m").is_so
    assert asked(step, rises_by=9, window="1m").is_so is False
    assert asked(step, rises_by=7, window="10s").is_so is False
    assert asked(step, falls_by=7, window="1m").is_so is False
    assert "10 after 2 60 s before" in asked(step, rises_by=7, window="1m").text


def test_a_share_of_counts_is_compared_as_a_share() -> None:
    series = Series()
    for number in range(POINTS):
        series.add(T0 + number * EVERY_MS, Counts(100 * number, 3 * number))
    key = {("errors", Arm.CANDIDATE): series}
    assert answer(when({"metric": "errors", "above": "2%"}), key, NOW).is_so
    assert answer(when({"metric": "errors", "above": "4%"}), key, NOW).is_so is False


def test_what_nobody_can_say_is_neither() -> None:
    assert asked(Series(), above=0) == Answer(None)
    assert asked(drawn(lambda _: 1.0, points=10), T0 + 9 * EVERY_MS, anomaly="high").is_so is None
    assert asked(drawn(lambda _: 1.0, points=10), T0 + 9 * EVERY_MS, trend="rising").is_so is None


def test_noise_is_no_anomaly_and_a_jump_is_one_for_a_windows_length() -> None:
    def at(number: int) -> float:
        return 50.0 + NOISE[number] + (20.0 if number >= POINTS else 0.0)

    series = drawn(at, points=2 * POINTS)
    seen = {
        number: asked(series, T0 + number * EVERY_MS, anomaly="high", window="1m").is_so
        for number in range(POINTS - 100, POINTS + 60)
    }
    before = [value for number, value in seen.items() if number < POINTS]
    assert before.count(True) == 0
    assert all(seen[number] for number in range(POINTS, POINTS + 12)), "as long as the window"
    assert not seen[POINTS + 50], "then it is usual"
    assert asked(series, T0 + POINTS * EVERY_MS, anomaly="low", window="1m").is_so is False


def test_a_steady_rise_is_a_trend_and_noise_or_one_outlier_is_none() -> None:
    rising = drawn(lambda number: 10.0 + 0.2 * number + NOISE[number])
    assert asked(rising, trend="rising", window="10m").is_so
    assert asked(rising, trend="falling", window="10m").is_so is False
    assert asked(drawn(lambda number: 10.0 - 0.2 * number + NOISE[number]), trend="falling", window="10m").is_so
    assert asked(drawn(lambda number: 10.0 + NOISE[number]), trend="rising", window="10m").is_so is False
    spike = drawn(lambda number: 1_000.0 if number == POINTS - 2 else 10.0 + NOISE[number])
    assert asked(spike, trend="rising", window="10m").is_so is False


@pytest.mark.parametrize(
    ("kind", "values", "is_so"),
    [
        ("all", (1.0, 1.0), True),
        ("all", (1.0, 0.0), False),
        ("all", (1.0, None), None),
        ("all", (0.0, None), False),
        ("any", (1.0, None), True),
        ("any", (0.0, 0.0), False),
        ("any", (0.0, None), None),
    ],
)
def test_all_and_any_know_what_is_unknown(kind: str, values: tuple[float | None, ...], is_so: bool | None) -> None:
    names = ("queue", "running")
    series = {
        (name, Arm.CANDIDATE): drawn(lambda _, value=value: value)  # type: ignore[misc]
        for name, value in zip(names, values, strict=True)
        if value is not None
    }
    found = answer(when(*({"metric": name, "above": 0.5} for name in names), kind=kind), series, NOW)
    assert found.is_so is is_so


def test_lists_in_each_other_are_answered_from_within() -> None:
    series = {("queue", Arm.CANDIDATE): drawn(lambda _: 5.0), ("running", Arm.CANDIDATE): drawn(lambda _: 1.0)}
    over, under, unknown = ({"metric": name, "above": 3} for name in ("queue", "running", "gpu"))

    def of(value: dict[str, Any]) -> Answer:
        return answer(When.model_validate(value), series, NOW)

    assert of({"all": (over, {"any": (under, over)})}) == Answer(
        True, "queue of the candidate 5 (above 3); queue of the candidate 5 (above 3)"
    )
    assert of({"all": (over, {"any": (under, unknown)})}).is_so is None
    assert of({"all": (over, {"all": (under, unknown)})}).is_so is False
    assert of({"any": (under, {"all": (over, over)})}).is_so is True
    assert of({"any": (under, {"all": (over, under)})}).is_so is False
