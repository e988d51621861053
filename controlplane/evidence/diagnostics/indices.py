"""Three indices that people ask for by name: P = S/N, R = C/M, D = (T1 - T2)/T0.

P: successes S of N requests. R: used capacity C of the most there is, M (slots, memory, tokens a second: one unit for
both). D: the candidate's time T1 less the baseline's T2, in parts of a reference time T0 (the baseline's before the
rollout); above 0 is slower. Times are medians, in one unit.
Traps: 1 of 1 and 1,000 of 1,000 are both P = 1, so P comes with its interval; a P over seconds with a moving split
compares busy seconds with calm ones (`intervals.stratified_ratio` does not); R above 1 is possible (queues) and told; D
from means is the tail's, and D with the candidate's own time as T0 shrinks what it should show.
"""

import math
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.series import Values, finite
from controlplane.evidence.intervals import Interval, share_interval


@dataclass(frozen=True, slots=True)
class SuccessIndex:
    """P, and where the share lies with 95 % at every look."""

    p: float
    interval: Interval


def success_index(successes: int, requests: int) -> SuccessIndex:
    """P = S/N. Raises SeriesError (not whole, negative, S > N, N = 0: no share of nothing)."""
    for count in (successes, requests):
        if isinstance(count, bool) or not isinstance(count, int):
            raise SeriesError(f"{count!r} is no count", next_step="give whole numbers")
    if not 0 <= successes <= requests or requests == 0:
        raise SeriesError(f"{successes} of {requests}", next_step="give 0 <= S <= N, N at least 1")
    bad = share_interval(requests - successes, requests, alpha=0.05)
    return SuccessIndex(successes / requests, Interval(1.0 - bad.high, 1.0 - bad.low))


def resource_index(used: float, available: float) -> float:
    """R = C/M, one unit for both; above 1 where more is wanted than there is. Raises SeriesError (C < 0, M <= 0)."""
    if not (math.isfinite(used) and math.isfinite(available)) or used < 0.0 or available <= 0.0:
        raise SeriesError(f"{used} of {available}", next_step="give C >= 0 and M > 0 in one unit")
    return used / available


def delay_index(candidate_s: Values, baseline_s: Values, reference_s: Values) -> float:
    """D = (T1 - T2)/T0 from samples of any length in one unit, by medians. Raises SeriesError (empty, times <= 0)."""
    t1, t2, t0 = (
        _median_time(times, name)
        for times, name in ((candidate_s, "candidate"), (baseline_s, "baseline"), (reference_s, "reference"))
    )
    return (t1 - t2) / t0


def _median_time(times: Values, name: str) -> float:
    array = finite(times, name=name)
    if (array <= 0.0).any():
        raise SeriesError(f"{name}: a time is 0 or less", next_step="leave out what was not measured")
    return float(np.median(array))
