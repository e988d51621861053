"""Weights in basis points (1/10000), weight classes, and which arm a bucket falls in.

The total is constant at 10,000 and the candidate stands first in Envoy's list: Envoy picks `hash % total`, walking
cumulative weights in list order, so the candidate's users are exactly the buckets below its weight. While the weight
grows nobody leaves; changing the total (95/5 -> 9/1) kept only 8 of 63 users on Envoy 1.40.

A weight class is everyone who is dealt by one multiple of the rollout's weight; its name is that factor in decimal
digits. The buckets are the same for all classes, so each class grows as the rollout does, and nobody leaves.
"""

from fractions import Fraction

from serinus.contract.arm import Arm

WEIGHT_TOTAL_BP = 10_000
# The class of everyone who is in no class of their own.
CLASS_EVERYONE = "1"
# The class of a request that no weight placed: pinned, without a key, or untagged. No evidence.
CLASS_NONE = ""


def arm_of_bucket(bucket: int, weight_bp: int) -> Arm:
    """The arm of a randomised request: `bucket` 0..9999, `weight_bp` the candidate's weight 0..10000."""
    return Arm.CANDIDATE if bucket < weight_bp else Arm.BASELINE


def class_weight_bp(weight_bp: int, weight_class: str) -> int:
    """The candidate's weight in a class while the rollout stands at `weight_bp`: the multiple, rounded down, at most
    all. Exact: a float would deal some class 0.1 bp too little at some step.
    """
    return min(int(weight_bp * Fraction(weight_class)), WEIGHT_TOTAL_BP)


def format_bp(weight_bp: int) -> str:
    """A weight for people: 500 -> "5%", 25 -> "0.25%"."""
    return f"{weight_bp / 100:.10g}%"
