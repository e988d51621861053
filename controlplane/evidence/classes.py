"""Classification from labels, per arm: accuracy, precision, recall, F1 and AUC with intervals that hold at every look.

- accuracy, precision, recall: shares, `share_interval` each (one arm's running average; alpha is each interval's own);
- F1 = 2PR/(P + R) rises in P and in R: its interval is that of the corners, P and R at alpha/2 each; shown only;
- AUC: of the histograms of the model's scores by class, sum_i pos_i (neg_<i + neg_i/2)/(P N), and its interval from
  disjoint pairs, one positive and one negative of the same window and arm: 0, 1/2 or 1 each, mean = AUC;
- AUC worse: the pairs' badness 1 - value by the kernel given how many pairs each arm has (`bounds.log_e_badness`):
  given the pairs, which are the candidate's is a uniform draw, since keys are paired by nothing but their hash.
  A key takes part in one pair, once. One start: pairs are too few to restart for.
Counts are of requests here but for the pairs; verdicts on shares rest on keys, in `guardrail.py`. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.bounds import log_e_badness
from controlplane.evidence.intervals import Interval, MeanTally, share_interval
from controlplane.evidence.kernel import Floats, Ints, log_sum
from controlplane.evidence.labels import (
    ACCURACY,
    LABELS_MAX,
    PRECISION,
    RECALL,
    Label,
    LabelInbox,
    LabelPlan,
    Window,
    judged_in,
    strata_of,
)
from controlplane.evidence.strata import Stratum, is_comparison

# Of a mean of 0, 1/2 and 1: from "one point of AUC in a thousand pairs" to "nearly always wrong".
LAM: Floats = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
_PAIR_BADNESS: Floats = np.array([0.0, 0.5, 1.0])
_SCORE_BINS = 1_000


@dataclass(frozen=True, slots=True)
class Measure:
    """None: not defined yet. `n`: its denominator, requests or (AUC) pairs."""

    value: float | None
    interval: Interval
    n: int


def auc(positives: Ints, negatives: Ints) -> float | None:
    """Of histograms of the score, ascending bins; None without both classes."""
    below = negatives.cumsum() - negatives
    pairs = int(positives.sum()) * int(negatives.sum())
    return float(positives @ (below + negatives / 2.0)) / pairs if pairs else None


def f1(precision: float | None, recall: float | None) -> float | None:
    """None while one of them is, 0 when both are 0."""
    if precision is None or recall is None:
        return None
    return 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0


class ArmClasses:
    """Mutable: one arm of one step."""

    def __init__(self) -> None:
        self._shares = {ACCURACY: [0, 0], PRECISION: [0, 0], RECALL: [0, 0]}
        self._scores: Ints = np.zeros((2, _SCORE_BINS), dtype=np.int64)  # negatives, positives
        self._pairs = MeanTally()
        self._pair_count = 0

    def add(self, labels: Sequence[Label], pairs: Ints) -> None:
        """Labels of one window, and its pairs by badness 0, 1/2, 1."""
        for label in labels:
            for metric, is_bad in judged_in(label).items():
                self._shares[metric][0] += 1
                self._shares[metric][1] += is_bad
            if label.actually_positive is not None and label.margin is not None:
                self._scores[int(label.actually_positive), _bin_of(label.margin)] += 1
        if n := int(pairs.sum()):
            self._pairs.add(n, float(pairs @ (1.0 - _PAIR_BADNESS)), float(pairs @ (1.0 - _PAIR_BADNESS) ** 2))
            self._pair_count += n

    def measure(self, metric: str, *, alpha: float) -> Measure:
        """One of accuracy, precision, recall."""
        n, bad = self._shares[metric]
        wrong = share_interval(bad, n, alpha=alpha)
        return Measure((n - bad) / n if n else None, Interval(1.0 - wrong.high, 1.0 - wrong.low), n)

    def f1(self, *, alpha: float) -> Measure:
        """For people only."""
        p, r = (self.measure(metric, alpha=alpha / 2.0) for metric in (PRECISION, RECALL))
        low, high = f1(p.interval.low, r.interval.low), f1(p.interval.high, r.interval.high)
        return Measure(f1(p.value, r.value), Interval(low or 0.0, high or 0.0), p.n + r.n)

    def auc(self, *, alpha: float) -> Measure:
        """The value from all scores, the interval from pairs."""
        return Measure(auc(self._scores[1], self._scores[0]), self._pairs.interval(alpha=alpha), self._pair_count)


class AucEvidence:
    """Mutable: is the candidate's AUC lower? Also gathers what people are shown of each arm."""

    def __init__(self) -> None:
        self._log_e: Floats = np.zeros(len(LAM))
        self._paired: set[int] = set()
        self.arms = ArmClasses(), ArmClasses()

    def begin_step(self) -> None:
        """What is shown begins anew; the evidence goes on."""
        self.arms = ArmClasses(), ArmClasses()

    def fold(self, window: Window) -> None:
        """One window of `LabelInbox.ready`, each once."""
        strata: dict[tuple[int, str, str], tuple[list[Label], list[Label]]] = {}
        for label in window.labels:
            place = (label.asked.weight_bp, label.asked.snapshot, label.asked.weight_class)
            strata.setdefault(place, ([], []))[label.asked.is_candidate].append(label)
        for (weight_bp, _, _), arms in sorted(strata.items()):
            contested = {label.asked.key for label in arms[0]} & {label.asked.key for label in arms[1]}
            baseline, candidate = (self._pair(labels, contested) for labels in arms)
            if is_comparison(weight_bp) and (baseline + candidate).any():
                self._log_e += log_e_badness(baseline, candidate, _PAIR_BADNESS, lam=LAM, weight=None)
            for held, labels, pairs in zip(self.arms, arms, (baseline, candidate), strict=True):
                held.add(labels, pairs)

    def worse_log_e(self) -> float:
        """ln of the e-value against "the candidate ranks no worse"."""
        return float(log_sum(self._log_e)) - math.log(len(LAM))

    def _pair(self, labels: Sequence[Label], contested: set[int]) -> Ints:
        """Disjoint pairs of keys by badness, in the order of their hashes; a key counts by its first label."""
        classes: tuple[list[float], list[float]] = ([], [])
        keys: tuple[list[int], list[int]] = ([], [])
        met: set[int] = set()
        for label in sorted(labels, key=lambda of: (of.asked.key, of.asked.slot, of.asked.request)):
            key, actual = label.asked.key, label.actually_positive
            if actual is None or label.margin is None or key in met or key in self._paired or key in contested:
                continue
            met.add(key)
            classes[actual].append(label.margin)
            keys[actual].append(key)
        count = min(map(len, classes))
        self._paired.update(keys[0][:count], keys[1][:count])
        negative, positive = (np.array(scores[:count]) for scores in classes)
        right, tied = int((positive > negative).sum()), int((positive == negative).sum())
        return np.array([right, tied, count - right - tied], dtype=np.int64)


