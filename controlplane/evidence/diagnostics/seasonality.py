"""Hour of day and day of week: what is usual at this time, and what is left when it is taken away.

value = level + hour effect + day effect, by median polish (Tukey 1977, Mosteller & Tukey 1977): one bad day moves no
median of several. 24 + 7 numbers need less history than 168 means.
Traps: with fewer than two weeks a day of the week is a date, not a season, so its effect is 0 until then (two days for
hours); hours are those of the people who send, so the offset from UTC counts, and changes with summer time; a night
without traffic is a cell without values, not a value of 0.
"""

from dataclasses import dataclass

import numpy as np

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.diagnostics.series import Values, finite, same_length
from controlplane.evidence.kernel import Floats, Ints

HOURS, DAYS = 24, 7
_DAY_S, _HOUR_S = 86_400, 3_600
# 1970-01-01 was a Thursday; Monday is 0.
_FIRST_DAY = 3
_OFFSET_S_MAX = 14 * _HOUR_S
_AT_S_MAX = 1e11
_POLISH_ROUNDS = 20
HOURS_NEED_DAYS, DAYS_NEED_DAYS = 2, 14


@dataclass(frozen=True, slots=True)
class Profile:
    """`hours` (24,) and `days` (7,), Monday first, in the values' unit; NaN where nothing was ever seen."""

    level: float
    hours: Floats
    days: Floats
    days_seen: int

    def expected(self, at_s: Values, *, utc_offset_s: int = 0) -> Floats:
        """(n,) seconds since 1970 -> (n,) usual values; NaN at an hour that was never seen. Raises SeriesError."""
        hour, day, _ = calendar(at_s, utc_offset_s=utc_offset_s)
        usual: Floats = self.level + self.hours[hour] + self.days[day]
        return usual

    def residual(self, at_s: Values, values: Values, *, utc_offset_s: int = 0) -> Floats:
        """values less what is usual, (n,). Raises SeriesError."""
        array = finite(values, name="values")
        usual = self.expected(at_s, utc_offset_s=utc_offset_s)
        same_length("at_s and values", usual, array)
        return array - usual


def calendar(at_s: Values, *, utc_offset_s: int = 0) -> tuple[Ints, Ints, Ints]:
    """(n,) seconds since 1970 -> hour 0..23, day 0..6 (Monday 0) and running day, all (n,), where clocks are ahead of
    UTC by `utc_offset_s`. Raises SeriesError, SettingError."""
    if abs(utc_offset_s) > _OFFSET_S_MAX:
        raise SettingError(f"utc_offset_s is {utc_offset_s}", next_step="give seconds within 14 hours")
    at = finite(at_s, name="at_s")
    if (np.abs(at) > _AT_S_MAX).any():
        raise SeriesError("at_s: a time beyond the year 5138", next_step="give seconds since 1970, not milliseconds")
    local = np.floor(at + utc_offset_s).astype(np.int64)
    running = local // _DAY_S
    return local % _DAY_S // _HOUR_S, (running + _FIRST_DAY) % DAYS, running


def learn_profile(at_s: Values, values: Values, *, utc_offset_s: int = 0) -> Profile:
    """at_s, values (n,), any order and spacing. Needs values on two days; days of the week count from 14 days on.

    Raises SeriesError, TooFewError, SettingError.
    """
    hour, day, running = calendar(at_s, utc_offset_s=utc_offset_s)
    array = finite(values, name="values")
    same_length("at_s and values", hour.astype(np.float64), array)
    seen = len(np.unique(running))
    if seen < HOURS_NEED_DAYS:
        raise TooFewError("days", found=seen, needed=HOURS_NEED_DAYS, why="an hour of one day is no season")
    has_weeks = seen >= DAYS_NEED_DAYS
    cells = np.full((DAYS if has_weeks else 1, HOURS), np.nan)
    rows = day if has_weeks else np.zeros_like(day)
    for row, column in {*zip(rows.tolist(), hour.tolist(), strict=True)}:
        cells[row, column] = np.median(array[(rows == row) & (hour == column)])
    level, day_effects, hour_effects = _polish(cells)
    return Profile(level, hour_effects, day_effects if has_weeks else np.zeros(DAYS), seen)


def _polish(cells: Floats) -> tuple[float, Floats, Floats]:
    """Level, row effects, column effects. A row or column without any value has effect NaN."""
    rest = cells.copy()
    rows, columns, level = np.zeros(len(cells)), np.zeros(cells.shape[1]), 0.0
    for _ in range(_POLISH_ROUNDS):
        step = _medians(rest)
        rest -= step[:, None]
        rows += step
        level, rows = _centred(level, rows)
        step = _medians(rest.T)
        rest -= step[None, :]
        columns += step
        level, columns = _centred(level, columns)
    return level, rows, columns


def _medians(lines: Floats) -> Floats:
    """Of each line; NaN where it holds nothing."""
    whole = [line[np.isfinite(line)] for line in lines]
    return np.array([np.median(line) if len(line) else np.nan for line in whole])


def _centred(level: float, effects: Floats) -> tuple[float, Floats]:
    middle = float(np.median(effects[np.isfinite(effects)]))
    return level + middle, effects - middle
