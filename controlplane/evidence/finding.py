"""The named finding: what most likely goes on, from facts that are already counted. It explains; it decides nothing.

Asked in this order, the first that holds is named:
1. no data: nothing arrived for a while; 2. routing fault: a request in the wrong place, or a split that cannot be;
3. the candidate is worse: *capacity* if most of what it fails more is overload, or if its servers are full and the
   baseline's are not, else *version worse*;
4. both versions fail more than before while the comparison stands still: *dependency* if one and the same kind of
   failure that no server answers with makes up most of it in both, or a probe of a dependency fails, else *shared
   incident*;
5. *dependency* again: a probe fails, although no user has suffered yet; 6. *capacity* likewise: the candidate's servers
   alone are full; 7. label lag: the metric waits for labels; 8. nothing.
"More than before" is a likelihood ratio of e^7 for another rate than before and at least half more: for a person's eye.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from serinus.contract.outcome import FAILURES, OutcomeClass

SILENT_S_MAX = 30
_LOG_RATIO_NEEDED = 7.0
_RISE_NEEDED = 1.5
_MOST = 0.6
_LABELS_NEEDED = 0.5
# Failures that come from what stands between or behind the servers rather than from an answer of theirs.
_FROM_BEHIND = frozenset({OutcomeClass.TIMEOUT, OutcomeClass.UPSTREAM_RESET, OutcomeClass.IN_STREAM_ERROR})


class Finding(enum.StrEnum):
    NO_DATA = "no_data"
    ROUTING_FAULT = "routing_fault"
    CAPACITY = "capacity"
    VERSION_WORSE = "version_worse"
    DEPENDENCY = "dependency"
    SHARED_INCIDENT = "shared_incident"
    LABEL_LAG = "label_lag"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Level:
    """Requests and bad ones of one arm in a window, and before it; the bad ones of the window by class."""

    n: int = 0
    bad: int = 0
    before_n: int = 0
    before_bad: int = 0
    classes: Mapping[OutcomeClass, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Situation:
    """`silent_s`: seconds since the last closed slot with requests. `labels_share`: of the requests old enough to have
    a label, those that have one; None where the metric needs none. `full`: how full the candidate's servers are while
    the baseline's are not, in words; "": they are not, or nobody can see them. `dependency`: which probe of what the
    service leans on fails, in words; "": none."""

    silent_s: int
    is_worse: bool
    mismatches: int
    is_split_plausible: bool
    baseline: Level
    candidate: Level
    labels_share: float | None = None
    full: str = ""
    dependency: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    finding: Finding
    sentence: str


def name(situation: Situation) -> Named:
    """The first that holds."""
    baseline, candidate = situation.baseline, situation.candidate
    if situation.silent_s > SILENT_S_MAX:
        return Named(Finding.NO_DATA, f"nothing arrived for {situation.silent_s} s")
    if situation.mismatches:
        return Named(Finding.ROUTING_FAULT, f"{situation.mismatches} requests went where their bucket does not belong")
    if not situation.is_split_plausible:
        return Named(Finding.ROUTING_FAULT, "the split that was seen cannot be the weight in force")
    if situation.is_worse:
        return _beside(_worse(baseline, candidate, situation.full), situation.dependency)
    if has_risen(baseline) and has_risen(candidate):
        if situation.dependency:
            return Named(Finding.DEPENDENCY, f"both versions fail more than before, and {situation.dependency}")
        return _shared(baseline, candidate)
    if situation.dependency:
        return Named(Finding.DEPENDENCY, f"{situation.dependency}; users have not suffered by it so far")
    if situation.full:
        return Named(Finding.CAPACITY, f"{situation.full}, and the baseline's are not: too few replicas?")
    if situation.labels_share is not None and situation.labels_share < _LABELS_NEEDED:
        return Named(Finding.LABEL_LAG, f"only {situation.labels_share:.0%} of the labels that are due have come")
    return Named(Finding.NONE, "nothing stands out")


def has_risen(level: Level) -> bool:
    """Fails at least half more often than before, and that is no chance."""
    if level.n == 0 or level.before_n == 0:
        return False
    now, before = level.bad / level.n, level.before_bad / level.before_n
    pooled = (level.bad + level.before_bad) / (level.n + level.before_n)
    ratio = (
        _log_likelihood(level.bad, level.n, now)
        + _log_likelihood(level.before_bad, level.before_n, before)
        - _log_likelihood(level.bad + level.before_bad, level.n + level.before_n, pooled)
    )
    return now >= _RISE_NEEDED * before and ratio >= _LOG_RATIO_NEEDED


def _worse(baseline: Level, candidate: Level, full: str) -> Named:
    excess = {
        class_: candidate.classes.get(class_, 0) - baseline.classes.get(class_, 0) * candidate.n / max(baseline.n, 1)
        for class_ in FAILURES
    }
    total = math.fsum(max(value, 0.0) for value in excess.values())
    overload = max(excess[OutcomeClass.OVERLOADED], 0.0)
    if total > 0.0 and overload >= _MOST * total:
        share = overload / total
        return Named(Finding.CAPACITY, f"{share:.0%} of what the candidate fails more is overload: too few replicas?")
    if full:
        return Named(
            Finding.CAPACITY, f"{full}, and the baseline's are not: too few replicas, or a version that needs more?"
        )
    return Named(Finding.VERSION_WORSE, "the candidate fails where the baseline does not, in the same seconds")


def _beside(found: Named, dependency: str) -> Named:
    """The candidate alone is worse; it may be the only one that leans on what is away."""
    return Named(found.finding, f"{found.sentence}; meanwhile {dependency}") if dependency else found


def _shared(baseline: Level, candidate: Level) -> Named:
    for class_ in sorted(_FROM_BEHIND, key=lambda of: of.value):
        if all(level.classes.get(class_, 0) >= _MOST * level.bad for level in (baseline, candidate)):
            return Named(Finding.DEPENDENCY, f"both versions fail by {class_.value}: something behind both")
    return Named(Finding.SHARED_INCIDENT, "both versions fail more than before, and neither more than the other")


def _log_likelihood(bad: int, n: int, rate: float) -> float:
    good = n - bad
    return (bad * math.log(rate) if bad else 0.0) + (good * math.log1p(-rate) if good else 0.0)