class ClassInbox(LabelInbox):
    """Labels that wait, and what people are shown of those whose wait is over."""

    def __init__(self, plan: LabelPlan, *, labels_max: int = LABELS_MAX) -> None:
        super().__init__(plan, labels_max=labels_max)
        self.shown = AucEvidence()

    def strata(self, now_slot: int) -> tuple[tuple[int, tuple[Stratum, ...]], ...]:
        """As of any labels; their windows are shown from now on."""
        windows = self.ready(now_slot)
        for window in windows:
            self.shown.fold(window)
        return tuple((window.slot, strata_of(window)) for window in windows)


def class_sentence(arm: ArmClasses, *, alpha: float) -> str:
    """Accuracy, precision, recall, F1 and AUC, those that are defined, with intervals that hold at any time; "" if none
    is."""
    shown = [(metric, arm.measure(metric, alpha=alpha)) for metric in (ACCURACY, PRECISION, RECALL)]
    shown += [("F1", arm.f1(alpha=alpha)), ("AUC", arm.auc(alpha=alpha))]
    return ", ".join(f"{name} {_in_words(measure)}" for name, measure in shown if measure.value is not None)


def _in_words(measure: Measure) -> str:
    between = f" ({measure.interval.low:.3f} to {measure.interval.high:.3f})" if measure.n else ""
    return f"{measure.value:.3f}{between}"


def _bin_of(margin: float) -> int:
    """Monotone from all numbers to bins, finest round 0: the logistic function. Ties within a bin count as halves."""
    share = 0.5 * (1.0 + math.tanh(margin / 2.0))
    return min(int(share * _SCORE_BINS), _SCORE_BINS - 1)
