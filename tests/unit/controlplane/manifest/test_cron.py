"""Cron's five fields: what they mean, also where the clocks change, and what is refused."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.manifest.cron import latest_start, parse_cron, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


def minute(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) // 60


def latest(cron: str, text: str, *, back_h: int = 60) -> str | None:
    start = latest_start(parse_cron(cron), BERLIN, minute(text), back_h * 60)
    return None if start is None else f"{datetime.fromtimestamp(start * 60, UTC).astimezone(BERLIN):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("cron", "at", "start"),
    [
        ("0 18 * * FRI", "2026-11-27 18:00", "2026-11-27 18:00"),
        ("0 18 * * FRI", "2026-11-29 12:00", "2026-11-27 18:00"),
        ("0 18 * * fri", "2026-11-27 17:59", None),
        ("*/15 9-17 * * 1-5", "2026-11-25 12:44", "2026-11-25 12:30"),
        ("30 8,20 * * *", "2026-11-25 12:00", "2026-11-25 08:30"),
        ("0 0 24 dec *", "2026-12-25 10:00", "2026-12-24 00:00"),
        ("0 0 1 * 0", "2026-11-29 10:00", "2026-11-29 00:00"),
        ("0 0 1 * 7", "2026-11-01 10:00", "2026-11-01 00:00"),
        ("0 12 */2 * *", "2026-11-25 13:00", "2026-11-25 12:00"),
        ("5/20 10 * * *", "2026-11-25 10:59", "2026-11-25 10:45"),
    ],
)
def test_the_last_time_is_found_by_the_clocks_of_the_zone(cron: str, at: str, start: str | None) -> None:
    assert latest(cron, at) == start


def test_a_time_that_spring_leaves_out_comes_an_hour_later_and_one_that_autumn_repeats_comes_once() -> None:
    assert latest("30 2 * * *", "2026-03-29 03:30") == "2026-03-29 03:30"
    first = latest_start(parse_cron("30 2 * * *"), BERLIN, minute("2026-10-25 02:30"), 60)
    an_hour_on = latest_start(parse_cron("30 2 * * *"), BERLIN, minute("2026-10-25 02:30") + 60, 60)
    assert first == an_hour_on == minute("2026-10-25 02:30")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("0 18 * *", "not five fields"),
        (5, "not five fields"),
        ("@daily", "not five fields"),
        ("60 * * * *", "'60' is no minute of cron (0 to 59)"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 * foo *", "'foo' is no month"),
        ("0 0 * fri *", "'fri' is no month"),
        ("0 0 * * 8", "'8' is no day of the week"),
        ("30-10 * * * *", "holds no minute"),
        ("*/0 * * * *", "holds no minute"),
        ("1,,2 * * * *", "is no minute"),
        ("-1 * * * *", "is no minute"),
    ],
)
def test_what_is_no_cron_is_refused_with_the_field(text: object, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        parse_cron(text)


@pytest.mark.parametrize("name", ["Europe/Berlim", "", "../etc/passwd", "Europe", 7])
def test_what_is_no_time_zone_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        zone_of(name)


@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(0, 6),
    st.integers(minute("2026-01-01 00:00"), minute("2027-01-01 00:00")),
)
def test_it_agrees_with_a_search_minute_by_minute(m: int, h: int, weekday: int, now: int) -> None:
    """In UTC, where no minute is left out or comes twice."""
    cron = parse_cron(f"{m} {h} * * {weekday}")
    week = timedelta(days=7)
    at = datetime.fromtimestamp(now * 60, UTC)
    found = latest_start(cron, UTC, now, 7 * 1_440)
    assert found is not None
    start = datetime.fromtimestamp(found * 60, UTC)
    assert (start.minute, start.hour, start.isoweekday() % 7) == (m, h, weekday)
    assert timedelta(0) <= at - start < week


def test_both_days_restricted_is_either() -> None:
    cron = parse_cron("0 0 13 * fri")
    assert [day for day in range(1, 31) if cron.is_on(date(2026, 11, day))] == [6, 13, 20, 27]
    assert [day for day in range(1, 32) if cron.is_on(date(2026, 10, day))] == [2, 9, 13, 16, 23, 30]
