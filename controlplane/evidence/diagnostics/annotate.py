"""The entry for an engine: counts of both versions by slot in, ranked annotations out. Pure, bounded, never a decision.

Slots are put together to cells of equal requests, the first third of which is what is usual. Each version gets an EWMA
chart of standardised shares, wide enough for one false alarm in 10,000 cells, its scale taken from the reference's own
scatter where that is larger than chance (Laney 2002: sticky users make it so), and the modified z of its last cell. A
chart that alarms for both versions in neighbouring cells points at what is shared.
What cannot be said (too few slots, an idle version, no failures) is left out: no annotation is a valid answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.diagnostics.annotation import Annotation, Cause, Effect, ranked
from controlplane.evidence.diagnostics.charts import Chart, ewma_chart, width_of
from controlplane.evidence.diagnostics.completeness import Missing, missing_check
from controlplane.evidence.diagnostics.errors import SeriesError
from controlplane.evidence.diagnostics.outliers import MODIFIED_Z_LIMIT, modified_z
from controlplane.evidence.diagnostics.series import Values, finite, same_length
from controlplane.evidence.kernel import Bools, Floats, Ints

CELLS = 45
REFERENCE_CELLS = CELLS // 3
SMOOTHING = 0.2
RUN_LENGTH = 10_000.0
MISSING_ALPHA = 1e-4
# A cell: with fewer, most cells are alike and the median's distance is one failure.
_EXPECTED_BAD_LEAST = 2.0
_ARMS = (("baseline", Cause.BASELINE_CHANGED), ("candidate", Cause.CANDIDATE_CHANGED))


@dataclass(frozen=True, slots=True)
class ArmSlots:
    """One version, (n,) each, oldest slot first: requests, bad ones, and requests whose value is missing."""

    requests: Values
    bad: Values
    missing: Values | None = None


def annotate(metric: str, baseline: ArmSlots, candidate: ArmSlots) -> tuple[Annotation, ...]:
    """At most six annotations, ranked. Empty where there are too few slots or requests to say anything.

    Raises SeriesError: lengths that differ, NaN, negative or broken counts, more bad than requests.
    """
    arms = [_checked(name, arm) for (name, _), arm in zip(_ARMS, (baseline, candidate), strict=True)]
    same_length("slots of baseline and candidate", arms[0][0], arms[1][0])
    found = _missing(metric, arms)
    cells = _cells(arms[0][0] + arms[1][0])
    if cells is None:
        return ranked(found)
    charts = [_chart(requests, bad, cells) for requests, bad, _ in arms]
    found += _charted(metric, charts)
    for (name, _), (requests, bad, _) in zip(_ARMS, arms, strict=True):
        found += _last_cell(metric, name, requests, bad, cells)
    return ranked(found)


def _checked(name: str, arm: ArmSlots) -> tuple[Floats, Floats, Floats]:
    requests, bad = (finite(each, name=f"{name} counts", least=0) for each in (arm.requests, arm.bad))
    missing = np.zeros_like(requests) if arm.missing is None else finite(arm.missing, name=name, least=0)
    same_length(f"{name}: requests, bad and missing", requests, bad, missing)
    for counts in (requests, bad, missing):
        if (counts < 0).any() or (counts != np.floor(counts)).any():
            raise SeriesError(f"{name}: counts are whole, 0 or more", next_step="give counts, not shares")
    if (bad > requests).any() or (missing > requests).any():
        raise SeriesError(f"{name}: more bad or missing than requests", next_step="give bad <= requests, slot by slot")
    return requests, bad, missing


def _missing(metric: str, arms: Sequence[tuple[Floats, Floats, Floats]]) -> list[Annotation]:
    of = [Missing(int(missing.sum()), int(requests.sum())) for requests, _, missing in arms]
    check = missing_check(of[0], of[1])
    if check.p_value >= MISSING_ALPHA:
        return []
    words = f"{metric}: missing for {of[1].share:.1%} of the candidate's requests, {of[0].share:.1%} of the baseline's"
    strength = float(np.log(max(check.p_value, 1e-300)) / np.log(MISSING_ALPHA))
    return [Annotation("missing", metric, Cause.DATA_MISSING, Effect.HOLD, strength, words)]


def _cells(requests: Floats) -> Ints | None:
    """First slot of each of 45 cells of about equal requests of both versions; None below 45 slots with requests."""
    running = requests.cumsum()
    if np.count_nonzero(requests) < CELLS:
        return None
    starts: Ints = np.searchsorted(running, running[-1] * np.arange(CELLS) / CELLS, side="right")
    return starts


def _sums(values: Floats, cells: Ints) -> Floats:
    running = np.concatenate([[0.0], values.cumsum()])
    ends = np.append(cells[1:], len(values))
    sums: Floats = running[ends] - running[cells]
    return sums


def _chart(requests: Floats, bad: Floats, cells: Ints) -> Chart | None:
    """Standardised shares of the cells after the reference; None where there is no scale."""
    n, k = _sums(requests, cells), _sums(bad, cells)
    before_n, before_k = n[:REFERENCE_CELLS], k[:REFERENCE_CELLS]
    if before_n.sum() == 0 or n[REFERENCE_CELLS:].min(initial=np.inf) == 0:
        return None
    # Half a failure more, so that a reference without any still has a scale.
    usual = (before_k.sum() + 0.5) / (before_n.sum() + 1.0)
    z = _standardised(n, k, usual)
    scatter = max(1.0, float(z[:REFERENCE_CELLS][before_n > 0].std()))
    # 15 cells tell the usual share only so well: its error moves all later cells one way, and widens the limits.
    error = np.sqrt(1.0 + n[REFERENCE_CELLS:].max() / before_n.sum() / (SMOOTHING / (2.0 - SMOOTHING)))
    width = width_of(SMOOTHING, run_length=RUN_LENGTH) * float(error)
    return ewma_chart(z[REFERENCE_CELLS:], mean=0.0, sigma=scatter, smoothing=SMOOTHING, width=width)


def _standardised(n: Floats, k: Floats, usual: float) -> Floats:
    """Anscombe 1948: the arc sine of a share's root has variance 1/4n whatever the share, and hardly a skew left."""
    z: Floats = np.arcsin(np.sqrt((k + 0.375) / (n + 0.75))) - np.arcsin(np.sqrt(usual))
    return 2.0 * np.sqrt(n + 0.5) * z


