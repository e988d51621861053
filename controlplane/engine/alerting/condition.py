"""Whether what a rule asks is so now: yes, no, or nobody can say. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from controlplane.engine.alerting.series import EVERY_MS, KEPT_MS, Series
from controlplane.evidence.diagnostics.smoothing import exponential_smoothing
from controlplane.manifest.alert_rule import REQUESTS, Arm, Direction, Measure, Odd, When
from controlplane.manifest.units import in_time
from controlplane.signals.trend import Z_NEEDED, trend

# Beside two windows: two and a half minutes of what is usual.
USUAL_POINTS_MIN = 30
# Trends and anomalies of shares and rates look at short windows, of which there are many in a long one.
_FINE_MS = 30_000
# Median of absolute deviations to a standard deviation, of normal noise.
_MAD = 1.4826
# Noise of nothing at all would make each change an anomaly.
_NOISE_MIN = 1e-3

Key = tuple[str, Arm]


@dataclass(frozen=True, slots=True)
class Answer:
    """`is_so` None: not known. `text`: the number, in words."""

    is_so: bool | None
    text: str = ""


def answer(when: When, series: Mapping[Key, Series], now_ms: int) -> Answer:
    """With `all`, one that is not so decides; with `any`, one that is."""
    decides = bool(when.any_of)
    found = [
        answer(each, series, now_ms)
        if isinstance(each, When)
        else _asked(each, series.get((each.metric, each.of), Series()), now_ms)
        for each in when.parts
    ]
    text = "; ".join(each.text for each in found if each.text and (each.is_so or not decides))
    if any(each.is_so is decides for each in found):
        return Answer(decides, text)
    return Answer(None if any(each.is_so is None for each in found) else not decides, text)


def _asked(of: Measure, series: Series, now_ms: int) -> Answer:
    look = series.rate if of.metric == REQUESTS else series.value
    if of.trend is not None:
        return _trend(of, series, now_ms)
    if of.anomaly is not None:
        return _anomaly(of, series, now_ms)
    value = look(now_ms, of.window_ms)
    if value is None:
        return Answer(None)
    name = f"{of.metric} of the {of.of} {_number(value)}"
    for limit, word, is_over in (
        (of.above, "above", value > (of.above or 0)),
        (of.below, "below", value < (of.below or 0)),
    ):
        if limit is not None:
            return Answer(is_over, f"{name} ({word} {_number(limit)})")
    return _change(of, look, value, now_ms, name)


def _change(of: Measure, look: Callable[[int, int], float | None], value: float, now_ms: int, name: str) -> Answer:
    before = look(now_ms - of.window_ms, of.window_ms)
    if before is None:
        return Answer(None)
    change = value - before if of.rises_by is not None else before - value
    limit = of.rises_by if of.rises_by is not None else of.falls_by
    assert limit is not None, "one of both is asked"
    return Answer(change > limit, f"{name} after {_number(before)} {in_time(of.window_ms / 1000)} before")


def _trend(of: Measure, series: Series, now_ms: int) -> Answer:
    """Mann-Kendall at the limit of the leaks; a median of slopes, which one outlier does not bend."""
    path = series.path(now_ms, of.window_ms, _FINE_MS, is_rate=of.metric == REQUESTS)
    found = trend(path)
    if found is None:
        return Answer(None)
    sign = 1.0 if of.trend is Direction.RISING else -1.0
    is_so = sign * found.z >= Z_NEEDED and sign * found.slope > 0.0
    return Answer(is_so, f"{of.metric} of the {of.of} {of.trend} by {_number(abs(found.slope) * 60)} a minute")


def _anomaly(of: Measure, series: Series, now_ms: int) -> Answer:
    """How far a value is from the average as it stood a window ago, in units of how far values before the window were
    from theirs. So a jump is odd for a window's length, and then it is the new usual."""
    path = series.path(now_ms, KEPT_MS, _FINE_MS, is_rate=of.metric == REQUESTS)
    lag = of.window_ms // EVERY_MS
    if len(path) < 2 * lag + USUAL_POINTS_MIN or path[-1][0] * 1_000 < now_ms - 3 * EVERY_MS:
        return Answer(None)
    values = np.array([value for _, value in path])
    usual = exponential_smoothing(values, 2.0 / (lag + 1.0))[:-lag]
    misses = values[lag:] - usual
    noise = max(_MAD * float(np.median(np.abs(misses[:-lag] - np.median(misses[:-lag])))), _NOISE_MIN)
    score = float(misses[-1]) / noise
    side = {Odd.HIGH: score, Odd.LOW: -score, Odd.EITHER: abs(score)}[of.anomaly or Odd.EITHER]
    text = f"{of.metric} of the {of.of} {_number(float(values[-1]))}, usually {_number(float(usual[-1]))}"
    return Answer(side > of.sigmas, f"{text} ({abs(score):.1f} sigmas)")


def _number(value: float) -> str:
    return f"{value:.4g}"
