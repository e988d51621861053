"""Autoregression with a driver: y_t = c + phi*y_{t-1} + beta*x_t + noise, by least squares; is the next y as forecast?

Sources: Box & Jenkins 1970; Marriott & Pope 1954 (phi is estimated about (1+3phi)/n too low); the prediction interval
of linear regression. x_t is what moves y in *both* versions, such as load.
Traps: the point that is tested must not be in the fit; without x a busier hour looks like a fault; a pair of points
across a gap is no step of one; phi at or above 1 has no level to come back to, so what was learned of it soon means
nothing; a forecast further ahead needs the x of then.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.diagnostics.series import Values, finite, same_length, with_gaps
from controlplane.evidence.kernel import Floats

PAIRS_A_COEFFICIENT = 5


@dataclass(frozen=True, slots=True)
class Prediction:
    """In the unit of y; `low`..`high` holds the next point with probability 1 - alpha if the model holds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Autoregression:
    """`coefficients`: c, phi and, with a driver, beta. `sigma`: of the noise, in the unit of y."""

    coefficients: Floats
    sigma: float
    pairs: int
    _inverse: Floats

    @property
    def phi(self) -> float:
        return float(self.coefficients[1])

    @property
    def is_stationary(self) -> bool:
        return abs(self.phi) < 1.0

    def predict(self, previous: float, driver: float | None = None, *, alpha: float = 0.01) -> Prediction:
        """The next point. Raises SeriesError (NaN, a driver too many or too few), SettingError."""
        if not 0.0 < alpha < 1.0:
            raise SettingError(f"alpha is {alpha}", next_step="give a share between 0 and 1")
        row = self._row(previous, driver)
        value = float(row @ self.coefficients)
        half = -float(stdtrit(self._degrees, alpha / 2.0)) * self._spread(row)
        return Prediction(value, value - half, value + half)

    def p_value(self, previous: float, observed: float, driver: float | None = None) -> float:
        """Two-sided, of a point that was not fitted. With noise 0: 1 as forecast, else 0. Raises SeriesError."""
        row = self._row(previous, driver)
        off = abs(float(finite([observed], name="observed")[0]) - float(row @ self.coefficients))
        spread = self._spread(row)
        if spread == 0.0:
            return 1.0 if off <= 1e-9 * max(1.0, abs(observed)) else 0.0
        return min(1.0, 2.0 * float(stdtr(self._degrees, -off / spread)))

    def forecast(self, previous: float, steps: int, drivers: Values | None = None) -> Floats:
        """(steps,) points ahead; with a driver its (steps,) values of then. Raises SeriesError, SettingError."""
        if steps < 1:
            raise SettingError(f"steps is {steps}", next_step="give at least 1")
        ahead: list[float | None] = [None] * steps
        if drivers is not None:
            ahead = list(finite(drivers, name="drivers").tolist())
        if len(ahead) != steps:
            raise SeriesError(f"{len(ahead)} drivers for {steps} steps", next_step="give the driver of each step")
        values: list[float] = []
        for driver in ahead:
            previous = float(self._row(previous, driver) @ self.coefficients)
            values.append(previous)
        return np.array(values)

    @property
    def _degrees(self) -> int:
        return self.pairs - len(self.coefficients)

    def _row(self, previous: float, driver: float | None) -> Floats:
        row = [1.0, previous] if driver is None else [1.0, previous, driver]
        if len(row) != len(self.coefficients):
            raise SeriesError("a driver too many or too few", next_step="give a driver exactly if one was fitted")
        return finite(row, name="previous and driver")

    def _spread(self, row: Floats) -> float:
        return self.sigma * float(np.sqrt(1.0 + row @ self._inverse @ row))


def fit_autoregression(values: Values, drivers: Values | None = None) -> Autoregression:
    """values (n,) and drivers (n,), evenly spaced in time; NaN marks a gap, and no pair reaches across one.

    Needs 5 pairs a coefficient, and columns that move and are not copies of each other. Raises SeriesError,
    TooFewError.
    """
    y = with_gaps(values, name="values")
    columns = [np.ones(max(len(y) - 1, 0)), y[:-1]]
    if drivers is not None:
        x = with_gaps(drivers, name="drivers")
        same_length("values and drivers", y, x)
        columns.append(x[1:])
    design, target = np.column_stack(columns), y[1:]
    whole = np.isfinite(target) & np.isfinite(design).all(axis=1)
    design, target = design[whole], target[whole]
    needed = PAIRS_A_COEFFICIENT * design.shape[1]
    if len(target) < needed:
        raise TooFewError("pairs", found=len(target), needed=needed, why="5 a coefficient")
    # Scaled, so that a driver in the millions beside shares is no false copy.
    scale = np.abs(design).max(axis=0)
    scale[scale == 0.0] = 1.0
    if np.linalg.matrix_rank(design / scale, tol=1e-9 * np.sqrt(len(target))) < design.shape[1]:
        raise SeriesError("a column never moves, or is a copy of another", next_step="leave the driver out, or wait")
    q, r = np.linalg.qr(design)
    coefficients = np.linalg.solve(r, q.T @ target)
    residual = target - design @ coefficients
    sigma = float(np.sqrt(residual @ residual / (len(target) - design.shape[1])))
    half = np.linalg.inv(r)
    return Autoregression(coefficients, sigma, len(target), half @ half.T)
