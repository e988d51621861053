import numpy as np
import pytest

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.diagnostics.seasonality import calendar, learn_profile

HOUR, DAY = 3_600, 86_400
# Monday 2024-01-01 00:00 UTC.
MONDAY = 1_704_067_200
HOUR_EFFECT = np.sin(np.arange(24) * 2.0 * np.pi / 24.0)
DAY_EFFECT = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 7.0])


def weeks(count: int, *, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    at = MONDAY + HOUR * np.arange(count * 7 * 24)
    hour, day = at // HOUR % 24, (at - MONDAY) // DAY % 7
    return at, 100.0 + HOUR_EFFECT[hour] + DAY_EFFECT[day] + noise * np.random.default_rng(1).standard_normal(len(at))


def test_hours_and_days_are_those_of_the_calendar() -> None:
    """Monday 1 January 2024, 00:00 UTC, and the Thursday of 1970-01-01."""
    hour, day, _ = calendar([MONDAY, MONDAY + 5 * DAY + 13 * HOUR, 0, -1])
    assert hour.tolist() == [0, 13, 0, 23]
    assert day.tolist() == [0, 5, 3, 2]


def test_hours_are_those_of_the_people_who_send() -> None:
    """Trap: at 23:30 UTC it is tomorrow in Berlin; and summer time moves every hour by one."""
    hour, day, _ = calendar([MONDAY - 30 * 60], utc_offset_s=HOUR)
    assert (hour[0], day[0]) == (0, 0)
    at, values = weeks(3)
    at = at - HOUR
    local = learn_profile(at, values, utc_offset_s=HOUR)
    assert np.abs(local.residual(at, values, utc_offset_s=HOUR)).max() == pytest.approx(0.0, abs=1e-9)
    assert np.abs(local.residual(at, values, utc_offset_s=2 * HOUR)).max() > 0.2


def test_both_seasons_are_found_and_taken_away() -> None:
    at, values = weeks(4, noise=0.05)
    profile = learn_profile(at, values)
    assert profile.days - profile.days[0] == pytest.approx(DAY_EFFECT, abs=0.1)
    assert profile.hours - profile.hours.mean() == pytest.approx(HOUR_EFFECT, abs=0.15)
    assert np.abs(profile.residual(at, values)).max() < 0.5


def test_a_weekend_is_no_fault_once_the_week_is_known() -> None:
    at, values = weeks(3, noise=0.1)
    profile = learn_profile(at, values)
    saturday = np.array([at[-1] + HOUR + 5 * DAY])
    assert profile.expected(saturday)[0] == pytest.approx(105.0 + HOUR_EFFECT[0], abs=0.3)


def test_with_less_than_two_weeks_a_day_of_the_week_is_a_date() -> None:
    """Trap: one bad Tuesday is no rule for Tuesdays, and a trend is no week."""
    at, values = weeks(1)
    assert learn_profile(at, values).days.tolist() == [0.0] * 7
    at, values = weeks(2)
    assert learn_profile(at, values).days.max() > 4.0


def test_one_day_is_no_season() -> None:
    with pytest.raises(TooFewError, match="an hour of one day"):
        learn_profile(MONDAY + HOUR * np.arange(24), np.arange(24.0))


def test_one_bad_day_does_not_become_usual() -> None:
    """Trap: a mean would carry an outage into every later week."""
    at, values = weeks(3)
    outage = values.copy()
    outage[24:48] += 1_000.0
    assert np.abs(learn_profile(at, outage).expected(at) - values).max() == pytest.approx(0.0, abs=1e-6)


def test_an_hour_that_was_never_seen_is_unknown_and_not_0() -> None:
    at, values = weeks(2)
    awake = (at // HOUR % 24) >= 6
    profile = learn_profile(at[awake], values[awake])
    expected = profile.expected([at[0], at[12]])
    assert np.isnan(expected[0])
    assert expected[1] == pytest.approx(values[12], abs=1e-6)


def test_points_may_come_in_any_order() -> None:
    at, values = weeks(2, noise=0.2)
    order = np.random.default_rng(2).permutation(len(at))
    one, other = learn_profile(at, values), learn_profile(at[order], values[order])
    assert one.expected(at) == pytest.approx(other.expected(at))


def test_constant_values_have_no_seasons() -> None:
    at, _ = weeks(2)
    profile = learn_profile(at, np.full(len(at), 3.0))
    assert profile.level == 3.0
    assert profile.hours.tolist() == [0.0] * 24
    assert profile.days.tolist() == [0.0] * 7


def test_bad_input_is_refused() -> None:
    at, values = weeks(2)
    profile = learn_profile(at, values)
    for call in (
        lambda: learn_profile([], []),
        lambda: learn_profile(at, values[:-1]),
        lambda: learn_profile(at, np.where(np.arange(len(values)) == 3, np.nan, values)),
        lambda: profile.residual([0, 1], [1.0]),
        lambda: profile.expected([float("nan")]),
        lambda: profile.expected([MONDAY * 1_000.0]),
    ):
        with pytest.raises(SeriesError):
            call()
    with pytest.raises(SettingError):
        calendar([0], utc_offset_s=15 * HOUR)
