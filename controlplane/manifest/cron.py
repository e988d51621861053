"""Times that come again, in cron's five fields: minute, hour, day of the month, month, day of the week. Pure.

`*`, numbers, `a-b`, lists, steps `*/n` and `a-b/n`; months and days of the week also by their English names of three
letters; Sunday is 0 and 7. As in cron, a time meets either of the two day fields where both are restricted. No `@daily`
and no seconds.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {name: number for number, name in enumerate(_MONTHS, start=1)} | {
    name: number for number, name in enumerate(_WEEKDAYS)
}
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)
_PART = re.compile(r"(?:(\*)|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:/([0-9]{1,2}))?")
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Cron:
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    is_either_day: bool  # both day fields are restricted: one of them is enough

    def is_on(self, day: date) -> bool:
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (by_month or by_week if self.is_either_day else by_month and by_week)


def parse_cron(text: object) -> Cron:
    """Raises ValueError with the field that is wrong."""
    fields = text.lower().split() if isinstance(text, str) else []
    if len(fields) != len(_FIELDS):
        raise ValueError(f"{text!r} is not five fields of cron, for example '0 18 * * FRI'")
    minutes, hours, days, months, weekdays = (_numbers(field, *row) for field, row in zip(fields, _FIELDS, strict=True))
    is_either = not fields[2].startswith("*") and not fields[4].startswith("*")
    on = frozenset(each % 7 for each in weekdays)
    return Cron(tuple(sorted(minutes)), tuple(sorted(hours)), frozenset(days), frozenset(months), on, is_either)


def _numbers(field: str, name: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no {name} of cron: write *, a number, a range a-b or a step */n")
        star, first, last, step = match.groups()
        start = low if star else _number(first, name, low, high, names)
        end = high if star or (step and not last) else _number(last or first, name, low, high, names)
        if end < start or step == "0":
            raise ValueError(f"{part!r} holds no {name}")
        found |= set(range(start, end + 1, int(step or 1)))
    return found


def _number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    value = _NAMES[text] if text in names else int(text) if text.isdecimal() else -1
    if not low <= value <= high:
        raise ValueError(f"{text!r} is no {name} of cron ({low} to {high})")
    return value


def zone_of(name: object) -> ZoneInfo:
    """A time zone by its name in the IANA database. Raises ValueError."""
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write its name, for example Europe/Berlin or UTC") from None


@lru_cache(maxsize=1_024)
def latest_start(cron: Cron, zone: tzinfo, minute: int, back_minutes: int) -> int | None:
    """The last time of `cron` at or before a minute and not much longer ago than `back_minutes`, in minutes since 1970.

    A local time that a change of the clocks leaves out comes as much later; one that it repeats comes once, first.
    """
    today = datetime.fromtimestamp(minute * 60, UTC).astimezone(zone).date()
    for back in range(back_minutes // 1_440 + 2):
        day = today - timedelta(days=back)
        if not cron.is_on(day):
            continue
        times = (datetime(day.year, day.month, day.day, h, m, tzinfo=zone) for h in cron.hours for m in cron.minutes)
        starts = [start for at in times if (start := int(at.timestamp()) // 60) <= minute]
        if starts:
            return max(starts)
    return None
