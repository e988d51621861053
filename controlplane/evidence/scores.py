"""Evidence about scores in 0..1 (ratings, a grader's marks, a share of checks passed): the mean, in both directions.

A score is kept as badness s = 1 - score in hundredths (`BADNESS_BINS` bins), one observation a key and component. A
key's arm is a hash, so with the weight w in force and any centre c that earlier strata decide

    X = (s - c)/w for a candidate's key, -(s - c)/(1 - w) for a baseline's:  the mean of X is muB - muA, whatever c is.

- worse: product of 1 + lam*(X - tolerance): mean at most 1 under H0 {muB <= muA + tolerance};
- good enough: product of 1 + lam*(margin - X): mean at most 1 under H0 {muB >= muA + margin}.
Betting on bounded means, Waudby-Smith & Ramdas 2024; c = the mean so far, so X has the spread of scores and not their
size. Both nulls are about means (an order of whole distributions would overlook a candidate that answers one question
in ten with rubbish), drift and incidents move both arms of a stratum alike, and no split that was seen is used.
lam is a fraction of what keeps each factor above 0; five fractions share the stakes. Advances ask keys and requests,
since the first step and in the step, as in `advance.py`. The face of `measured.MetricsEvidence`; all metrics at once.
"""

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np

from controlplane.evidence.advance import SHOWN_LOG_E, WHOLE_STAKE
from controlplane.evidence.alternatives import Counts
from controlplane.evidence.harm import NOTHING_TO_SHOW_LOG_E
from controlplane.evidence.intervals import MeanTally
from controlplane.evidence.kernel import Bools, Floats, Ints, log_sum
from controlplane.evidence.keys import NEVER, KeyTable
from controlplane.evidence.mixture import Opened, Starts, Wealth
from controlplane.evidence.plan import BADNESS_BINS, ScorePlan
from controlplane.evidence.strata import BinCounts, Stratum, is_comparison
from serinus.contract.metric import SCORES
from serinus.contract.weight import WEIGHT_TOTAL_BP

# Of the largest bet. A drop of 1, 3 or 10 points at a usual spread (.15) wants .15, .45 and 1 at a weight of one half.
FRACTIONS: Floats = np.array([0.9, 0.5, 0.25, 0.12, 0.05])
_BETS = len(FRACTIONS)
_NOTHING = BinCounts({}, {})
_SHOWN_ALPHA = 0.05
BADNESS: Floats = np.arange(BADNESS_BINS) / (BADNESS_BINS - 1)


def bin_of_score(score: float) -> int:
    """The bin of a score in 0..1; the caller has checked it."""
    return round((1.0 - score) * (BADNESS_BINS - 1))


def contrast(badness: Floats, is_candidate: Bools, *, weight: float, centre: Floats | float) -> Floats:
    """X of each observation."""
    value: Floats = (badness - centre) * np.where(is_candidate, 1.0 / weight, -1.0 / (1.0 - weight))
    return value


def worse_log_e(x: Floats, *, weight: float, centre: Floats | float, tolerance: Floats | float) -> Floats:
    """ln of the factor of each observation against "no worse than the tolerance". Adds a last axis, the bets."""
    lowest = -np.maximum(np.asarray(centre) / weight, (1.0 - np.asarray(centre)) / (1.0 - weight))
    return _log_factors(x - tolerance, tolerance - lowest)


def good_log_e(x: Floats, *, weight: float, centre: Floats | float, margin: Floats | float) -> Floats:
    """ln of the factor of each observation against "worse by the margin or more"; 0 <= margin < 1/2."""
    highest = np.maximum((1.0 - np.asarray(centre)) / weight, np.asarray(centre) / (1.0 - weight))
    return _log_factors(margin - x, highest - margin)


def _log_factors(gain: Floats, largest_loss: Floats) -> Floats:
    relative = gain / largest_loss  # at least -1
    value: Floats = np.log1p(np.multiply.outer(relative, FRACTIONS))
    return value


