"""What a rollout would do under a given traffic: what `serinus plan` says. Expected values for a healthy version and
for bad ones, and warnings; no verdict rests on them.

Users come back: of U users who send r requests a second at random, U*(1 - e^(-r*t/U)) have been met after t seconds.
Evidence grows with users met, so a ramp that takes n of them takes t = -U/r * ln(1 - n/U), and for n >= U no day is
long enough. Later steps count the users of earlier ones. Where each request is a key of its own, t = n/r.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from controlplane.evidence.planning import (
    Expected,
    ramp,
    requests_to_rollback,
    users_to_decide,
    users_to_roll_back,
)
from serinus.contract.weight import WEIGHT_TOTAL_BP, format_bp

DAY_S = 86_400
# Rates of a bad version that are asked about: as shares of requests that fail, on top of the baseline's.
EXCESSES = (0.005, 0.015, 0.045, 0.995)
_SEARCHES = 60


@dataclass(frozen=True, slots=True)
class Traffic:
    """`users` None: each request is a key of its own (`sticky: request`)."""

    rps: float
    error_rate: float
    users: int | None


@dataclass(frozen=True, slots=True)
class Ask:
    """Of a rollout, what its outlook depends on. `stake`: the errors guardrail's share of `rollback_alpha`. `warm_up_s`
    passes before the first step, `bake_s` after the last; the deadline counts them."""

    steps_bp: tuple[int, ...]
    budget_bp: int
    rollback_alpha: float
    advance_alpha: float
    stake: float
    min_step_s: float
    deadline_s: float
    warm_up_s: float = 0.0
    bake_s: float = 0.0

    def total_s(self, steps: Sequence[Expected]) -> float:
        """From the begin to the promotion."""
        return math.fsum((self.warm_up_s, *(step.seconds for step in steps), self.bake_s))


@dataclass(frozen=True, slots=True)
class Exposure:
    """A version that fails at `error_rate`: the candidate's requests until it is rolled back, and the time that takes
    at the first weight. Infinite: never within a day."""

    error_rate: float
    candidate_requests: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """`seconds_to_promote` infinite: never. `rps_needed`: the least that meets the deadline, None: none does."""

    steps: tuple[Expected, ...]
    seconds_to_promote: float
    exposures: tuple[Exposure, ...]
    users_to_decide: int
    users_to_roll_back: int
    rps_needed: float | None
    warnings: tuple[str, ...]


def outlook(ask: Ask, traffic: Traffic) -> Outlook:
    steps = _steps(ask, traffic)
    first = ask.steps_bp[0] / WEIGHT_TOTAL_BP
    exposures = tuple(_exposure(ask, traffic, traffic.error_rate + excess) for excess in EXCESSES)
    alpha = ask.rollback_alpha * ask.stake
    to_roll_back = users_to_roll_back(weight=min(first, 0.99), alpha=alpha)
    to_decide = users_to_decide(
        rate=traffic.error_rate, steps_bp=ask.steps_bp, budget_bp=ask.budget_bp, alpha=ask.advance_alpha
    )
    total = ask.total_s(steps)
    rps_needed = _rps_needed(ask, traffic)
    found = Outlook(steps, total, exposures, to_decide, to_roll_back, rps_needed, ())
    return replace(found, warnings=_warnings(ask, traffic, found))


def _steps(ask: Ask, traffic: Traffic) -> tuple[Expected, ...]:
    """As `planning.ramp`, with the time that users who come back take."""
    plain = ramp(
        ask.steps_bp,
        rps=traffic.rps,
        rate=traffic.error_rate,
        budget_bp=ask.budget_bp,
        alpha=ask.advance_alpha,
        min_step_s=0.0,
    )
    keys, at, steps = 0.0, 0.0, []
    for step in plain:
        keys += traffic.rps * step.seconds
        until = time_to_meet(keys, traffic)
        seconds = math.inf if math.isinf(at) else max(until - at, ask.min_step_s)
        at += seconds
        steps.append(Expected(step.weight_bp, seconds, traffic.rps * seconds * step.weight_bp / WEIGHT_TOTAL_BP))
    return tuple(steps)


def time_to_meet(keys: float, traffic: Traffic) -> float:
    """Seconds until so many different keys have sent a request; infinite if a day does not bring them."""
    if traffic.users is None:
        return keys / traffic.rps
    if keys >= traffic.users:
        return math.inf
    seconds = -traffic.users / traffic.rps * math.log1p(-keys / traffic.users)
    return seconds if seconds <= DAY_S else math.inf


def _exposure(ask: Ask, traffic: Traffic, rate: float) -> Exposure:
    rate = min(rate, 1.0)
    weight = min(ask.steps_bp[0] / WEIGHT_TOTAL_BP, 0.99)
    of_candidate = requests_to_rollback(traffic.error_rate, rate, weight=weight, alpha=ask.rollback_alpha * ask.stake)
    # What counts is a user's first failure, so users wear out only as they fail.
    failing = (1.0 - weight) * traffic.error_rate + weight * rate
    seconds = time_to_meet(of_candidate / weight * failing, replace(traffic, rps=traffic.rps * failing))
    if traffic.users is not None and traffic.users * weight < of_candidate * rate:
        seconds = math.inf  # so many different users do not stand on the candidate
    return Exposure(rate, traffic.rps * seconds * weight, seconds)


def _rps_needed(ask: Ask, traffic: Traffic) -> float | None:
    """By bisection on the logarithm: time falls as traffic rises."""

    def is_enough(rps: float) -> bool:
        steps = _steps(ask, replace(traffic, rps=rps))
        return ask.total_s(steps) <= ask.deadline_s

    low, high = 1e-3, 1e6
    if not is_enough(high):
        return None
    for _ in range(_SEARCHES):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _warnings(ask: Ask, traffic: Traffic, found: Outlook) -> tuple[str, ...]:
    said = [*_of_users(ask, traffic, found)]
    if ask.steps_bp[0] > ask.budget_bp:
        said.append(
            f"the first step ({format_bp(ask.steps_bp[0])}) is given without evidence: a wholly broken version would "
            f"hurt that much, more than the harm budget of {format_bp(ask.budget_bp)}"
        )
    if found.seconds_to_promote > ask.deadline_s:
        is_hopeless = found.rps_needed is None
        needed = "more users, not more requests" if is_hopeless else f"{found.rps_needed:.3g} requests/s"
        said.append(
            f"a healthy version is not promoted before the deadline of {ask.deadline_s:.0f} s; it would take {needed}"
        )
    return tuple(said)


def _of_users(ask: Ask, traffic: Traffic, found: Outlook) -> Sequence[str]:
    if traffic.users is None:
        return ()
    said = []
    if traffic.users < found.users_to_decide and math.isinf(found.seconds_to_promote):
        said.append(
            f"too few users to decide: {traffic.users} a day, and the steps need {found.users_to_decide}; a healthy "
            "version would be held for ever. Make keys of sessions or requests (`sticky: request`), raise "
            "harm_budget, or lower the last steps"
        )
    on_first = traffic.users * ask.steps_bp[0] / WEIGHT_TOTAL_BP
    if on_first < found.users_to_roll_back:
        said.append(
            f"too few users on the first step: about {on_first:.1f} a day, and a wholly broken version needs "
            f"{found.users_to_roll_back} of them to be convicted; begin at a higher weight"
        )
    return said
