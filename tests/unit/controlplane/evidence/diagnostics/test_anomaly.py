import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from controlplane.evidence.diagnostics.anomaly import Detector, fit
from controlplane.evidence.diagnostics.errors import MissingExtraError, SeriesError, SettingError, TooFewError
from tests import skips

PRNG = np.random.default_rng(1)
# Share of errors, latency in ms, requests: columns in units that have nothing to do with each other.
BASELINE = PRNG.standard_normal((600, 3)) * [0.001, 40.0, 5.0] + [0.01, 300.0, 100.0]
STRANGE = np.array([[0.10, 900.0, 300.0]])


@pytest.fixture(autouse=True)
def _extra() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError:
        skips.skip("scikit-learn is not installed", next_step="pip install 'serinus[anomaly]', or make check")


@pytest.mark.parametrize("detector", Detector)
def test_a_strange_row_gets_the_smallest_p_value_and_usual_ones_do_not(detector: Detector) -> None:
    model = fit(detector, BASELINE, alpha=0.01, seed=1)
    assert model.p_values(STRANGE)[0] == pytest.approx(1.0 / 301.0)
    usual = model.p_values(PRNG.standard_normal((300, 3)) * [0.001, 40.0, 5.0] + [0.01, 300.0, 100.0])
    assert 0.3 < usual.mean() < 0.7


@pytest.mark.parametrize("detector", Detector)
def test_p_values_keep_their_rate_where_contamination_would_set_it_by_decree(detector: Detector) -> None:
    """Trap: `contamination` calls a share of the rows anomalous, also where nothing is wrong."""
    p = []
    for seed in range(8):
        prng = np.random.default_rng(seed)
        model = fit(detector, prng.lognormal(0.0, 1.0, (200, 2)), alpha=0.02, seed=seed)
        p.append(model.p_values(prng.lognormal(0.0, 1.0, (200, 2))))
    assert (np.concatenate(p) <= 0.05).mean() <= 0.075


def test_a_forest_does_not_know_how_far_a_row_is_and_lof_does() -> None:
    """Trap: 90 deviations off in one column of three is as usual to a forest as four are."""
    near, far = [[0.014, 300.0, 100.0]], [[0.10, 300.0, 100.0]]
    forest = fit(Detector.ISOLATION_FOREST, BASELINE, alpha=0.01, seed=1)
    assert forest.p_values(far)[0] == pytest.approx(forest.p_values(near)[0], abs=0.02)
    assert forest.p_values(far)[0] > 0.02
    assert fit(Detector.LOF, BASELINE, alpha=0.01, seed=1).p_values(far)[0] == pytest.approx(1.0 / 301.0)


def test_units_do_not_matter() -> None:
    """Trap: LOF on raw columns sees only the one with the largest numbers."""
    model = fit(Detector.LOF, BASELINE, alpha=0.01, seed=1)
    scaled = fit(Detector.LOF, BASELINE * [1_000.0, 0.001, 1.0], alpha=0.01, seed=1)
    rows = BASELINE[:50] + np.array([0.003, 0.0, 0.0])
    assert model.p_values(rows) == pytest.approx(scaled.p_values(rows * [1_000.0, 0.001, 1.0]))


def test_a_column_that_never_moves_is_no_fault_and_a_move_in_it_is_strange() -> None:
    rows = np.column_stack([BASELINE[:, 1], np.zeros(600)])
    model = fit(Detector.LOF, rows, alpha=0.01, seed=1)
    assert model.p_values([[300.0, 5_000.0]])[0] == pytest.approx(1.0 / 301.0)


def test_equal_rows_and_seed_give_equal_p_values() -> None:
    one, other = (fit(Detector.ISOLATION_FOREST, BASELINE, alpha=0.05, seed=7) for _ in range(2))
    assert one.p_values(BASELINE[:20]).tolist() == other.p_values(BASELINE[:20]).tolist()


def test_a_p_value_cannot_be_smaller_than_the_calibration_allows_so_more_rows_are_asked_for() -> None:
    """Trap: with 99 calibration rows nothing is ever below .01."""
    with pytest.raises(TooFewError) as fault:
        fit(Detector.LOF, BASELINE[:200], alpha=0.001, seed=1)
    assert fault.value.needed == 2 * 999
    with pytest.raises(TooFewError):
        fit(Detector.LOF, BASELINE[:99], alpha=0.5, seed=1)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, float("nan")])
def test_alpha_is_a_share(alpha: float) -> None:
    with pytest.raises(SettingError):
        fit(Detector.LOF, BASELINE, alpha=alpha, seed=1)


def test_bad_rows_are_refused() -> None:
    model = fit(Detector.LOF, BASELINE, alpha=0.05, seed=1)
    for bad in ([], [[1.0, 2.0]], [[1.0, 2.0, float("nan")]]):
        with pytest.raises(SeriesError):
            model.p_values(bad)


class _Absent(MetaPathFinder):
    """Answers for scikit-learn as an installation without it does."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] == "sklearn":
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        with pytest.raises(MissingExtraError, match=r"next: pip install 'serinus\[anomaly\]'"):
            fit(Detector.LOF, BASELINE, alpha=0.05, seed=1)
    finally:
        sys.meta_path.remove(absent)