def _charted(metric: str, charts: Sequence[Chart | None]) -> list[Annotation]:
    """Above the upper limit only: a share of bad ones that falls needs no explanation."""
    above = [None if chart is None else chart.alarms & (chart.smoothed > chart.high) for chart in charts]
    if above[0] is not None and above[1] is not None and _together(above[0], above[1]):
        strength = min(_strength(chart) for chart in charts if chart is not None)
        words = f"{metric}: both versions left what was usual for them: look at what they share"
        return [Annotation("ewma-chart", metric, Cause.BOTH_CHANGED, Effect.NOTE, strength, words)]
    found = []
    for (name, cause), chart, alarms in zip(_ARMS, charts, above, strict=True):
        if chart is not None and alarms is not None and alarms.any():
            words = f"{metric}: the {name} left what was usual for it, the other version did not"
            found.append(Annotation("ewma-chart", metric, cause, Effect.NOTE, _strength(chart), words))
    return found


def _together(one: Bools, other: Bools) -> bool:
    """In the same cell, or the next: two charts seldom alarm in one and the same."""
    near = other.copy()
    near[1:] |= other[:-1]
    near[:-1] |= other[1:]
    return bool((one & near).any())


def _strength(chart: Chart) -> float:
    return float((chart.smoothed / chart.high).max())


def _last_cell(metric: str, name: str, requests: Floats, bad: Floats, cells: Ints) -> list[Annotation]:
    n, k = _sums(requests, cells), _sums(bad, cells)
    if (n == 0).any() or k[:-1].sum() < _EXPECTED_BAD_LEAST * CELLS:
        return []
    # Standardised first: after a step of the weight the last cell may hold a ninth of the first one's requests.
    score = float(modified_z(_standardised(n, k, float(k.sum() / n.sum())))[-1])
    if score <= MODIFIED_Z_LIMIT:
        return []
    words = f"{metric}: the {name}'s last {len(requests) - int(cells[-1])} slots stand out (modified z {score:.1f})"
    return [Annotation("modified-z", metric, Cause.UNUSUAL, Effect.NOTE, score / MODIFIED_Z_LIMIT, words)]
