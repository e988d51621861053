"""Weights in basis points (1/10000), and which arm a bucket falls in.

The total is constant at 10,000 and the candidate stands first in Envoy's list: Envoy picks `hash % total`, walking
cumulative weights in list order, so the candidate's users are exactly the buckets below its weight. While the weight
grows nobody leaves; changing the total (95/5 -> 9/1) kept only 8 of 63 users on Envoy 1.40.
"""

from serinus.contract.arm import Arm

WEIGHT_TOTAL_BP = 10_000


def arm_of_bucket(bucket: int, weight_bp: int) -> Arm:
    """The arm of a randomised request: `bucket` 0..9999, `weight_bp` the candidate's weight 0..10000."""
    return Arm.CANDIDATE if bucket < weight_bp else Arm.BASELINE


def format_bp(weight_bp: int) -> str:
    """A weight for people: 500 -> "5%", 25 -> "0.25%"."""
    return f"{weight_bp / 100:.10g}%"
