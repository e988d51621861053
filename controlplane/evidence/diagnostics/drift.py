"""Have two distributions drifted apart? PSI, Jensen-Shannon, Kolmogorov-Smirnov, Wasserstein-1 and chi-square on bins.

Each value comes with a limit that knows how much was counted and how much a person would care about: the larger of what
chance does (5 % of the time, one look) and `least`. Looked at again and again they alarm more often than that.
Sources: Siddiqi 2006 (PSI, .1/.25); Yurdakul 2018 (its mean (B-1)(1/n+1/m) and chi-square limit); Lin 1991 and Menendez
et al. 1997 (Jensen-Shannon, 8*JSD ~ PSI); Smirnov 1948; del Barrio, Gine & Matran 1999 (Wasserstein-1 as the area
between distribution functions); Cochran 1954 (thin bins); Cramer 1946 (V).
Traps: PSI of 100 against 100 in ten bins passes .1 four times in five without any drift; an empty bin makes it
infinite; bins of equal width put a heavy tail's body into one bin; with millions everything is "significant"; counts
must be of keys, since one user's requests are alike.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, gammaincinv

from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.series import Values, counted, finite, same_length, within
from controlplane.evidence.kernel import Floats, Ints

ALPHA = 0.05
PSI_WATCH, PSI_ACT = 0.1, 0.25
_EXPECTED_LEAST = 5.0
# Past this the limit of Wasserstein-1, which looks at pairs of bins, reads the distribution at so many points.
_PAIRS_BINS_MAX = 256
# The gamma law's 95 % point of the area under a whole Brownian bridge is .564; simulated: .580 (80,000 paths).
_GAMMA_SHORT = 1.03


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` against `limit`, in the method's own unit; `by_chance`: the part of the limit that chance explains."""

    method: str
    value: float
    limit: float
    by_chance: float

    @property
    def is_drift(self) -> bool:
        return self.value > self.limit

    @property
    def strength(self) -> float:
        return self.value / self.limit if self.limit > 0.0 else 0.0


def bin_by_reference(reference: Values, current: Values, *, bins: int = 10) -> tuple[Ints, Ints]:
    """Samples in one unit -> counts (<= bins,) of both, between quantiles of the reference, fixed before the test.

    Ties may leave fewer bins. The reference needs 2*bins points. Raises SeriesError, TooFewError, SettingError.
    """
    within("bins", bins, low=1, high=1_000)
    before = finite(reference, name="reference", least=2 * bins, why="two points a bin")
    now = finite(current, name="current")
    # Edges stand between values of the reference, never on one: a value that half of all points have is a bin.
    edges = np.unique(np.quantile(before, np.arange(1, bins) / bins, method="lower"))
    size = len(edges) + 1
    return (
        np.bincount(np.searchsorted(edges, before, side="left"), minlength=size),
        np.bincount(np.searchsorted(edges, now, side="left"), minlength=size),
    )


def merge_samples(reference: Values, current: Values) -> tuple[Floats, Ints, Ints]:
    """Samples in one unit -> every value that occurs, sorted, and its count in each: bins that lose nothing."""
    before, now = finite(reference, name="reference"), finite(current, name="current")
    positions, where = np.unique(np.concatenate([before, now]), return_inverse=True)
    size = len(positions)
    return (
        positions,
        np.bincount(where[: len(before)], minlength=size),
        np.bincount(where[len(before) :], minlength=size),
    )


def psi(reference: Values, current: Values, *, least: float = PSI_WATCH) -> Reading:
    """sum (q-p) ln(q/p) over bins, half a count added to each bin (so an empty one stays finite); 0 or more, no unit.

    Counts (B,), B >= 2, of keys, in any order: bins that expect fewer than 5 in either are put together first. Raises
    SeriesError, TooFewError.
    """
    a, b = _without_thin(*_pair(reference, current))
    p, q = (a + 0.5) / (a + 0.5).sum(), (b + 0.5) / (b + 0.5).sum()
    chance = _chi_square_limit(len(a) - 1) * (1.0 / a.sum() + 1.0 / b.sum())
    return _reading("psi", float(((q - p) * np.log(q / p)).sum()), chance, least)


def expected_psi(bins: int, n: int, m: int) -> float:
    """Its mean without any drift: (B-1)(1/n+1/m)."""
    return (bins - 1) * (1.0 / n + 1.0 / m)


def jensen_shannon(reference: Values, current: Values, *, least: float = PSI_WATCH / 8.0) -> Reading:
    """Divergence in nats, 0..ln 2: (KL(p, m) + KL(q, m))/2, m = (p+q)/2. Finite with empty bins.

    Counts (B,), B >= 2, in any order, thin bins put together as in `psi`: their limit counts on it. Raises SeriesError,
    TooFewError.
    """
    a, b = _without_thin(*_pair(reference, current))
    p, q = a / a.sum(), b / b.sum()
    middle = (p + q) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / middle), 0.0) + np.where(q > 0, q * np.log(q / middle), 0.0)
    chance = _chi_square_limit(len(a) - 1) / 8.0 * (1.0 / a.sum() + 1.0 / b.sum())
    return _reading("jensen-shannon", float(terms.sum()) / 2.0, chance, least)


