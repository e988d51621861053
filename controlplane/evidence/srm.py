"""Sample ratio: is the split that was seen the weight in force?

Each sticky key counts once: counted per request, sticky users alone raise false alarms in .64-1.0 of all rollouts.
Exact binomial, two-sided by doubling the smaller tail. The threshold is far out because the judge looks every second:
even 10,000 independent looks would raise a false alarm in at most one rollout in a hundred.
It cannot see a wrong split in a weight class whose weight is not the step's; for tagged requests the sidecars check
each bucket against the weight it was routed by, which can.
"""

from scipy.special import bdtr, bdtrc

from controlplane.evidence.verdict import ObservedShare
from serinus.contract.weight import WEIGHT_TOTAL_BP

P_VALUE_MIN = 1e-6


def p_value(candidate_keys: int, keys: int, weight_bp: int) -> float:
    """P(a split at least this far off) under Binomial(keys, weight); 1.0 without keys."""
    weight = weight_bp / WEIGHT_TOTAL_BP
    if keys == 0:
        return 1.0
    if weight_bp in (0, WEIGHT_TOTAL_BP):
        return 1.0 if candidate_keys == weight * keys else 0.0
    at_most = float(bdtr(candidate_keys, keys, weight))
    at_least = float(bdtrc(candidate_keys - 1, keys, weight)) if candidate_keys else 1.0
    return min(1.0, 2.0 * min(at_most, at_least))


def observed_share(candidate_keys: int, keys: int, weight_bp: int) -> ObservedShare:
    """The share of the step so far."""
    p = p_value(candidate_keys, keys, weight_bp)
    return ObservedShare(candidate_keys, keys, weight_bp, p, p > P_VALUE_MIN)
