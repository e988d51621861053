"""The kernel given the *realised* split: log e-values of strata in which n_a and n_b keys (or requests) are compared.

Given the split and who was bad, random routing puts the candidate's bad ones among n_a + n_b = N like balls drawn from
an urn, so E = e^(lam*k_b) / M has mean at most 1 for every M that is at least their moment generating function:

- exact: the hypergeometric one, ln sum_k C(n_b,k)C(n_a,K-k)e^(lam*k)/C(N,K): mean exactly 1;
- four bounds of it, whose minimum is taken, s = n_b/N, f = K/N (Hoeffding 1963, Thm 4; Joag-Dev & Proschan 1983):
      K ln(1+s(e^lam-1)),  n_b ln(1+f(e^lam-1)),  lam*n_b + (N-K) ln(1+s(e^-lam-1)),  lam*K + n_a ln(1+f(e^-lam-1)).

All hold *given n_b*, so a minimum of them holds too. The kernel with the weight in force (`kernel.py`) holds on average
over n_b: it may stand instead of these, never in one minimum with them (that mean is 1.02-1.3, see the tests).
Which to use: `kernel.py` for events of keys that come again; these where each key is one observation (latency), and
for recorded counts without weights. A stratum with one arm, or all good or all bad, says exactly nothing.
"""

import enum

import numpy as np

from controlplane.evidence.kernel import Floats, Ints, log_sum

# Support of the hypergeometric distribution up to which it is summed. Past it the bounds lose at most what
# 1/(1-s)(1-f) of the exact variance costs, and the sum would take longer than the rest of a slot.
EXACT_TERMS_MAX = 200


class Bound(enum.StrEnum):
    AUTO = "auto"  # exact where the support is small, else the minimum of the four
    BINOMIAL = "binomial"  # the first of the four alone: running counts are enough to check it by hand
    MINIMUM = "minimum"
    EXACT = "exact"


def log_e(n_a: Ints, k_a: Ints, n_b: Ints, k_b: Ints, *, lam: Floats, bound: Bound = Bound.AUTO) -> Floats:
    """Counts of one shape, 0 <= k <= n; `lam` > 0 of shape (L,). Returns that shape plus (L,)."""
    bad = k_a + k_b
    value: Floats = np.multiply.outer(k_b, lam) - log_mgf(n_a, n_b, bad, lam=lam, bound=bound)
    says_nothing = (n_a == 0) | (n_b == 0) | (bad == 0)
    if bound is not Bound.BINOMIAL:
        says_nothing = says_nothing | (bad == n_a + n_b)
    return np.where(says_nothing[..., None], 0.0, value)


def log_mgf(n_a: Ints, n_b: Ints, bad: Ints, *, lam: Floats, bound: Bound = Bound.AUTO) -> Floats:
    """ln of the moment generating function of k_b at `lam`, or of a bound of it, given n_a, n_b and K = `bad`."""
    if bound is Bound.EXACT:
        return log_mgf_exact(n_a, n_b, bad, lam=lam)
    if bound is Bound.BINOMIAL:
        share = n_b / np.maximum(n_a + n_b, 1)
        return _times(bad, np.log1p(np.multiply.outer(share, np.expm1(lam))))
    value = _minimum(n_a, n_b, bad, lam)
    if bound is Bound.MINIMUM:
        return value
    is_small = _terms(n_a, n_b, bad) <= EXACT_TERMS_MAX
    if is_small.any():
        value[is_small] = log_mgf_exact(n_a[is_small], n_b[is_small], bad[is_small], lam=lam)
    return value


def log_mgf_exact(n_a: Ints, n_b: Ints, bad: Ints, *, lam: Floats) -> Floats:
    """The hypergeometric one, from ratios of neighbouring terms: no factorials, so 10^12 counts lose no digits."""
    lowest = np.maximum(bad - n_a, 0)
    width = int(_terms(n_a, n_b, bad).max(initial=1))
    steps = np.arange(width - 1)
    k = lowest[..., None] + steps
    up = (n_b[..., None] - k) * (bad[..., None] - k).astype(np.float64)
    down = (k + 1.0) * (n_a[..., None] - bad[..., None] + k + 1.0)
    with np.errstate(divide="ignore"):
        # Past the end of the support one factor of `up` is 0 and stays out; what lies beyond it is left out with it.
        log_ratio = np.where(up > 0.0, np.log(np.maximum(up, 1e-300)) - np.log(np.maximum(down, 1e-300)), -np.inf)
    log_term = np.concatenate([np.zeros((*lowest.shape, 1)), np.cumsum(log_ratio, axis=-1)], axis=-1)
    tilted = log_term[..., None, :] + np.multiply.outer(lam, np.arange(width))
    value: Floats = log_sum(tilted) - log_sum(log_term)[..., None] + np.multiply.outer(lowest, lam)
    return value


def log_e_badness(baseline: Ints, candidate: Ints, badness: Floats, *, lam: Floats, weight: float | None) -> Floats:
    """Histograms of a bounded score: bins with badness s_j in 0..1. Shape (L,).

    `weight` None: given the realised split, the minimum of three bounds (the binary ones above are their cases).
    With a weight in force: the second alone, which needs no split, each observation a key of its own.
    """
    pooled = baseline + candidate
    n_a, n_b = int(baseline.sum()), int(candidate.sum())
    n = n_a + n_b
    if n_a == 0 or n_b == 0:
        return np.zeros(len(lam))
    tilt = np.multiply.outer(lam, badness)
    share = n_b / n if weight is None else weight
    log_m: Floats = np.log1p(share * np.expm1(tilt)) @ pooled
    if weight is None:
        through_b = n_b * np.log(np.exp(tilt) @ pooled / n)
        through_a = lam * float(badness @ pooled) + n_a * np.log(np.exp(-tilt) @ pooled / n)
        log_m = np.minimum(log_m, np.minimum(through_b, through_a))
    value: Floats = lam * float(badness @ candidate) - log_m
    return value


def _terms(n_a: Ints, n_b: Ints, bad: Ints) -> Ints:
    """How many values k_b can take."""
    terms: Ints = np.minimum(n_b, bad) - np.maximum(bad - n_a, 0) + 1
    return terms


def _minimum(n_a: Ints, n_b: Ints, bad: Ints, lam: Floats) -> Floats:
    n = np.maximum(n_a + n_b, 1)
    share, rate = n_b / n, bad / n
    up, down = np.expm1(lam), np.expm1(-lam)
    first = _times(bad, np.log1p(np.multiply.outer(share, up)))
    second = _times(n_b, np.log1p(np.multiply.outer(rate, up)))
    third = np.multiply.outer(n_b, lam) + _times(n_a + n_b - bad, np.log1p(np.multiply.outer(share, down)))
    fourth = np.multiply.outer(bad, lam) + _times(n_a, np.log1p(np.multiply.outer(rate, down)))
    least: Floats = np.minimum(np.minimum(first, second), np.minimum(third, fourth))
    return least


def _times(counts: Ints, logs: Floats) -> Floats:
    product: Floats = counts[..., None] * logs
    return product
