"""Gaussian and multivariate Gaussian models of feature vectors, by Mahalanobis distance.

Sources: Mahalanobis 1936; Hotelling 1931 (a new point against an estimated mean and covariance is F, not chi-square);
Chan, Golub & LeVeque 1983 (merging); Chen, Wiesel, Eldar & Hero 2010 (OAS shrinkage); Mason, Young & Tracy 1995
(a coordinate's own part of the distance).
Traps: n <= 5k is refused, since an estimated covariance makes every new point look far; collinear columns are shrunk,
not inverted; a density has units, so a threshold on it means nothing after s became ms: the p-value has none; the
coordinate with the largest z need not be the one that broke with the others.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from controlplane.evidence.diagnostics.errors import SeriesError, TooFewError
from controlplane.evidence.diagnostics.series import Rows, table
from controlplane.evidence.kernel import Floats, Ints

POINTS_A_COLUMN = 5


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean (k,) and scatter (k, k) = sum of (x-mean)(x-mean)'. Merges in any order to the same."""

    n: int
    mean: Floats
    scatter: Floats

    @classmethod
    def of(cls, rows: Rows) -> "Moments":
        """rows (n, k), any units. Raises SeriesError."""
        array = table(rows, name="rows")
        mean = array.mean(axis=0)
        off = array - mean
        return cls(len(array), mean, off.T @ off)

    def merge(self, other: "Moments") -> "Moments":
        """Of both sets of rows. Raises SeriesError where the columns differ."""
        if self.mean.shape != other.mean.shape:
            raise SeriesError("moments of other columns", next_step="merge moments of the same columns")
        n = self.n + other.n
        off = other.mean - self.mean
        mean = self.mean + off * (other.n / n)
        return Moments(n, mean, self.scatter + other.scatter + np.outer(off, off) * (self.n * other.n / n))


@dataclass(frozen=True, slots=True)
class Distance:
    """Of each row: `squared` (n,), `p_value` (n,), `top` (n,): the column that broke most with the others."""

    squared: Floats
    p_value: Floats
    top: Ints


@dataclass(frozen=True, slots=True)
class GaussianModel:
    """Mean (k,), standard deviations (k,), inverse of the shrunk correlation (k, k)."""

    n: int
    mean: Floats
    sigma: Floats
    precision: Floats
    log_determinant: float  # of the shrunk correlation
    shrinkage: float

    @classmethod
    def fit(cls, moments: Moments) -> "GaussianModel":
        """Needs n > 5k and columns that move. Raises TooFewError, SeriesError."""
        n, k = moments.n, len(moments.mean)
        if n <= POINTS_A_COLUMN * k:
            raise TooFewError("rows", found=n, needed=POINTS_A_COLUMN * k + 1, why=f"5 a column, {k} columns")
        sigma = np.sqrt(np.diag(moments.scatter) / (n - 1))
        still = np.flatnonzero(sigma <= np.abs(moments.mean) * 1e-13)
        if len(still):
            raise SeriesError(f"columns {still.tolist()} never move", next_step="leave them out")
        correlation = moments.scatter / (n - 1) / np.outer(sigma, sigma)
        shrinkage = _oas(correlation, n)
        shrunk = (1.0 - shrinkage) * correlation + shrinkage * np.eye(k)
        # One column more exact than floats allow: a copy of another with n in the millions.
        shrunk += np.eye(k) * 1e-12
        return cls(n, moments.mean, sigma, np.linalg.inv(shrunk), float(np.linalg.slogdet(shrunk)[1]), shrinkage)

    def distance(self, rows: Rows) -> Distance:
        """rows (m, k) that were *not* fitted, in the units of the fit. p: of n(n-k)/(k(n^2-1)) * d^2 under F(k, n-k).

        Raises SeriesError.
        """
        n, k = self.n, len(self.mean)
        z = (table(rows, name="rows", columns=k) - self.mean) / self.sigma
        pulled = z @ self.precision
        squared = np.einsum("ij,ij->i", z, pulled)
        p_value = fdtrc(k, n - k, squared * n * (n - k) / (k * (n * n - 1.0)))
        own = pulled**2 / np.diag(self.precision)
        return Distance(squared, np.asarray(p_value, dtype=np.float64), own.argmax(axis=1))

    def log_density(self, rows: Rows) -> Floats:
        """ln p(x) per row, in 1/units: compare within one set of units only. Raises SeriesError."""
        k = len(self.mean)
        squared = self.distance(rows).squared
        constant = k * np.log(2.0 * np.pi) + 2.0 * np.log(self.sigma).sum() + self.log_determinant
        density: Floats = -0.5 * (squared + constant)
        return density


def _oas(correlation: Floats, n: int) -> float:
    """How far to move towards the identity: 0..1."""
    k = len(correlation)
    mean_square = float((correlation**2).mean())
    below = (n + 1.0) * (mean_square - 1.0 / k)
    return 1.0 if below <= 0.0 else min((mean_square + 1.0) / below, 1.0)