class ScoreEvidence:
    """Mutable; `columns` are the metrics' places in the key table."""

    def __init__(self, planned: Sequence[ScorePlan], columns: Sequence[int], starts: Starts) -> None:
        self._planned, self._starts = planned, starts
        self._columns: Ints = np.array(columns, dtype=np.int64)
        self._tolerances: Floats = np.array([of.tolerance_bp for of in planned]) / WEIGHT_TOTAL_BP
        self._margins: Floats = np.array([of.margin_bp for of in planned]) / WEIGHT_TOTAL_BP
        self._worse = Wealth(starts, bets=_BETS, metrics=len(planned))
        self._past: Floats = np.tile(
            [1.0, 0.5], (len(planned), 1)
        )  # observations and badness, one of 1/2 to begin with
        self._keys, self._requests = _Good(len(planned)), _Good(len(planned))
        self._first_step_slot = self._step_slot = NEVER
        self.begin_step(None, limits=[None] * len(planned))

    def begin_step(self, slot: int | None, *, limits: Sequence[float | None]) -> None:
        """A step begins; a limit of None: nothing is to be shown in it. The margin itself never moves."""
        if slot is not None:
            self._step_slot = slot
            if self._first_step_slot == NEVER:
                self._first_step_slot = slot
        self._has_limit: Bools = np.array([limit is not None for limit in limits], dtype=bool)
        self._keys.begin_step()
        self._requests.begin_step()
        size = (len(self._planned), 2, BADNESS_BINS)
        self._met: Ints = np.zeros(size, dtype=np.int64)
        self._requested: Ints = np.zeros(size, dtype=np.int64)
        self._tallies = [(MeanTally(), MeanTally()) for _ in self._planned]

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._worse.opened(opened)

    def fold(self, stratum: Stratum, table: KeyTable, contested: frozenset[int]) -> None:
        """Take one stratum in. `table` has admitted its keys; `contested` ones are left out."""
        arms = [
            metrics.get(of.metric, _NOTHING)
            for of in self._planned
            for metrics in (stratum.baseline_bins, stratum.candidate_bins)
        ]
        rows, groups, bins = _firsts(arms, table, contested)
        columns = self._columns[groups >> 1]
        previous = table.seen[columns, rows]
        counts = _dense(arms).reshape(len(self._planned), 2, BADNESS_BINS)
        if is_comparison(stratum.weight_bp):
            weight = stratum.weight_bp / WEIGHT_TOTAL_BP
            self._fold_keys(stratum.slot, weight, groups, bins, previous)
            self._fold_requests(stratum.slot, weight, counts)
        if self._step_slot != NEVER and stratum.slot >= self._step_slot:
            is_first = previous < self._step_slot
            np.add.at(self._met, (groups[is_first] >> 1, groups[is_first] & 1, bins[is_first]), 1)
            self._requested += counts
            self._tally(counts)
        table.seen[columns, rows] = stratum.slot
        self._past += np.stack([counts.sum(axis=(1, 2)), counts.sum(axis=1) @ BADNESS], axis=1)

    def mature(self, closed_slot: int) -> None:
        """Scores wait in `labels.py`: what arrives here is complete."""

    def worse_log_e(self) -> Floats:
        """ln of the e-values, per metric."""
        return self._worse.total()

    def good_log_e(self) -> Floats:
        """The smaller of the keys' and the requests' evidence, per metric; high and finite where nothing is asked."""
        both = np.minimum(self._keys.log_e(), self._requests.log_e())
        value: Floats = np.where(self._has_limit, both, NOTHING_TO_SHOW_LOG_E)
        return value

    def met(self, metric: int) -> Counts:
        """Keys first scored in the step; bad: their badness together, in whole answers."""
        return _counts_of(self._met[metric])

    def requested(self, metric: int) -> Counts:
        """All scores of the step, and their badness together."""
        return _counts_of(self._requested[metric])

    def findings(self, metric: int) -> tuple[str, ...]:
        """The arms' means in the step, with intervals that hold whenever they are looked at."""
        counts = self._requested[metric]
        if not counts.sum():
            return ("no scores yet in this step",)
        words, is_badness = [], self._planned[metric].metric in SCORES
        for name, arm, tally in zip(("baseline", "candidate"), counts, self._tallies[metric], strict=True):
            n = int(arm.sum())
            if n:
                bad, mean = tally.interval(alpha=_SHOWN_ALPHA), float(arm @ BADNESS) / n
                low, high = bad.low, bad.high
                if not is_badness:
                    mean, low, high = 1.0 - mean, 1.0 - high, 1.0 - low
                words.append(f"{name} {mean:.3f} ({low:.3f} to {high:.3f}) of {n}")
        return (f"mean {'badness' if is_badness else 'score'}: " + ", ".join(words),)

    def _centres(self) -> Floats:
        value: Floats = self._past[:, 1] / self._past[:, 0]
        return value

    def _fold_keys(self, slot: int, weight: float, groups: Ints, bins: Ints, previous: Ints) -> None:
        if not len(groups):
            return
        metrics, is_candidate = groups >> 1, (groups & 1).astype(bool)
        centre = self._centres()[metrics]
        x = contrast(BADNESS[bins], is_candidate, weight=weight, centre=centre)
        worse = worse_log_e(x, weight=weight, centre=centre, tolerance=self._tolerances[metrics])
        starts = self._starts.slots
        opened = np.searchsorted(starts, previous, side="right")
        counted = (np.arange(len(starts)) >= opened[:, None]) & (starts <= slot)
        increments = np.zeros((len(self._planned), len(starts), _BETS))
        for metric in np.unique(metrics).tolist():
            of = metrics == metric
            increments[metric] = counted[of].T.astype(np.float64) @ worse[of]
        self._worse.add(increments)
        if self._step_slot == NEVER or slot < self._step_slot:
            return
        good = good_log_e(x, weight=weight, centre=centre, margin=self._margins[metrics])
        self._keys.add(
            step=_by_metric(good, metrics, previous < self._step_slot, len(self._planned)),
            whole=_by_metric(good, metrics, previous < self._first_step_slot, len(self._planned)),
        )

    def _fold_requests(self, slot: int, weight: float, counts: Ints) -> None:
        if self._step_slot == NEVER or slot < self._step_slot:
            return
        centre, is_candidate = self._centres()[:, None, None], np.array([False, True])[:, None]
        x = contrast(BADNESS, is_candidate, weight=weight, centre=centre)
        each = good_log_e(x, weight=weight, centre=centre, margin=self._margins[:, None, None])
        total = (counts[..., None] * each).sum(axis=(1, 2))
        self._requests.add(step=total, whole=total)

    def _tally(self, counts: Ints) -> None:
        n, total, squares = counts.sum(axis=2), counts @ BADNESS, counts @ BADNESS**2
        for metric, arm in zip(*np.nonzero(n), strict=True):
            self._tallies[metric][arm].add(int(n[metric, arm]), float(total[metric, arm]), float(squares[metric, arm]))


