"""Freeze windows: their edges to the millisecond, and what no window can be."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from controlplane.manifest.freeze import Freeze

WEEKEND = Freeze.model_validate({"cron": "0 18 * * FRI", "for": "60h", "timezone": "Europe/Berlin"})


def at_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * 1000


def test_a_window_begins_at_its_minute_and_ends_before_its_last_millisecond_is_over() -> None:
    start, end = at_ms("2026-11-27 18:00"), at_ms("2026-11-30 06:00")
    assert WEEKEND.until_ms(start - 1) is None
    assert WEEKEND.until_ms(start) == WEEKEND.until_ms(end - 1) == end
    assert WEEKEND.until_ms(end) is None


def test_a_clock_that_goes_back_into_a_window_is_in_it_again() -> None:
    end = at_ms("2026-11-30 06:00")
    assert [WEEKEND.until_ms(now) for now in (end, end - 60_000, end)] == [None, end, None]


def test_windows_that_overlap_themselves_never_end_in_between() -> None:
    always = Freeze.model_validate({"cron": "*/30 * * * *", "for": "1h", "timezone": "UTC"})
    start = at_ms("2026-11-25 12:00")
    assert all(always.until_ms(start + minute * 60_000) for minute in range(0, 180, 7))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"timezone": None}, "is no time zone"),
        ({"timezone": "CEST-land"}, "is no time zone"),
        ({"for": "745h"}, "from 1m to 744h"),
        ({"for": "30s"}, "from 1m to 744h"),
        ({"for": 60}, "is not a duration"),
        ({"cron": "0 18 * *"}, "not five fields"),
    ],
)
def test_what_is_no_window_is_refused(change: dict[str, object], part: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Freeze.model_validate({"cron": "0 18 * * FRI", "for": "60h", "timezone": "UTC"} | change)
    assert part in str(caught.value)


def test_the_time_zone_has_no_default() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Freeze.model_validate({"cron": "0 18 * * FRI", "for": "60h"})