def kolmogorov_smirnov(reference: Values, current: Values, *, least: float = 0.0) -> Reading:
    """Largest difference of the distribution functions, 0..1, of *ordered* bins (B,) (`merge_samples` for raw values).

    Limit sqrt(ln(2/alpha)/2 * (1/n+1/m)): too wide for few bins, never too narrow. Raises SeriesError, TooFewError.
    """
    a, b = _pair(reference, current)
    apart = float(np.abs(_running(a) - _running(b)).max())
    chance = float(np.sqrt(-np.log(ALPHA / 2.0) / 2.0 * (1.0 / a.sum() + 1.0 / b.sum())))
    return _reading("kolmogorov-smirnov", apart, min(chance, 1.0), least)


def wasserstein_1(reference: Values, current: Values, positions: Values, *, least: float = 0.0) -> Reading:
    """Mean distance that mass must move, in the unit of `positions` (B,), which grow; counts (B,).

    The limit is that of the area under a Brownian bridge at the pooled distribution: its mean and variance are exact,
    its 95 % point that of a gamma law and 3 % more. Raises SeriesError, TooFewError.
    """
    a, b = finite(reference, name="reference"), finite(current, name="current")
    at = finite(positions, name="positions", least=2, why="one place has no distances")
    same_length("counts and positions", a, b, at)
    a, b = counted(reference, name="reference"), counted(current, name="current")
    gaps = np.diff(at)
    if (gaps <= 0).any():
        raise SeriesError("positions must grow", next_step="sort the bins")
    apart = float((np.abs(_running(a) - _running(b))[:-1] * gaps).sum())
    pooled = _running(a + b)[:-1]
    chance = _bridge_area(pooled, gaps) * float(np.sqrt(1.0 / a.sum() + 1.0 / b.sum()))
    return _reading("wasserstein-1", apart, chance, least)


def chi_square(reference: Values, current: Values, *, least_v: float = 0.05) -> Reading:
    """Pearson's statistic of the 2 x B table against its 95 % point, or against N*V^2 for Cramer's V = `least_v`.

    Counts (B,), B >= 2, in any order, thin bins put together as in `psi`. With one bin left the value is 0: nothing to
    compare. Raises SeriesError, TooFewError.
    """
    a, b = _without_thin(*_pair(reference, current))
    n, m = a.sum(), b.sum()
    if len(a) < 2:
        return _reading("chi-square", 0.0, _chi_square_limit(1), least_v**2 * float(n + m))
    expected = (a + b) * n / (n + m)
    statistic = float(((a - expected) ** 2 / expected).sum() + ((a - expected) ** 2 / (a + b - expected)).sum())
    return _reading("chi-square", statistic, _chi_square_limit(len(a) - 1), least_v**2 * float(n + m))


def _reading(method: str, value: float, chance: float, least: float) -> Reading:
    if not least >= 0.0:
        raise SeriesError(f"{method}: least is {least}", next_step="give 0 or more")
    return Reading(method, max(value, 0.0), max(chance, least), chance)


def _pair(reference: Values, current: Values) -> tuple[Floats, Floats]:
    """Counts of one length; bins that are empty in both say nothing and go."""
    a, b = counted(reference, name="reference"), counted(current, name="current")
    same_length("reference and current", a, b)
    seen = a + b > 0
    if len(a) < 2:
        raise SeriesError("one bin cannot drift", next_step="give at least two bins")
    if seen.sum() < 2:
        seen[:2] = True
    return a[seen], b[seen]


def _running(counts: Floats) -> Floats:
    share: Floats = counts.cumsum() / counts.sum()
    return share


def _chi_square_limit(degrees: int) -> float:
    return float(chdtri(max(degrees, 1), ALPHA))


def _without_thin(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    pooled, smaller = a + b, min(a.sum(), b.sum()) / (a.sum() + b.sum())
    thin = pooled * smaller < _EXPECTED_LEAST
    if not thin.any():
        return a, b
    order = np.argsort(pooled, kind="stable")
    # The thin ones, and as many of the next as it takes.
    take = int(thin.sum())
    while take < len(a) and pooled[order[:take]].sum() * smaller < _EXPECTED_LEAST:
        take += 1
    rest = order[take:]
    return np.append(a[rest], a[order[:take]].sum()), np.append(b[rest], b[order[:take]].sum())


def _bridge_area(share: Floats, gaps: Floats) -> float:
    """The 95 % point of sum |Z_i| gap_i, Z normal with covariance min(F_i, F_j) - F_i F_j."""
    if len(share) > _PAIRS_BINS_MAX:
        ends = np.linspace(0, len(share), _PAIRS_BINS_MAX + 1).astype(np.int64)
        share = share[(ends[:-1] + ends[1:]) // 2]
        gaps = np.add.reduceat(gaps, ends[:-1])
    sigma = np.sqrt(share * (1.0 - share))
    alive = sigma > 0.0
    share, gaps, sigma = share[alive], gaps[alive], sigma[alive]
    if len(share) == 0:
        return 0.0
    outer = np.outer(sigma, sigma)
    rho = np.clip((np.minimum.outer(share, share) - np.outer(share, share)) / outer, -1.0, 1.0)
    products = 2.0 / np.pi * outer * (np.sqrt(1.0 - rho * rho) + rho * np.arcsin(rho))
    mean = float(np.sqrt(2.0 / np.pi) * (sigma * gaps).sum())
    variance = float(gaps @ products @ gaps) - mean * mean
    shape = mean * mean / variance
    return float(gammaincinv(shape, 1.0 - ALPHA)) * variance / mean * _GAMMA_SHORT