class _Good:
    """ln e per metric and bet since the first step, and since the step in force."""

    def __init__(self, metric_count: int) -> None:
        self._whole: Floats = np.zeros((metric_count, _BETS))
        self._step: Floats = np.zeros((metric_count, _BETS))

    def begin_step(self) -> None:
        self._step = np.zeros_like(self._step)

    def add(self, *, whole: Floats, step: Floats) -> None:
        self._whole += whole
        self._step += step

    def log_e(self) -> Floats:
        whole, step = (log_sum(log_e) - math.log(_BETS) for log_e in (self._whole, self._step))
        both = np.logaddexp(whole + math.log(WHOLE_STAKE), step + math.log1p(-WHOLE_STAKE))
        value: Floats = np.where(step > SHOWN_LOG_E, both, np.minimum(both, step))
        return value


def _firsts(arms: Sequence[BinCounts], table: KeyTable, contested: frozenset[int]) -> tuple[Ints, Ints, Ints]:
    """Rows, groups (2 * metric + arm) and bins of the keys that count."""
    firsts = [arm.first_bins for arm in arms]
    if contested or table.is_full:
        firsts = [{key: of[key] for key in of if key not in contested and table.has(key)} for of in firsts]
    rows = table.rows(list(chain.from_iterable(firsts)))
    groups = np.repeat(np.arange(len(firsts)), list(map(len, firsts)))
    bins = np.fromiter(chain.from_iterable(of.values() for of in firsts), dtype=np.int64, count=len(rows))
    return rows, groups, np.minimum(bins, BADNESS_BINS - 1)


def _dense(arms: Sequence[BinCounts]) -> Ints:
    counts = np.zeros((len(arms), BADNESS_BINS), dtype=np.int64)
    for row, arm in enumerate(arms):
        for bin_, observed in arm.bins.items():
            counts[row, min(bin_, BADNESS_BINS - 1)] += observed
    return counts


def _by_metric(log_e: Floats, metrics: Ints, counted: Bools, metric_count: int) -> Floats:
    value = np.zeros((metric_count, _BETS))
    np.add.at(value, metrics[counted], log_e[counted])
    return value


def _counts_of(arms: Ints) -> Counts:
    n_a, n_b = arms.sum(axis=1).tolist()
    bad_a, bad_b = np.rint(arms @ BADNESS).astype(int).tolist()
    return Counts(n_a, bad_a, n_b, bad_b)
