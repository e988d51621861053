"""The entry for an engine: counts of both versions by slot in, ranked annotations out. Pure, bounded, never a decision.

Slots are put together to cells of equal requests, the first third of which is what is usual. Each version gets an EWMA
chart of standardised shares, wide enough for one false alarm in 10,000 cells, its scale taken from the reference's own
scatter where that is larger than chance (Laney 2002: sticky users make it so), and the modified z of its last cell.
When a chart alarms, the other version is asked whether it rose too: a version with few requests never alarms by
itself, and its silence must not accuse the other.
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
from controlplane.evidence.diagnostics.series import Values, same_length, tallies
from controlplane.evidence.kernel import Bools, Floats, Ints

CELLS = 45
REFERENCE_CELLS = CELLS // 3
SMOOTHING = 0.2
RUN_LENGTH = 10_000.0
MISSING_ALPHA = 1e-4
# A cell: with fewer, most cells are alike and the median's distance is one failure.
_EXPECTED_BAD_LEAST = 2.0
# Standard deviations by which a version must have risen more than the other before it is named alone: 1 %.
_APART = 2.33
_LAG = 4  # cells that an EWMA of .2 mostly rests on
_ARMS = (("baseline", Cause.BASELINE_CHANGED), ("candidate", Cause.CANDIDATE_CHANGED))


@dataclass(frozen=True, slots=True)
class ArmSlots:
    """One version, (n,) each, oldest slot first: requests, bad ones, and requests whose value is missing."""

    requests: Values
    bad: Values
    missing: Values | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """One version after the reference, (30,) each: requests, bad ones, chart, alarms above; its usual share before."""

    name: str
    cause: Cause
    n: Floats
    k: Floats
    usual: float
    before_k: float  # what `usual` rests on
    scatter: float
    chart: Chart
    above: Bools

    def rise(self, window: slice) -> tuple[float, float]:
        """ln of what the share rose by in some cells, and its standard deviation."""
        n, k = float(self.n[window].sum()), float(self.k[window].sum()) + 0.5
        return float(np.log(k / (n * self.usual))), self.scatter * float(np.sqrt(1.0 / k + 1.0 / self.before_k))

    @property
    def strength(self) -> float:
        return float((self.chart.smoothed / self.chart.high).max())


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
    seen = [_seen(*_ARMS[index], requests, bad, cells) for index, (requests, bad, _) in enumerate(arms)]
    found += _charted(metric, seen)
    for (name, _), (requests, bad, _) in zip(_ARMS, arms, strict=True):
        found += _last_cell(metric, name, requests, bad, cells)
    return ranked(found)


def _checked(name: str, arm: ArmSlots) -> tuple[Floats, Floats, Floats]:
    requests, bad = tallies(arm.requests, name=f"{name} requests"), tallies(arm.bad, name=f"{name} bad")
    missing = np.zeros_like(requests) if arm.missing is None else tallies(arm.missing, name=f"{name} missing")
    same_length(f"{name}: requests, bad and missing", requests, bad, missing)
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


def _seen(name: str, cause: Cause, requests: Floats, bad: Floats, cells: Ints) -> _Seen | None:
    """A version's cells after the reference, charted; None where there is no scale."""
    n, k = _sums(requests, cells), _sums(bad, cells)
    before_n, before_k = n[:REFERENCE_CELLS], k[:REFERENCE_CELLS]
    if before_n.sum() == 0 or n[REFERENCE_CELLS:].min(initial=np.inf) == 0:
        return None
    # Half a failure more, so that a reference without any still has a scale.
    usual = float((before_k.sum() + 0.5) / (before_n.sum() + 1.0))
    z = _standardised(n, k, usual)
    scatter = max(1.0, float(z[:REFERENCE_CELLS][before_n > 0].std()))
    # 15 cells tell the usual share only so well: its error moves all later cells one way, and widens the limits.
    error = np.sqrt(1.0 + n[REFERENCE_CELLS:].max() / before_n.sum() / (SMOOTHING / (2.0 - SMOOTHING)))
    width = width_of(SMOOTHING, run_length=RUN_LENGTH) * float(error)
    chart = ewma_chart(z[REFERENCE_CELLS:], mean=0.0, sigma=scatter, smoothing=SMOOTHING, width=width)
    # Above only: a share of bad ones that falls needs no explanation.
    above = chart.alarms & (chart.smoothed > chart.high)
    after_n, after_k = n[REFERENCE_CELLS:], k[REFERENCE_CELLS:]
    return _Seen(name, cause, after_n, after_k, usual, float(before_k.sum()) + 0.5, scatter, chart, above)


def _standardised(n: Floats, k: Floats, usual: float) -> Floats:
    """Anscombe 1948: the arc sine of a share's root has variance 1/4n whatever the share, and hardly a skew left."""
    z: Floats = np.arcsin(np.sqrt((k + 0.375) / (n + 0.75))) - np.arcsin(np.sqrt(usual))
    return 2.0 * np.sqrt(n + 0.5) * z


def _charted(metric: str, arms: Sequence[_Seen | None]) -> list[Annotation]:
    """One annotation of the versions whose chart alarmed, by what the other one did in the same cells."""
    alarmed = [(arm, other) for arm, other in (arms, arms[::-1]) if arm is not None and arm.above.any()]
    if not alarmed:
        return []
    # Where both alarmed at different times, the one that is further off speaks.
    arm, other = max(alarmed, key=lambda pair: pair[0].strength)
    match _did_too(arm, other):
        case True:
            cause, words = Cause.BOTH_CHANGED, "both versions left what was usual for them: look at what they share"
        case False:
            cause, words = arm.cause, f"the {arm.name} left what was usual for it, the other version did not"
        case _:
            cause = Cause.UNUSUAL
            words = f"the {arm.name} left what was usual for it; the other version has too few requests to compare"
    return [Annotation("ewma-chart", metric, cause, Effect.NOTE, arm.strength, f"{metric}: {words}")]


def _did_too(arm: _Seen, other: _Seen | None) -> bool | None:
    """Did the other rise with it? None: too few failures to tell a rise by the same factor from none."""
    if other is None:
        return None
    near = other.above.copy()
    near[1:] |= other.above[:-1]
    near[:-1] |= other.above[1:]
    if (arm.above & near).any():
        return True
    where = np.flatnonzero(arm.above)
    # The cells that alarmed were the worst of those that changed: with those before them they tell the rise better.
    window = slice(max(int(where[0]) - _LAG, 0), int(where[-1]) + 1)
    (rise, noise), (others, others_noise) = arm.rise(window), other.rise(window)
    if rise - others > _APART * float(np.hypot(noise, others_noise)):
        return False
    return True if others > _APART * others_noise else None


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
