"""Isolation Forest and LOF on feature vectors, one row a slot: the optional extra `serinus[anomaly]`.

Sources: Liu, Ting & Zhou 2008; Breunig, Kriegel, Ng & Sander 2000; Vovk, Gammerman & Shafer 2005; Bates et al. 2023
(a score's rank among calibration scores is a p-value).
Traps: `contamination` sets the share of alarms by decree, also where nothing is wrong, so it is not used: a row's
score is ranked among rows that were not fitted, p = (1 + #{calibration >= score})/(n+1); p below 1/(n+1) cannot be
had; LOF must be asked about new rows only (novelty), since inside its fit each row is its own neighbour's neighbour;
its distances have units, so columns are scaled by the fit's medians and quartiles.
An Isolation Forest does not know how far: beyond the last fitted value all is alike, and a row that is far off in one
column of many may rank as usual; LOF sees it.
Fit out of band, on the baseline before the rollout: a fit takes a tenth of a second and more.
"""

import enum
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from controlplane.evidence.diagnostics.errors import MissingExtraError, SettingError, TooFewError
from controlplane.evidence.diagnostics.series import Rows, table
from controlplane.evidence.kernel import Floats

FIT_ROWS_MIN = 50
TREES = 100
NEIGHBOURS = 20


class Detector(enum.StrEnum):
    ISOLATION_FOREST = "isolation-forest"
    LOF = "lof"


class _Scorer(Protocol):
    def score_samples(self, rows: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class AnomalyModel:
    """A fitted detector and the sorted scores of rows that it did not see."""

    detector: Detector
    _scorer: _Scorer
    _middle: Floats
    _scale: Floats
    _calibration: Floats

    def p_values(self, rows: Rows) -> Floats:
        """rows (m, k) in the units and columns of the fit -> (m,) in [1/(n+1), 1]. Raises SeriesError."""
        scores = self._scores(table(rows, name="rows", columns=len(self._middle)))
        at_least = len(self._calibration) - np.searchsorted(self._calibration, scores, side="left")
        return np.asarray((1.0 + at_least) / (len(self._calibration) + 1.0), dtype=np.float64)

    def _scores(self, rows: Floats) -> Floats:
        """Higher is stranger."""
        return -np.asarray(self._scorer.score_samples((rows - self._middle) / self._scale), dtype=np.float64)


def fit(detector: Detector, rows: Rows, *, alpha: float, seed: int) -> AnomalyModel:
    """rows (n, k) of the baseline; every second one is kept for calibration. Equal rows and seed give an equal model.

    `alpha`: the smallest p-value that will be asked for, which needs 1/alpha calibration rows. Raises SeriesError,
    TooFewError, SettingError, MissingExtraError.
    """
    if not 0.0 < alpha < 1.0:
        raise SettingError(f"alpha is {alpha}", next_step="give a share between 0 and 1")
    array = table(rows, name="rows")
    needed = max(FIT_ROWS_MIN, int(np.ceil(1.0 / alpha)) - 1)
    if len(array) < 2 * needed:
        raise TooFewError(
            "rows", found=len(array), needed=2 * needed, why=f"half of them calibrate p-values to {alpha}"
        )
    fitted, kept = array[::2], array[1::2]
    middle = np.median(fitted, axis=0)
    low, high = np.quantile(fitted, [0.25, 0.75], axis=0)
    # A column whose middle half is one value is left in its unit.
    scale = np.where(high > low, high - low, 1.0)
    scorer = _fitted(detector, (fitted - middle) / scale, seed)
    model = AnomalyModel(detector, scorer, middle, scale, np.empty(0))
    return AnomalyModel(detector, scorer, middle, scale, np.sort(model._scores(kept)))


def _fitted(detector: Detector, rows: Floats, seed: int) -> _Scorer:
    try:
        # Late: an optional package of 60 MB that most installations do without.
        from sklearn.ensemble import IsolationForest
        from sklearn.neighbors import LocalOutlierFactor
    except ImportError as fault:
        raise MissingExtraError(
            f"{detector.value} needs scikit-learn, which is not installed ({fault})",
            next_step="pip install 'serinus[anomaly]'",
        ) from fault
    scorer: _Scorer
    if detector is Detector.ISOLATION_FOREST:
        scorer = IsolationForest(n_estimators=TREES, random_state=seed).fit(rows)
    else:
        scorer = LocalOutlierFactor(n_neighbors=min(NEIGHBOURS, len(rows) - 1), novelty=True).fit(rows)
    return scorer
