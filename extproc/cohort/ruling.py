"""What follows for all requests that one rule decides alike: their cohort, and the version they are pinned to.

A policy has a few of these, made once by the contract's own functions; a request gets one of them and its sticky key.
"""

from dataclasses import dataclass, field
from typing import Any

from serinus.contract.policy import Assignment, CohortRule, ServicePolicy, assigned, forced
from serinus.contract.token import Claims

# Stands for any key: cohort and pin depend on whether there is one, not on which.
_ANY_KEY = b"-"


@dataclass(slots=True)
class Ruling:
    """`pin` None: a weight deals them, by the bucket of their key. `slices` as `serinus.contract.slices` has them."""

    cohort: str
    pin: str | None
    slices: str = ""
    # What the layer above made of it: its answers have this in common.
    plan: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rulings:
    """Of one rule, or of none that is met, or of an accepted token."""

    with_key: Ruling
    without_key: Ruling


def _ruling(assignment: Assignment) -> Ruling:
    return Ruling(assignment.cohort, assignment.pin)


def rulings_of(policy: ServicePolicy, rule: CohortRule | None) -> Rulings:
    """Of the rule that is met, if any."""
    return Rulings(_ruling(assigned(policy, _ANY_KEY, rule)), _ruling(assigned(policy, None, rule)))


def rulings_of_token(policy: ServicePolicy, claims: Claims) -> Rulings:
    """Of an accepted token."""
    return Rulings(_ruling(forced(policy, _ANY_KEY, claims)), _ruling(forced(policy, None, claims)))
