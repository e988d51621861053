"""Evidence about rates: events per exposure (restarts a replica-hour, tokens a second, errors a minute), by arm.

Given how many events K a slot had, and under equal Poisson rates, each is the candidate's with chance s = tB/(tA + tB),
t = the exposures: the binary kernel with s in place of the weight, exact, however the common rate moves.
- worse: with a tolerated factor rho, s = rho*tB/(tA + rho*tB): H0 {rateB <= rho*rateA};
- good enough: the arms swapped: H0 {rateB >= (1 + margin)*rateA} is refuted by the baseline's events being too many.
Events must be independent given the rates: events that come in bursts (ten errors of one request) are counted once by
the caller. No keys: nothing here is randomised per key, so a rate explains and may hold; where users are randomised,
judge shares. Several rates at once; starts as in `mixture.py`. Intervals: the gamma-Poisson mixture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln

from controlplane.evidence import kernel
from controlplane.evidence.binned import GOOD_LAM
from controlplane.evidence.errors import CountsError, PlanError, SlotOrderError
from controlplane.evidence.intervals import Interval
from controlplane.evidence.kernel import Floats, Ints, log_sum
from controlplane.evidence.keys import NEVER
from controlplane.evidence.mixture import Starts, Wealth
from controlplane.evidence.strata import is_whole

# Events of one slot: beyond it sums leave the whole numbers of 64 bits.
EVENTS_MAX = 10**12


@dataclass(frozen=True, slots=True)
class RatePlan:
    metric: str
    tolerated_factor: float  # roll back only beyond it, 1 or more
    margin_factor: float  # advance only below it, above 1


@dataclass(frozen=True, slots=True)
class RateCounts:
    """One rate in one slot. Exposure in any unit, the same for both arms: seconds of a replica, requests in flight."""

    baseline_events: int
    baseline_exposure: float
    candidate_events: int
    candidate_exposure: float


class RateEvidence:
    """Mutable, single-threaded."""

    def __init__(self, planned: Sequence[RatePlan]) -> None:
        """Raises PlanError."""
        for of in planned:
            if not 1.0 <= of.tolerated_factor < math.inf or not 1.0 < of.margin_factor < math.inf:
                raise PlanError(
                    f"rate {of.metric}: factors are {of.tolerated_factor} and {of.margin_factor}",
                    next_step="tolerate 1 or more, and give a margin above 1",
                )
        self._planned = planned
        self._tolerated: Floats = np.array([of.tolerated_factor for of in planned])
        self._margins: Floats = np.array([of.margin_factor for of in planned])
        self._starts = Starts()
        stakes = np.tile(kernel.LOG_STAKES, (len(planned), 1))
        self._worse = Wealth(self._starts, bets=len(kernel.RATIOS), metrics=len(planned), log_bets=stakes)
        self._good: Floats = np.zeros((len(planned), len(GOOD_LAM)))
        self._last_slot = NEVER
        self._has_step = False

    def begin_step(self, slot: int) -> None:
        """Raises SlotOrderError."""
        self._check_slot(slot)
        opened = self._starts.begin_step(slot)
        if opened is not None:
            self._worse.opened(opened)
        self._good = np.zeros_like(self._good)
        self._has_step = True

    def fold(self, slot: int, counts: Sequence[RateCounts]) -> None:
        """One slot, a row for each rate of the plan. Raises CountsError or SlotOrderError and has changed nothing."""
        self._check_slot(slot)
        if len(counts) != len(self._planned):
            raise CountsError(f"{len(counts)} rows for {len(self._planned)} rates")
        for row in counts:
            _check(row)
        self._last_slot = slot
        if self._starts.is_due(slot):
            self._worse.opened(self._starts.restart(slot))
        columns = np.array([(c.baseline_events, c.candidate_events) for c in counts], dtype=np.int64).reshape(-1, 2)
        exposures = np.array([(c.baseline_exposure, c.candidate_exposure) for c in counts]).reshape(-1, 2)
        told = np.flatnonzero((exposures > 0.0).all(axis=1) & (columns.sum(axis=1) > 0))
        if not len(told):
            return
        events, (t_a, t_b) = columns[told], exposures[told].T
        share = self._tolerated[told] * t_b / (t_a + self._tolerated[told] * t_b)
        live = (self._starts.slots <= slot)[:, None]
        log_e = kernel.log_e(events.sum(axis=1), events[:, 1], share[:, None])
        self._worse.add(np.where(live, log_e[:, None], 0.0), told)
        if self._has_step:
            baseline_share = t_a / (t_a + self._margins[told] * t_b)
            self._good[told] += _log_e(events.sum(axis=1), events[:, 0], baseline_share)

    def worse_log_e(self) -> Floats:
        """ln of the e-values, per rate."""
        return self._worse.total()

    def good_log_e(self) -> Floats:
        """ln of the e-values of the step, per rate."""
        value: Floats = log_sum(self._good) - math.log(len(GOOD_LAM))
        return value

    def _check_slot(self, slot: int) -> None:
        if not is_whole(slot) or slot < 0:
            raise CountsError(f"slot {slot!r} is no second since 1970")
        if slot <= self._last_slot:
            raise SlotOrderError("slot", slot, after=self._last_slot)


def rate_interval(events: int, exposure: float, *, alpha: float) -> Interval:
    """Of the running average of a rate, at whatever time somebody looks: the mixture is fixed beforehand."""
    _check(RateCounts(events, exposure, 0, 0.0))
    if exposure == 0.0:
        return Interval(0.0, math.inf)
    needed, seen = -math.log(alpha), events / exposure
    low = 0.0
    if events and _log_mixture(events, exposure, seen * 1e-12) >= needed:
        low = float(brentq(lambda rate: _log_mixture(events, exposure, rate) - needed, seen * 1e-12, seen))
    high = max(seen, 1.0 / exposure)
    while _log_mixture(events, exposure, high) < needed:
        high *= 2.0
    start = max(seen, high * 1e-15)
    if _log_mixture(events, exposure, start) >= needed:
        return Interval(low, start)
    return Interval(low, float(brentq(lambda rate: _log_mixture(events, exposure, rate) - needed, start, high)))


# A wide prior, Gamma: it costs about ln(events)/2 against knowing the rate.
_SHAPE, _PRIOR_EXPOSURE = 0.5, 0.5


def _log_mixture(events: int, exposure: float, rate: float) -> float:
    """ln of the likelihood of a Gamma mixture over that of `rate`: mean 1 under it at every time."""
    mixed = float(gammaln(_SHAPE + events) - gammaln(_SHAPE)) + _SHAPE * math.log(_PRIOR_EXPOSURE)
    mixed -= (_SHAPE + events) * math.log(_PRIOR_EXPOSURE + exposure)
    return mixed - events * math.log(rate) + rate * exposure


def _log_e(events: Ints, of_arm: Ints, share: Floats) -> Floats:
    value: Floats = np.multiply.outer(of_arm, GOOD_LAM) - events[:, None] * np.log1p(
        np.multiply.outer(share, np.expm1(GOOD_LAM))
    )
    return value


def _check(row: RateCounts) -> None:
    for events in (row.baseline_events, row.candidate_events):
        if not is_whole(events) or not 0 <= events <= EVENTS_MAX:
            raise CountsError(f"{events!r} events: whole numbers of 0..{EVENTS_MAX}")
    for events, exposure in (
        (row.baseline_events, row.baseline_exposure),
        (row.candidate_events, row.candidate_exposure),
    ):
        if not 0.0 <= exposure < math.inf:
            raise CountsError(f"exposure {exposure!r} is no finite number of 0 or more")
        if events and not exposure:
            raise CountsError(f"{events} events without exposure cannot be")
