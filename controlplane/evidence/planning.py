"""Expected exposures and times: what `plan`, `steps: auto` and "needs about n more requests" rest on.

Evidence grows by its information per request, a Kullback-Leibler divergence, so the expected number of requests is what
is needed over that. For a rollback 1.2 nats come on top for what mixtures cost and for overshooting; for an advance
nothing does: its median comes before the mean by about what its mixture costs. Estimates: verdicts never look at them.
To first order the candidate's requests until a rollback do not depend on its weight: a small first weight costs time,
not users.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.evidence.harm import excess_limit
from controlplane.evidence.kernel import RATIOS, STAKES
from controlplane.evidence.margin import project
from serinus.contract.weight import WEIGHT_TOTAL_BP

ROLLBACK_OVERHEAD_NATS = 1.2
STEPS_MAX = 12
_FACTORS = (1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0)
_USERS_FIRST = 20
_RATE_MIN = 1e-6
_SEARCHES = 60


@dataclass(frozen=True, slots=True)
class Expected:
    """Of one step: seconds, and requests of the candidate in it."""

    weight_bp: int
    seconds: float
    candidate_requests: float


def requests_to_rollback(baseline: float, candidate: float, *, weight: float, alpha: float) -> float:
    """The candidate's requests until it is found worse; infinite if it is not."""
    if candidate <= baseline:
        return math.inf
    pooled = (1.0 - weight) * baseline + weight * candidate
    information = (1.0 - weight) * divergence(baseline, pooled) + weight * divergence(candidate, pooled)
    return weight * (ROLLBACK_OVERHEAD_NATS - math.log(alpha)) / information


def advance_information(rate: float, limit: float, *, weight: float) -> float:
    """Nats per request (of both arms) that arms alike at `rate` gather against an excess of `limit`."""
    inside = min(max(rate, _RATE_MIN), 1.0 - _RATE_MIN)
    p = project(weight, inside, inside, limit)
    return (1.0 - weight) * divergence(inside, p) + weight * divergence(inside, p + limit)


def requests_to_advance(rate: float, limit: float, *, weight: float, alpha: float) -> float:
    """The candidate's requests until a healthy one may advance."""
    return weight * -math.log(alpha) / advance_information(rate, limit, weight=weight)


def remaining(log_e: float, *, needed: float, per_request: float) -> float:
    """Requests still missing at this much evidence a request; infinite where it does not grow."""
    if log_e >= needed:
        return 0.0
    return (needed - log_e) / per_request if per_request > 0.0 else math.inf


def ramp(
    steps_bp: Sequence[int], *, rps: float, rate: float, budget_bp: int, alpha: float, min_step_s: float
) -> tuple[Expected, ...]:
    """Each step but the last of a healthy candidate's way up; evidence of earlier steps counts for later ones."""
    needed = -math.log(alpha)
    done: list[Expected] = []
    for weight_bp, next_bp in itertools.pairwise(steps_bp):
        limit, seconds = excess_limit(budget_bp, next_bp), min_step_s
        if limit is not None:
            have = math.fsum(rps * step.seconds * _at(rate, limit, step.weight_bp) for step in done)
            seconds = max(seconds, (needed - have) / (rps * _at(rate, limit, weight_bp)))
        done.append(Expected(weight_bp, seconds, rps * seconds * weight_bp / WEIGHT_TOTAL_BP))
    return tuple(done)


def steps_auto(
    *, users: int, rps: float, rate: float, budget_bp: int, alpha: float, min_step_s: float
) -> tuple[int, ...]:
    """The ladder to 100 % that is expected to be the shortest. Its first weight stays within the harm budget even if
    every request of the candidate fails, but has 20 users; weights grow by one factor."""
    first_bp = min(max(budget_bp, math.ceil(_USERS_FIRST * WEIGHT_TOTAL_BP / max(users, 1)), 1), WEIGHT_TOTAL_BP // 2)
    ladders = [ladder for factor in _FACTORS if len(ladder := _ladder(first_bp, factor)) <= STEPS_MAX]

    def seconds(steps_bp: tuple[int, ...]) -> float:
        options = {"rps": rps, "rate": rate, "alpha": alpha, "min_step_s": min_step_s}
        return math.fsum(step.seconds for step in ramp(steps_bp, budget_bp=budget_bp, **options))

    return min(ladders, key=seconds)


def users_of_a_day(*, distinct: float, requests: float, requests_a_day: float) -> int:
    """How many users a day has, when so many different ones sent these requests: the U with U*(1 - e^(-n/U)) of them
    met after n requests (users who come back at random), by bisection. At most one a request."""
    most = max(requests_a_day, distinct, 1.0)
    low, high = max(distinct, 1.0), most
    if distinct >= most * -math.expm1(-requests / most):
        return math.ceil(most)
    for _ in range(_SEARCHES):
        middle = (low + high) / 2.0
        low, high = (low, middle) if middle * -math.expm1(-requests / middle) >= distinct else (middle, high)
    return math.ceil(high)


def users_to_decide(*, rate: float, steps_bp: Sequence[int], budget_bp: int, alpha: float) -> int:
    """The fewest sticky users with whom every step can be passed: each is one observation, however often it returns."""
    needed, most = -math.log(alpha), 0.0
    for weight_bp, next_bp in itertools.pairwise(steps_bp):
        limit = excess_limit(budget_bp, next_bp)
        if limit is not None:
            most = max(most, needed / _at(rate, limit, weight_bp))
    return math.ceil(most)


def users_to_roll_back(*, weight: float, alpha: float) -> int:
    """The fewest users of a wholly broken candidate that convict it, if no baseline's fails meanwhile."""
    needed = -math.log(alpha)
    return next(k for k in range(1, 10_000) if _conviction(k, weight) >= needed)


def divergence(p: float, q: float) -> float:
    """Kullback-Leibler, of two shares; infinite where q excludes what p allows."""
    total = 0.0
    for of, other in ((p, q), (1.0 - p, 1.0 - q)):
        if of > 0.0:
            total += math.inf if other <= 0.0 else of * math.log(of / other)
    return total


def _conviction(keys: int, weight: float) -> float:
    """ln e of `keys` failing keys, all the candidate's, in the component with half the stake."""
    gains = (math.exp(keys * (math.log(ratio) - math.log1p(weight * (ratio - 1.0)))) for ratio in RATIOS)
    return math.log(0.5 * math.fsum(stake * gain for stake, gain in zip(STAKES, gains, strict=True)) + 0.5)


def _at(rate: float, limit: float, weight_bp: int) -> float:
    return advance_information(rate, limit, weight=weight_bp / WEIGHT_TOTAL_BP)


def _ladder(first_bp: int, factor: float) -> tuple[int, ...]:
    steps, weight = [first_bp], first_bp * factor
    while weight < 0.75 * WEIGHT_TOTAL_BP and len(steps) <= STEPS_MAX:
        steps.append(round(weight))
        weight *= factor
    return (*steps, WEIGHT_TOTAL_BP)
