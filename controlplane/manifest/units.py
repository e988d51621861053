"""Values with units, as manifests write them: `5%`, `20pp`, `30s`. A bare number is refused, never guessed."""

import re
from decimal import Decimal, InvalidOperation

_PERCENT = re.compile(r"^(\d+(?:\.\d+)?)%$")
_POINTS = re.compile(r"^(\d+(?:\.\d+)?)pp$")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h)$")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
# A year: longer dwell times or deadlines are typing errors.
DURATION_MS_MAX = 366 * 24 * 3_600_000


def parse_percent_bp(text: object) -> int:
    """`"0.25%"` -> 25 basis points. Raises ValueError on another form, above 100 % or finer than 0.01 %."""
    if not isinstance(text, str) or not (found := _PERCENT.match(text.strip())):
        raise ValueError(f"{text!r} is not a percentage; write it with its unit, for example 5%")
    return _exact_bp(found[1], text)


def parse_points_bp(text: object) -> int:
    """`"20pp"` (percentage points) -> 2000 basis points. Raises ValueError as `parse_percent_bp`."""
    if not isinstance(text, str) or not (found := _POINTS.match(text.strip())):
        raise ValueError(f"{text!r} is not a number of percentage points; write it with its unit, for example 20pp")
    return _exact_bp(found[1], text)


def in_time(seconds: float) -> str:
    """A duration in words, as exact as it matters: `40 s`, `12 min`, `3 h`."""
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 36_000 else f"{seconds / 3600:.0f} h"


def in_seconds(value: float) -> str:
    """A latency in words: `1.25 s`, `38.4 ms`."""
    return f"{value:.3g} s" if value >= 1 else f"{1_000 * value:.3g} ms"


def _exact_bp(digits: str, text: str) -> int:
    try:
        scaled = Decimal(digits) * 100
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error
    if scaled > 10_000:
        raise ValueError(f"{text} is more than 100%")
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text} is finer than 0.01%, the smallest step of a weight")
    return int(scaled)


def parse_duration_ms(text: object) -> int:
    """`"1.5s"` -> 1500. Units ms, s, m, h. Raises ValueError on another form or more than a year."""
    if not isinstance(text, str) or not (found := _DURATION.match(text.strip())):
        raise ValueError(f"{text!r} is not a duration; write it with its unit (ms, s, m, h), for example 30s")
    value_ms = int(Decimal(found[1]) * _UNIT_MS[found[2]])
    if value_ms > DURATION_MS_MAX:
        raise ValueError(f"{text} is longer than a year")
    return value_ms
