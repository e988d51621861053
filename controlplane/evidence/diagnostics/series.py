"""What every diagnostic reads: finite numbers in known shapes, or a typed error that says what to do.

Nothing is repaired in silence: a NaN is refused here, and counted where counting it is the point (`completeness.py`).
Numbers beyond 1e60 are refused; what is nearer to 0 than 1e-60 is 0.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from controlplane.evidence.diagnostics.errors import SeriesError, SettingError, TooFewError
from controlplane.evidence.kernel import Floats

# Fourth powers of what lies between stay within floats; no unit of time, size or money leads beyond.
LARGEST, SMALLEST = 1e60, 1e-60
COUNT_MAX = 2**53

Values = Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.int64]
Rows = Sequence[Sequence[float]] | npt.NDArray[np.float64] | npt.NDArray[np.int64]


def finite(values: Values, *, name: str, least: int = 1, why: str = "fewer say nothing") -> Floats:
    """One dimension, at least `least` numbers, none of them NaN or infinite."""
    array = with_gaps(values, name=name)
    if np.isnan(array).any():
        where = int(np.isnan(array).argmax())
        raise SeriesError(f"{name}: no number at {where}", next_step="leave missing values out, and count them")
    if len(array) < least:
        raise TooFewError(name, found=len(array), needed=least, why=why)
    return array


def with_gaps(values: Values, *, name: str) -> Floats:
    """One dimension; NaN stands for a missing value, infinity is refused. May be empty."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise SeriesError(f"{name}: {fault}", next_step="give numbers only") from fault
    if array.ndim != 1:
        raise SeriesError(f"{name}: {array.ndim} dimensions, 1 is read", next_step="give one series at a time")
    if (far := np.abs(array) > LARGEST).any():
        where = int(far.argmax())
        raise SeriesError(f"{name}: {array[where]} at {where} is beyond {LARGEST:g}", next_step="leave it out")
    return _flushed(array)


def table(rows: Rows, *, name: str, columns: int | None = None) -> Floats:
    """Two dimensions (points, columns), at least one of each, finite."""
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise SeriesError(f"{name}: {fault}", next_step="give rows of one length, numbers only") from fault
    if array.ndim != 2 or 0 in array.shape:
        raise SeriesError(f"{name}: shape {array.shape}, (points, columns) is read", next_step="give one row a point")
    if columns is not None and array.shape[1] != columns:
        raise SeriesError(
            f"{name}: {array.shape[1]} columns, the model has {columns}", next_step="give the columns of the fit"
        )
    if not (np.abs(array) <= LARGEST).all():
        raise SeriesError(
            f"{name}: a value is NaN or beyond {LARGEST:g}", next_step="leave such rows out, and count them"
        )
    return _flushed(array)


def counted(values: Values, *, name: str) -> Floats:
    """Counts by bin: whole, not negative, not all zero, exact below 2**53."""
    array = tallies(values, name=name, least=1)
    if array.sum() == 0:
        raise TooFewError(name, found=0, needed=1, why="nothing was counted")
    return array


def tallies(values: Values, *, name: str, least: int = 0) -> Floats:
    """Counts as above, all of which may be 0."""
    array = finite(values, name=name, least=least)
    if (array < 0).any() or (array != np.floor(array)).any() or (array >= COUNT_MAX).any():
        raise SeriesError(f"{name}: counts are whole, 0 or more and below 2**53", next_step="give counts, not shares")
    return array


def same_length(name: str, *arrays: Floats) -> None:
    """All of one length."""
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise SeriesError(f"{name}: lengths {lengths} differ", next_step="give one value of each to a point")


def within(name: str, value: float, *, low: float, high: float) -> float:
    """A setting above `low` and at most `high`."""
    if not low < value <= high:
        raise SettingError(f"{name} is {value}, must be above {low:g} and at most {high:g}", next_step=f"change {name}")
    return float(value)


def _flushed(array: Floats) -> Floats:
    return np.where(np.abs(array) < SMALLEST, 0.0, array)
