"""Which minutes of a version are unlike its others in all their numbers together. Pure; nothing is decided by it.

A minute is a row of numbers (`FEATURES`): how busy, which share failed, how fast. Its Mahalanobis distance from the
minutes before says how unlikely all of them *together* are, also where each by itself is usual: slower is usual in a
busy minute, not in a quiet one. With the extra `serinus[anomaly]` an Isolation Forest and LOF look at the same rows.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.diagnostics.annotation import Annotation, Cause, Effect
from controlplane.evidence.diagnostics.anomaly import Detector, fit
from controlplane.evidence.diagnostics.gaussian import GaussianModel, Moments
from controlplane.evidence.errors import EvidenceError
from controlplane.evidence.kernel import Floats
from controlplane.ingest.history import Counts, Point
from serinus.contract.metric import ERRORS, FINISH_LENGTH, LATENCY, TOKENS_OUT, TPOT, TTFT

# Of fewer requests a median is a matter of luck, and such minutes would teach a width that hides everything.
REQUESTS_MIN = 20
USUAL_MIN = 60  # minutes that were usual; 5 a column are needed (`gaussian.POINTS_A_COLUMN`)
# Of all minutes that were looked at together; the forest and LOF rank only, so theirs is of each minute by itself.
ALPHA = 0.001
ALPHA_RANK = 0.01
SEED = 1


def _log(value: float | None) -> float | None:
    return None if value is None or value <= 0 else math.log(value)


def _arcsine(share: float | None) -> float | None:
    """Shares of equal spread wherever they lie (Anscombe 1948)."""
    return None if share is None else math.asin(math.sqrt(share))


FEATURES: tuple[tuple[str, Callable[[Counts], float | None]], ...] = (
    ("requests", lambda c: math.log(c.requests)),
    ("errors", lambda c: _arcsine(c.share(ERRORS))),
    ("ttft p50", lambda c: _log(c.quantile(TTFT, 0.5))),
    ("ttft p95", lambda c: _log(c.quantile(TTFT, 0.95))),
    ("latency p50", lambda c: _log(c.quantile(LATENCY, 0.5))),
    ("latency p95", lambda c: _log(c.quantile(LATENCY, 0.95))),
    ("time per token p50", lambda c: _log(c.quantile(TPOT, 0.5))),
    ("tokens out p50", lambda c: _log(c.quantile(TOKENS_OUT, 0.5))),
    ("cut at the length", lambda c: _arcsine(c.share(FINISH_LENGTH))),
)


@dataclass(frozen=True, slots=True)
class Unusual:
    """`p_value`: of the distance, for one look; `most`: the number that breaks most with the others. `by`: detectors of
    the extra that rank the minute among the strangest hundredth."""

    service: str
    version: str
    at_ms: int
    p_value: float
    most: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Minute:
    """`values` of FEATURES."""

    service: str
    version: str
    at_ms: int
    values: tuple[float | None, ...]


def minutes_of(points: Iterable[Point]) -> list[Minute]:
    """Of those with enough requests."""
    return [
        Minute(point.service, point.version, point.at_ms, tuple(of(point.counts) for _, of in FEATURES))
        for point in points
        if point.counts.requests >= REQUESTS_MIN
    ]


def unusual(minutes: Sequence[Minute], since_ms: int) -> list[Unusual]:
    """Of one version's minutes, those from `since_ms` on, against those before; [] where too few are usual."""
    before = [minute for minute in minutes if minute.at_ms < since_ms]
    asked = [minute for minute in minutes if minute.at_ms >= since_ms]
    if len(before) < USUAL_MIN or not asked:
        return []
    names, usual, new = _table(before, asked)
    try:
        found = GaussianModel.fit(Moments.of(usual)).distance(new)
    except EvidenceError:
        return []
    places = np.flatnonzero(found.p_value * len(asked) <= ALPHA)
    if not len(places):
        return []  # a forest takes a tenth of a second to grow
    return [
        Unusual(
            service=asked[place].service,
            version=asked[place].version,
            at_ms=asked[place].at_ms,
            p_value=float(found.p_value[place]),
            most=names[int(found.top[place])],
            by=tuple(sorted(marks)),
        )
        for place, marks in zip(places, _by_rank(usual, new[places]), strict=True)
    ]


def _table(before: Sequence[Minute], asked: Sequence[Minute]) -> tuple[list[str], Floats, Floats]:
    """Columns that every minute has and that move."""
    names, columns = [], []
    for place, (name, _) in enumerate(FEATURES):
        values = [minute.values[place] for minute in (*before, *asked)]
        known = [value for value in values if value is not None]
        if len(known) == len(values) and np.ptp(known[: len(before)]) > 1e-9:
            names.append(name)
            columns.append(known)
    array = np.array(columns, dtype=np.float64).T.reshape(len(before) + len(asked), len(names))
    return names, array[: len(before)], array[len(before) :]


def _by_rank(usual: Floats, new: Floats) -> list[list[str]]:
    """What the extra's detectors say; nothing without it, or with too few minutes to rank among."""
    marks: list[list[str]] = [[] for _ in new]
    for detector in Detector:
        try:
            p_values = fit(detector, usual, alpha=ALPHA_RANK, seed=SEED).p_values(new)
        except EvidenceError:
            continue
        for place, p in enumerate(p_values):
            if p <= ALPHA_RANK:
                marks[place].append(detector.value)
    return marks


def annotation_of(found: Unusual) -> Annotation:
    """To be noted beside a verdict."""
    also = f"; so say {', '.join(found.by)}" if found.by else ""
    words = (
        f"{found.version}: its last minutes are unlike its others, most in {found.most} (p {found.p_value:.1g}{also})"
    )
    # Strength as of other methods: evidence over what is needed, in logarithms.
    strength = -math.log(max(found.p_value, 1e-300)) / -math.log(ALPHA)
    return Annotation("multivariate", found.version, Cause.UNUSUAL, Effect.NOTE, strength, words)
