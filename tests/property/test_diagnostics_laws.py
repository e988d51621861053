"""Whatever numbers come in, a diagnostic answers with finite numbers or with a typed error that says what to do next.

pytest turns numpy's warnings into errors, so an overflow or a division by 0 on the way fails as well.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.diagnostics import charts, completeness, drift, forecast, gaussian, outliers, smoothing
from controlplane.evidence.diagnostics.annotate import ArmSlots, annotate
from controlplane.evidence.diagnostics.annotation import Effect
from controlplane.evidence.diagnostics.outputs import OutputDrift
from controlplane.evidence.diagnostics.seasonality import learn_profile
from controlplane.evidence.errors import EvidenceError
from controlplane.evidence.kernel import Floats, Ints

ANY = st.floats() | st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, 0.1])
TAME = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 0.1])
SERIES = st.lists(ANY, max_size=30) | st.lists(TAME, max_size=60) | st.lists(st.just(0.1), max_size=60)
COUNTS = st.lists(st.integers(-1, 50) | st.sampled_from([0, 10**12, 2**53]), max_size=12)


def wasserstein_of(at: Floats, one: Ints, other: Ints) -> float:
    return drift.wasserstein_1(one, other, at).limit


OF_A_SERIES: list[Callable[[list[float]], object]] = [
    lambda x: smoothing.moving_average(x, 3),
    lambda x: smoothing.exponential_smoothing(x, 0.3),
    lambda x: smoothing.holt(x, alpha=0.3, gamma=0.2).forecasts,
    lambda x: charts.ewma_chart(x, mean=0.0, sigma=1.0).smoothed,
    outliers.z_scores,
    outliers.modified_z,
    lambda x: outliers.iqr_fences(x).low,
    lambda x: forecast.fit_autoregression(x).predict(1.0).high,
    lambda x: gaussian.GaussianModel.fit(gaussian.Moments.of([[each] for each in x])).distance([[1.0]]).p_value,
]
OF_TWO_SERIES: list[Callable[[list[float], list[float]], object]] = [
    outliers.three_sigma,
    lambda x, y: completeness.mean_check(x, y).p_value,
    lambda x, y: completeness.spread_check(x, y).change,
    lambda x, y: forecast.fit_autoregression(x, y).sigma,
    lambda x, y: drift.psi(*drift.bin_by_reference(x, y)).value,
    lambda x, y: wasserstein_of(*drift.merge_samples(x, y)),
    lambda x, y: smoothing.exponential_decay(x, y, time_constant_s=3.0),
    lambda x, y: learn_profile(x, y).expected([0.0]) * 0.0,
]
OF_TWO_COUNTS: list[Callable[[list[int], list[int]], float]] = [
    lambda a, b: drift.psi(a, b).strength,
    lambda a, b: drift.jensen_shannon(a, b).strength,
    lambda a, b: drift.kolmogorov_smirnov(a, b).strength,
    lambda a, b: drift.chi_square(a, b).strength,
    lambda a, b: drift.wasserstein_1(a, b, range(len(a))).strength,  # type: ignore[arg-type]
]


def says_what_to_do(fault: EvidenceError) -> None:
    assert fault.next_step


def answers(call: Callable[[], object], *, may_be_nan: bool = False) -> None:
    try:
        answer = np.asarray(call(), dtype=np.float64)
    except EvidenceError as fault:
        says_what_to_do(fault)
        return
    assert (np.isfinite(answer) | (np.isnan(answer) & may_be_nan)).all()


@pytest.mark.parametrize("index", range(len(OF_A_SERIES)))
@settings(max_examples=60, deadline=None)
@given(values=SERIES)
def test_of_any_series(index: int, values: list[float]) -> None:
    answers(lambda: OF_A_SERIES[index](values))


@pytest.mark.parametrize("index", range(len(OF_TWO_SERIES)))
@settings(max_examples=60, deadline=None)
@given(one=SERIES, other=SERIES)
def test_of_any_two_series(index: int, one: list[float], other: list[float]) -> None:
    # An hour that was never seen is NaN, and says so.
    answers(lambda: OF_TWO_SERIES[index](one, other), may_be_nan=index == len(OF_TWO_SERIES) - 1)


@pytest.mark.parametrize("index", range(len(OF_TWO_COUNTS)))
@settings(max_examples=80, deadline=None)
@given(one=COUNTS, other=COUNTS)
def test_of_any_counts(index: int, one: list[int], other: list[int]) -> None:
    answers(lambda: OF_TWO_COUNTS[index](one, other))


@settings(max_examples=60, deadline=None)
@given(strata=st.lists(st.tuples(COUNTS, COUNTS), max_size=4))
def test_evidence_of_any_answers_is_a_number(strata: list[tuple[list[int], list[int]]]) -> None:
    drifting = OutputDrift(3)
    for baseline, candidate in strata:
        answers(lambda b=baseline, c=candidate: drifting.add(b, c) or 0.0)  # type: ignore[misc]
    assert math.isfinite(drifting.log_e())


@settings(max_examples=80, deadline=None)
@given(
    requests=st.lists(st.integers(0, 60) | st.sampled_from([0, 10**12, 2**53, 2**60]), min_size=40, max_size=120),
    shares=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3),
)
def test_annotations_of_any_counts_are_few_and_never_more_than_a_hold(requests: list[int], shares: list[float]) -> None:
    arms = [
        ArmSlots(requests, [int(each * share) for each in requests], [int(each * shares[2]) for each in requests])
        for share in shares[:2]
    ]
    try:
        found = annotate("errors", *arms)
    except EvidenceError as fault:
        says_what_to_do(fault)
        return
    assert len(found) <= 6
    assert all(each.effect in (Effect.NOTE, Effect.HOLD) and math.isfinite(each.strength) for each in found)
