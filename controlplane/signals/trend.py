"""Growth that looks like a leak: a slope and whether it is one. Pure; for a person's eye, nothing follows from it.

Theil-Sen: the median of the slopes between all pairs, which a garbage collection or a restart does not bend. A slope is
called steady only if
1. there are POINTS_MIN points at least, and they rise more often than they fall by Mann-Kendall at Z_NEEDED standard
   deviations. That limit knows n: 20 points of noise rise so by chance in 1 of 30,000 looks, and a few points never;
2. the last third still rises, by at least half of the overall slope. A server that warms up (weights, caches, thread
   pools) rises steeply and then stands: by far the most frequent growth, and no leak;
3. at that slope it would have grown by GROWTH_MIN of what it is within an hour: anything finer is nobody's problem
   today. A random walk has rising stretches too, and passes far more often than noise: this annotates, and holds
   nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

POINTS_MIN = 20
# All pairs of so many are 7,140.
POINTS_MAX = 120
Z_NEEDED = 4.0
LAST_SHARE_MIN = 0.5
GROWTH_MIN = 0.02
HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Trend:
    """`slope`: units a second over the points. `is_steady`: it looks like a leak."""

    slope: float
    z: float
    points: int
    is_steady: bool


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """Of (second, value), by rising second. None: too few to say anything; of more than POINTS_MAX the newest count."""
    if len(points) < POINTS_MIN:
        return None
    points = points[-POINTS_MAX:]
    slope, z = _slope(points)
    last, _ = _slope(points[-max(len(points) // 3, 3) :])
    level = float(np.median([value for _, value in points]))
    is_steady = (
        z >= Z_NEEDED and slope > 0.0 and last >= LAST_SHARE_MIN * slope and slope * HOUR_S >= GROWTH_MIN * level
    )
    return Trend(slope, z, len(points), is_steady)


def _slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Theil-Sen's slope, and Mann-Kendall's statistic in standard deviations."""
    times, values = np.asarray(points, dtype=float).T
    first, second = np.triu_indices(len(times), k=1)
    rises, apart = values[second] - values[first], times[second] - times[first]
    n = len(times)
    deviation = (n * (n - 1) * (2 * n + 5) / 18.0) ** 0.5
    is_apart = apart > 0.0
    slope = float(np.median(rises[is_apart] / apart[is_apart])) if is_apart.any() else 0.0
    return slope, float(np.sign(rises).sum()) / deviation
