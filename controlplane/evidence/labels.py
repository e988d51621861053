"""Labels: outcomes that arrive later (a thumb, a grade, the true class), filed under the slot of their request.

One wait for both arms. A window of requests is judged when `wait_s` have passed since it ended; a label that took
longer is counted and left out, of either arm, so the version that happens to be labelled sooner gains nothing. While a
window waits nothing is decided about it (`labelled.py`). Rules held here:
- order does not matter, repeats change nothing: of a request's labels the one received first counts;
- a label of a request that was not randomised (no weight class) never enters;
- accuracy: wrong of all; precision: wrong of those predicted positive; recall: missed of those actually positive. Each
  is a share with a denominator of its own (`MetricCounts`, judged by `guardrail.py`); scores go into bins, for
  `scores.py`. A key is bad in a slot if one of its requests was.
A label carries what its request was: joining a request id to slot, snapshot, weight and key is the caller's. No ids of
people, no texts: keys and requests are 64-bit hashes. Pure: no clock, no I/O.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.evidence.errors import CountsError, PlanError
from controlplane.evidence.scores import bin_of_score
from controlplane.evidence.strata import BinCounts, MetricCounts, Stratum, check_weight, is_whole
from serinus.contract.metric import SCORES

SCORE, ACCURACY, PRECISION, RECALL = "score", "accuracy", "precision", "recall"
# Before the name of what users did (`events.py`).
EVENT = "event:"
# Labels that wait, of all windows; past it new ones are refused and counted: the judge holds.
LABELS_MAX = 1_000_000
# Thirty days: what is older is no part of a rollout.
WAIT_S_MAX = 30 * 86_400
_HASH_END = 1 << 64


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a request was routed: what the ledger of requests knows of it."""

    slot: int
    snapshot: str
    weight_class: str  # "": pinned, forced, untagged, shadow
    weight_bp: int
    is_candidate: bool
    key: int
    request: int


@dataclass(frozen=True, slots=True)
class Label:
    """What was said of a request at `received_slot`. A score in 0..1 and classes may come together, or one of them.

    `margin`: the model's own score of the positive class, any finite number; AUC ranks by it."""

    asked: Asked
    received_slot: int
    score: float | None = None
    predicted_positive: bool | None = None
    actually_positive: bool | None = None
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class LabelPlan:
    wait_s: int
    window_s: int = 1  # AUC pairs labels of one window: take it wide enough for both classes


@dataclass(frozen=True, slots=True)
class Window:
    """A window whose wait is over: its labels, those of one request once, in a fixed order."""

    slot: int  # its first
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class InboxCounts:
    """For people and for the finding `label lag`."""

    waiting: int
    taken: int
    late: int
    not_randomised: int
    refused_full: int


