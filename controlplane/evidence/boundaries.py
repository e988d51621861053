"""Time-uniform boundaries: supermartingales of sums, mixed over the unknown size of a deviation, and their inverses.

Howard, Ramdas, McAuliffe & Sekhon 2021 (Annals of Statistics 49:1055): mixtures for sub-Gaussian, sub-Bernoulli (range
-g..h), sub-exponential and sub-Poisson sums with intrinsic time v; Howard & Ramdas 2022 (Bernoulli 28:1704) for whole
distribution functions. Each is a plain formula; the tests hold them to published values. A mixture is tuned to be
tightest at one v (`v_opt`); it is valid at all.
"""

import math
from functools import lru_cache

from scipy.optimize import brentq
from scipy.special import betainc, betaln, gammainc, gammaincc, gammaln, zeta

_LIL_FACTOR = 0.85  # A in Howard & Ramdas 2022, Theorem 2; C follows from it and alpha


def best_rho(v_opt: float, alpha: float) -> float:
    """The mixture's precision that makes the two-sided normal boundary tightest at `v_opt`."""
    log = math.log(1.0 / alpha)
    return v_opt / (2.0 * log + math.log1p(2.0 * log))


def normal_log_mixture(s: float, v: float, *, rho: float) -> float:
    """Two-sided, sub-Gaussian."""
    return 0.5 * math.log(rho / (v + rho)) + s * s / (2.0 * (v + rho))


def beta_binomial_log_mixture(s: float, v: float, *, g: float, h: float, r: float) -> float:
    """Two-sided, sub-Bernoulli: steps between -g and h, intrinsic time v."""
    total = g + h
    return (
        v / (g * h) * math.log(total)
        - (v / h + s) / total * math.log(g)
        - (v / g - s) / total * math.log(h)
        + float(betaln((r + v) / (g * total) - s / total, (r + v) / (h * total) + s / total))
        - float(betaln(r / (g * total), r / (h * total)))
    )


def beta_binomial_log_mixture_upper(s: float, v: float, *, g: float, h: float, r: float) -> float:
    """The same, one-sided: against sums that are too large."""
    total = g + h
    x = h / total
    a, b = (r + v) / (g * total) - s / total, (r + v) / (h * total) + s / total
    a_0, b_0 = r / (g * total), r / (h * total)
    one_side = math.log(float(betainc(a, b, x))) - math.log(float(betainc(a_0, b_0, x)))
    return beta_binomial_log_mixture(s, v, g=g, h=h, r=r) + one_side


def gamma_exponential_log_mixture(s: float, v: float, *, rho: float, c: float) -> float:
    """One-sided, sub-exponential with scale c: what the empirical Bernstein bound of bounded scores needs."""
    a_0, a, x = rho / c**2, (v + rho) / c**2, (c * s + v + rho) / c**2
    start = a_0 * math.log(a_0) - float(gammaln(a_0)) - math.log(float(gammainc(a_0, a_0)))
    return start + float(gammaln(a)) + math.log(float(gammainc(a, x))) - a * math.log(x) + (c * s + v) / c**2


def gamma_poisson_log_mixture(s: float, v: float, *, rho: float, c: float) -> float:
    """One-sided, sub-Poisson with scale c: rates."""
    a_0, a, x = rho / c**2, (c * s + v + rho) / c**2, (v + rho) / c**2
    start = a_0 * math.log(a_0) - float(gammaln(a_0)) - math.log(float(gammaincc(a_0, a_0)))
    return start + float(gammaln(a)) + math.log(float(gammaincc(a, x))) - a * math.log(x) + v / c**2


def gamma_exponential_bound(v: float, *, alpha: float, v_opt: float, c: float) -> float:
    """The sum that is exceeded at any time with probability at most alpha."""
    rho, needed = best_rho(v_opt, 2.0 * alpha), -math.log(alpha)
    high = 1.0 + v
    while gamma_exponential_log_mixture(high, v, rho=rho, c=c) < needed:
        high *= 2.0
    return float(brentq(lambda s: gamma_exponential_log_mixture(s, v, rho=rho, c=c) - needed, 0.0, high))


def stitched_bound(v: float, *, alpha: float, v_min: float, c: float, s: float = 1.4, eta: float = 2.0) -> float:
    """Polynomial stitching: closed form, of the order of the law of the iterated logarithm."""
    v = max(v, v_min)
    k_1 = (eta**0.25 + eta**-0.25) / math.sqrt(2.0)
    k_2 = (math.sqrt(eta) + 1.0) / 2.0
    ell = s * math.log(math.log(eta * v / v_min)) + math.log(float(zeta(s)) / (alpha * math.log(eta) ** s))
    term = k_2 * c * ell
    return math.sqrt(k_1**2 * v * ell + term**2) + term


@lru_cache(maxsize=64)
def band_constant(alpha: float) -> float:
    """C of the band: the smallest with which the crossing probability is at most alpha."""
    return float(brentq(lambda c: _crossing(c) - alpha, 3.0, 40.0))


def band_radius(n: int, *, alpha: float, n_min: int) -> float:
    """sup over x of |empirical - true| distribution function, at every n >= n_min at once: at most this; 1 before."""
    if n < n_min:
        return 1.0
    return min(1.0, _LIL_FACTOR * math.sqrt((math.log1p(math.log(n / n_min)) + band_constant(alpha)) / n))


def _crossing(c: float) -> float:
    """Theorem 2 of Howard & Ramdas 2022: the bound of the probability, at the best epoch ratio eta."""

    def at(eta: float) -> float:
        slack = _LIL_FACTOR - math.sqrt(2.0 * (eta - 1.0) / c)
        gamma_2 = 2.0 / eta * slack * slack
        if slack <= 0.0 or gamma_2 <= 1.0:
            return math.inf
        return 4.0 * math.exp(-gamma_2 * c) * (1.0 + 1.0 / ((gamma_2 - 1.0) * math.log(eta)))

    return min(at(1.0 + (2.0 * _LIL_FACTOR**2 - 1.0) * step / 4_000.0) for step in range(1, 4_000))
