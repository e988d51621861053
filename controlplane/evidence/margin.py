"""E-value of two rates against a margin: H0 {pB <= pA + d} or {pB >= pA + d}, whichever side the alternative is not on.

The likelihood ratio of an alternative (a, b) to its Kullback-Leibler projection (p, p + d) on the null's boundary, i.e.

    nA*(p-a)/(p(1-p)) + nB*(p+d-b)/((p+d)(1-p-d)) = 0,    0 < p < 1-d.

Given nA and nB, ln of its mean is concave in the true rates and its gradient at the projection is the normal of the
null there, so its mean is at most 1 on the whole convex null, for any nA and nB (Turner, Ly & Grünwald 2024). Keys
with unequal rates only lower it. The alternative must be chosen before the counts are seen; on the null's own side of
the boundary it would be no alternative, so callers pass b <= a + d against ">=" and b >= a + d against "<=".
"""

import math

import numpy as np

from controlplane.evidence.kernel import Floats

# Distance kept from 0 and 1 - d where a logarithm would be infinite; its effect on the mean is of that size.
_EDGE = 1e-12


def project(share: float, a: float, b: float, d: float) -> float:
    """p of the projection (p, p + d). `share` = nB/(nA + nB); 0 < a, b < 1, 0 <= d < 1.

    Cleared of fractions the equation is a cubic with one root below 0, one in 0..1-d and one above 1-d, so the middle
    one of Vieta's three is wanted (the cubic of Farrington & Manning 1990). Agrees with bisection to 1e-12, to 1e-8
    where two roots meet, in a tenth of the time.
    """
    rest, top = 1.0 - share, 1.0 - d
    shift = (rest * (d - a - top) + share * (d - b - 1.0)) / 3.0
    c1 = rest * (-a * d - top * (d - a)) - share * (d - b)
    c0 = rest * a * d * top
    radius = math.sqrt(max(shift * shift - c1 / 3.0, 1e-300))
    cosine = (shift * (c1 - 2.0 * shift * shift) - c0) / (2.0 * radius**3)
    p = 2.0 * radius * math.cos((math.acos(min(max(cosine, -1.0), 1.0)) - 2.0 * math.pi) / 3.0) - shift
    edge = min(_EDGE, top / 4.0)
    return min(max(p, edge), top - edge)


def log_e(
    baseline_n: int, baseline_bad: int, candidate_n: int, candidate_bad: int, *, a: float, b: float, d: float
) -> float:
    """ln of the e-value of one stratum; 0 where nobody was observed."""
    if baseline_n + candidate_n == 0:
        return 0.0
    p = project(candidate_n / (baseline_n + candidate_n), a, b, d)
    q = p + d
    return (
        baseline_bad * math.log(a / p)
        + (baseline_n - baseline_bad) * math.log((1.0 - a) / (1.0 - p))
        + candidate_bad * math.log(b / q)
        + (candidate_n - candidate_bad) * math.log((1.0 - b) / (1.0 - q))
    )


def project_all(share: Floats, a: Floats, b: Floats, d: float | Floats) -> Floats:
    """`project` over arrays that broadcast: line by line the same."""
    rest, top = 1.0 - share, 1.0 - d
    shift = (rest * (d - a - top) + share * (d - b - 1.0)) / 3.0
    c1 = rest * (-a * d - top * (d - a)) - share * (d - b)
    c0 = rest * a * d * top
    radius = np.sqrt(np.maximum(shift * shift - c1 / 3.0, 1e-300))
    cosine = (shift * (c1 - 2.0 * shift * shift) - c0) / (2.0 * radius**3)
    p: Floats = (
        2.0 * radius * np.cos((np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0)) - 2.0 * np.pi) / 3.0) - shift
    )
    edge = np.minimum(_EDGE, top / 4.0)
    return np.minimum(np.maximum(p, edge), top - edge)


def log_e_all(
    baseline_n: Floats,
    baseline_bad: Floats,
    candidate_n: Floats,
    candidate_bad: Floats,
    *,
    a: Floats,
    b: Floats,
    d: float | Floats,
) -> Floats:
    """`log_e` over arrays that broadcast: 60 us for one value, but no more for 64 components times 4 alternatives."""
    p = project_all(candidate_n / np.maximum(baseline_n + candidate_n, 1.0), a, b, d)
    q = p + d
    value: Floats = (
        baseline_bad * np.log(a / p)
        + (baseline_n - baseline_bad) * np.log((1.0 - a) / (1.0 - p))
        + candidate_bad * np.log(b / q)
        + (candidate_n - candidate_bad) * np.log((1.0 - b) / (1.0 - q))
    )
    return value