class LabelInbox:
    """Mutable, single-threaded. Each call either takes effect whole or raises and changes nothing."""

    def __init__(self, plan: LabelPlan, *, labels_max: int = LABELS_MAX, score: str = SCORE) -> None:
        """`score`: the metric that the labels' scores are of. Raises PlanError."""
        if not is_whole(plan.wait_s) or not 0 <= plan.wait_s <= WAIT_S_MAX:
            raise PlanError(f"wait_s is {plan.wait_s!r}, must be 0..{WAIT_S_MAX}")
        if not is_whole(plan.window_s) or not 1 <= plan.window_s <= 3_600:
            raise PlanError(f"window_s is {plan.window_s!r}, must be 1..3600")
        self._plan = plan
        self._labels_max = labels_max
        self._score = score
        self._windows: dict[int, dict[int, Label]] = {}
        self._closed_before = 0  # windows that begin before it were handed out
        self._counts = InboxCounts(0, 0, 0, 0, 0)

    @property
    def counts(self) -> InboxCounts:
        return self._counts

    @property
    def is_waiting(self) -> bool:
        """Labels lie here whose window has not been judged: the named state `label lag` while nothing else is known."""
        return bool(self._windows)

    def take(self, label: Label) -> bool:
        """File a label; False if it is left out (late, not randomised, no room). Raises CountsError, WeightError."""
        check_label(label)
        asked, counts = label.asked, self._counts
        if not asked.weight_class:
            self._counts = replace(counts, not_randomised=counts.not_randomised + 1)
            return False
        window = asked.slot - asked.slot % self._plan.window_s
        if label.received_slot >= self._due(window) or window < self._closed_before:
            self._counts = replace(counts, late=counts.late + 1)
            return False
        labels = self._windows.get(window, {})
        before = labels.get(asked.request)
        if before is not None:
            labels[asked.request] = min(before, label, key=_order)
            return True
        if counts.waiting >= self._labels_max:
            self._counts = replace(counts, refused_full=counts.refused_full + 1)
            return False
        self._windows.setdefault(window, labels)[asked.request] = label
        self._counts = replace(counts, taken=counts.taken + 1, waiting=counts.waiting + 1)
        return True

    def ready(self, now_slot: int) -> tuple[Window, ...]:
        """Hand out, once and oldest first, the windows that have waited long enough."""
        due = sorted(window for window in self._windows if self._due(window) <= now_slot)
        windows = []
        for window in due:
            labels = self._windows.pop(window)
            self._counts = replace(self._counts, waiting=self._counts.waiting - len(labels))
            windows.append(Window(window, tuple(labels[request] for request in sorted(labels))))
        span = self._plan.window_s
        self._closed_before = max(self._closed_before, (now_slot - self._plan.wait_s) // span * span)
        return tuple(windows)

    def strata(self, now_slot: int) -> tuple[tuple[int, tuple[Stratum, ...]], ...]:
        """The same windows by their first slot, as strata of the judge."""
        return tuple((window.slot, strata_of(window, self._score)) for window in self.ready(now_slot))

    def _due(self, window: int) -> int:
        return window + self._plan.window_s + self._plan.wait_s


def check_label(label: Label) -> None:
    """Raises CountsError or WeightError for what cannot be."""
    asked = label.asked
    check_weight(asked.weight_bp)
    for name, slot in (("slot", asked.slot), ("received_slot", label.received_slot)):
        if not is_whole(slot) or slot < 0:
            raise CountsError(f"{name} {slot!r} is no second since 1970")
    if label.received_slot < asked.slot:
        raise CountsError(f"a label received in slot {label.received_slot} for a request of slot {asked.slot}")
    for name, value in (("key", asked.key), ("request", asked.request)):
        if not is_whole(value) or not 0 <= value < _HASH_END:
            raise CountsError(f"a {name} is a 64-bit hash, 0..2^64-1")
    if label.score is not None and not 0.0 <= label.score <= 1.0:
        raise CountsError(f"score {label.score!r} is outside 0..1")
    if label.margin is not None and not math.isfinite(label.margin):
        raise CountsError(f"the model's score {label.margin!r} is no finite number")
    if label.score is None and label.actually_positive is None:
        raise CountsError("a label says nothing", next_step="give a score in 0..1 or the actual class")


def strata_of(window: Window, score: str = SCORE) -> tuple[Stratum, ...]:
    """A window as strata of the judge: shares of classes and bins of scores, per arm."""
    places: dict[tuple[int, str, str], tuple[list[Label], list[Label]]] = {}
    for label in window.labels:
        asked = label.asked
        arms = places.setdefault((asked.weight_bp, asked.snapshot, asked.weight_class), ([], []))
        arms[asked.is_candidate].append(label)
    return tuple(
        Stratum(
            slot=window.slot,
            snapshot=snapshot,
            weight_class=weight_class,
            weight_bp=weight_bp,
            baseline=_shares(baseline),
            candidate=_shares(candidate),
            baseline_bins=_scores(baseline, score),
            candidate_bins=_scores(candidate, score),
        )
        for (weight_bp, snapshot, weight_class), (baseline, candidate) in sorted(places.items())
    )


def is_mean(metric: str) -> bool:
    """Whether means of 0 to 1 are compared, and not shares of bad ones."""
    return metric in SCORES or metric == SCORE or metric.startswith((EVENT, f"{SCORE}:"))


def judged_in(label: Label) -> Mapping[str, bool]:
    """The shares that a label's classes enter, and whether it is a bad one there."""
    predicted, actual = label.predicted_positive, label.actually_positive
    if predicted is None or actual is None:
        return {}
    is_wrong = predicted != actual
    return {ACCURACY: is_wrong} | ({PRECISION: is_wrong} if predicted else {}) | ({RECALL: is_wrong} if actual else {})


def _shares(labels: Sequence[Label]) -> Mapping[str, MetricCounts]:
    told = [(metric, bad, label.asked.key) for label in labels for metric, bad in judged_in(label).items()]
    return {metric: _share(told, metric) for metric in (ACCURACY, PRECISION, RECALL)}


def _share(told: Iterable[tuple[str, bool, int]], metric: str) -> MetricCounts:
    of = [(bad, key) for name, bad, key in told if name == metric]
    keys_bad = frozenset(key for bad, key in of if bad)
    keys_ok = frozenset(key for _, key in of) - keys_bad
    return MetricCounts(len(of), sum(bad for bad, _ in of), keys_ok, keys_bad)


def _scores(labels: Sequence[Label], metric: str) -> Mapping[str, BinCounts]:
    scored = sorted(
        (label.asked.slot, label.asked.request, label.asked.key, bin_of_score(label.score))
        for label in labels
        if label.score is not None
    )
    bins: dict[int, int] = {}
    firsts: dict[int, int] = {}
    for _, _, key, bin_ in scored:
        bins[bin_] = bins.get(bin_, 0) + 1
        firsts.setdefault(key, bin_)
    return {metric: BinCounts(bins, firsts)}


def _order(label: Label) -> tuple[int, str]:
    """The earliest received first; of several at once the same one, whichever came first here."""
    return label.received_slot, repr(label)
