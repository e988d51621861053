"""Sample ratio: is the split that was seen the weight in force?

Each sticky key counts once: counted per request, sticky users alone raise false alarms in .64-1.0 of all rollouts.
The alarm is a Bayes factor of "some other weight", Beta-distributed around the one in force as after 100 keys, against
"this weight": under the weight in force its mean is 1 at every count, so it ever reaches 1,000 in at most one
step in a thousand, however often the judge looks (Lindon & Malek 2022, with two arms). The exact binomial p-value, two-
sided by doubling the smaller tail, is shown beside it for people; nothing is decided by it.
It cannot see a wrong split in a weight class whose weight is not the step's; for tagged requests the sidecars check
each bucket against the weight it was routed by, which can.
"""

import math

from scipy.special import bdtr, bdtrc, betaln

from controlplane.evidence.verdict import ObservedShare
from serinus.contract.weight import WEIGHT_TOTAL_BP

# Of the shown p-value, for those who read it each second: even 10,000 independent looks would reach it in at most one
# rollout in a hundred.
P_VALUE_MIN = 1e-6
ALARM_ALPHA = 1e-3
_PRIOR_KEYS = 100.0


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


def log_bayes_factor(candidate_keys: int, keys: int, weight_bp: int) -> float:
    """ln of the factor against the weight in force; 0 without keys, infinite where one key is impossible."""
    weight = weight_bp / WEIGHT_TOTAL_BP
    if weight_bp in (0, WEIGHT_TOTAL_BP):
        return 0.0 if candidate_keys == weight * keys else math.inf
    a, b = _PRIOR_KEYS * weight, _PRIOR_KEYS * (1.0 - weight)
    other = float(betaln(a + candidate_keys, b + keys - candidate_keys) - betaln(a, b))
    return other - candidate_keys * math.log(weight) - (keys - candidate_keys) * math.log1p(-weight)


def observed_share(candidate_keys: int, keys: int, weight_bp: int) -> ObservedShare:
    """The share of the step so far."""
    p = p_value(candidate_keys, keys, weight_bp)
    is_plausible = log_bayes_factor(candidate_keys, keys, weight_bp) < -math.log(ALARM_ALPHA)
    return ObservedShare(candidate_keys, keys, weight_bp, p, is_plausible)
