"""Evidence about metrics with a size: latency, time to first token, time per output token, tokens.

Worse: is B's distribution, moved down by the tolerated shift, stochastically above A's? Per component the e-value is
the average over edges x ratios of the kernel given the realised split of *keys first observed since its start*: each
such key is one observation, a hash decided its arm, so given who is slow the slow ones of B are a uniform draw. (For
events of keys that come again the realised share would be wrong; here no key comes again.)
Good enough: the same with the arms swapped and B moved down by the margin: at *every* edge asked for, evidence that A's
tail is the heavier one, over first observations of keys since the step began, and again over all its requests.
Evidence since the first step and evidence of the step alone share the stake as in `advance.py`.

Edges come from the baseline before a step, from its first 200 observations if it had shown less; limits that were
given stand beside them. Nothing is judged before that. All metrics at once. This holds no clock and decides nothing.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from controlplane.evidence.advance import SHOWN_LOG_E, WHOLE_STAKE
from controlplane.evidence.alternatives import Counts
from controlplane.evidence.harm import NOTHING_TO_SHOW_LOG_E
from controlplane.evidence.histogram import EDGE_OBSERVATIONS_MIN, BaselineTally, above, dense, factor_of, size_words
from controlplane.evidence.hypergeometric import ExactTables
from controlplane.evidence.kernel import Bools, Floats, Ints, log_sum
from controlplane.evidence.keys import NEVER, KeyTable
from controlplane.evidence.mirrored import mirrored_bin
from controlplane.evidence.mixture import Opened, Starts, Wealth
from controlplane.evidence.plan import QUANTILES, BinnedPlan
from controlplane.evidence.strata import BinCounts, Stratum, is_comparison
from controlplane.evidence.tails import NO_EDGE, ComponentEdges, Firsts, Tails, by_arm, tails
from serinus.contract.metric import HISTOGRAM_UNITS, LOWER

# Odds ratios of a tail: a tenth slower is 1.3 at the median of a lognormal with sigma .6, and 1.6 at its p99.
WORSE_LAM: Floats = np.log(np.array([1.25, 1.5, 2.0, 3.0, 5.0, 10.0]))
# Stakes per edge (p50, p75, p90, p95, p99) and ratio: a distribution that moves does so by a little at every edge, a
# few slow requests show above the highest, by much. Candidate requests until found, with equal stakes and so (medians
# of 400 paths of the simulation in tests): +10 % 772, 690; +25 % 135, 122; 2 % at 12 s 549, 460; twice as slow 20, 23.
_STAKES: Floats = np.array(
    [
        [5, 8, 7, 3, 1, 1],
        [5, 8, 7, 3, 1, 1],
        [3, 6, 6, 3, 2, 1],
        [2, 5, 5, 4, 2, 1],
        [1, 2, 5, 10, 8, 4],
    ]
)
# A shift by one to three bins is 1.2-2.5 in odds.
GOOD_LAM: Floats = np.log(np.array([1.15, 1.3, 1.6, 2.0, 3.0]))
_WORSE, _GOOD = ExactTables(WORSE_LAM), ExactTables(GOOD_LAM)
_NOTHING = BinCounts({}, {})
_UNFIXED = -1


class TailEvidence:
    """ln e per metric, edge and ratio of "A's tail is the heavier one" since the first step, and since the step."""

    def __init__(self, metric_count: int, edge_count: int) -> None:
        self._whole: Floats = np.zeros((metric_count, edge_count, len(GOOD_LAM)))
        self._step: Floats = self._whole.copy()

    def begin_step(self) -> None:
        self._step = np.zeros_like(self._step)

    def add(self, *, whole: Floats, step: Floats) -> None:
        self._whole += whole
        self._step += step

    def log_e(self) -> Floats:
        """Per metric and edge."""
        whole, step = (log_sum(log_e) - math.log(len(GOOD_LAM)) for log_e in (self._whole, self._step))
        both = np.logaddexp(whole + math.log(WHOLE_STAKE), step + math.log1p(-WHOLE_STAKE))
        value: Floats = np.where(step > SHOWN_LOG_E, both, np.minimum(both, step))
        return value


class SizeEvidence:
    """Mutable; `columns` are the metrics' places in the key table. The face of `measured.MetricsEvidence`."""

    def __init__(self, planned: Sequence[BinnedPlan], columns: Sequence[int], starts: Starts) -> None:
        self._planned = planned
        self._columns: Ints = np.array(columns, dtype=np.int64)
        self._tolerated = np.array([of.tolerated_bins for of in planned], dtype=np.int64)
        self._margins = np.array([of.margin_bins for of in planned], dtype=np.int64)
        edge_count = len(QUANTILES) + max(len(of.limit_bins) for of in planned)
        self._size = (len(planned), edge_count)
        self._asked: Bools = np.array([_asked(of, edge_count) for of in planned])
        self._component_edges = ComponentEdges(starts, *self._size)
        bets = np.array([_log_bets(of, edge_count) for of in planned])
        self._worse = Wealth(starts, bets=bets.shape[1], metrics=len(planned), log_bets=bets)
        self._past = BaselineTally(len(planned))
        self._edges: Ints = np.full(self._size, _UNFIXED, dtype=np.int64)  # of the step in force
        self._first_step_slot = self._step_slot = NEVER
        self._has_limit: Bools = np.zeros(len(planned), dtype=bool)
        self._keys, self._requests = TailEvidence(*self._size), TailEvidence(*self._size)
        self._met, self._requested = _Sums(self._size), _Sums(self._size)

    def begin_step(self, slot: int | None, *, limits: Sequence[float | None]) -> None:
        """A step begins; a limit of None: nothing is to be shown in it. Edges move to where the baseline is now."""
        if slot is not None:
            self._step_slot = slot
            if self._first_step_slot == NEVER:
                self._first_step_slot = slot
        self._has_limit = np.array([limit is not None for limit in limits])
        self._edges = self._moved()
        self._keys.begin_step()
        self._requests.begin_step()
        self._met, self._requested = _Sums(self._size), _Sums(self._size)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._worse.opened(opened)
        self._component_edges.opened(opened, self._moved())

    def fold(self, stratum: Stratum, table: KeyTable, contested: frozenset[int]) -> None:
        """Take one stratum in. `table` has admitted its keys; `contested` ones are left out."""
        arms = [
            _of(metrics, of.metric)
            for of in self._planned
            for metrics in (stratum.baseline_bins, stratum.candidate_bins)
        ]
        histograms = dense([arm.bins for arm in arms])
        self._fix()
        rows, firsts = self._firsts(arms, table, contested)
        if is_comparison(stratum.weight_bp) and len(rows):
            counted = self._component_edges.count(firsts, stratum.slot, shifts=self._tolerated)
            self._worse.add(_log_e(_WORSE, counted, 0).reshape(len(self._planned), counted.n.shape[2], -1))
        if self._step_slot != NEVER and stratum.slot >= self._step_slot:
            self._fold_good(firsts, histograms, is_evidence=is_comparison(stratum.weight_bp))
        table.seen[self._columns[firsts.groups >> 1], rows] = stratum.slot
        self._past.add(histograms[::2])

    def mature(self, closed_slot: int) -> None:
        """Observations wait for nothing: a slot is closed after the follow-up."""

    def worse_log_e(self) -> Floats:
        """ln of the e-values, per metric."""
        return self._worse.total()

    def good_log_e(self) -> Floats:
        """The smallest over edges, of keys and of requests; a high finite value where there is nothing to show."""
        both = np.minimum(self._keys.log_e(), self._requests.log_e())
        least = np.where(self._asked, both, np.inf).min(axis=1)
        value: Floats = np.where(self._has_limit, least, NOTHING_TO_SHOW_LOG_E)
        return value

    def met(self, metric: int) -> Counts:
        """Keys first observed in the step, and those of them above the edge that tells the arms apart most."""
        return self._met.at(metric, self._telling(metric))

    def requested(self, metric: int) -> Counts:
        """Requests of the step, and those of them above that edge."""
        return self._requested.at(metric, self._telling(metric))

    def findings(self, metric: int) -> tuple[str, ...]:
        """Where the counts were cut."""
        if self._edges[metric, 0] == _UNFIXED:
            return (f"no edges yet: {EDGE_OBSERVATIONS_MIN} observations of the baseline are needed first",)
        of, edge = self._planned[metric].metric, self._telling(metric)
        unit, above_bin = HISTOGRAM_UNITS.get(of, ""), int(self._edges[metric, edge])
        quantile = 100 * QUANTILES[edge] if edge < len(QUANTILES) else None
        if of.endswith(LOWER):
            quantile = quantile and 100 - quantile
            cut = f"below {size_words(factor_of(mirrored_bin(above_bin)), unit)}"
        else:
            cut = f"above {size_words(factor_of(above_bin + 1), unit)}"
        return (f"bad means {cut}, {f'p{quantile:g} of the baseline' if quantile else 'the limit'}",)

    def _telling(self, metric: int) -> int:
        return int(self._met.telling(self._edges)[metric])

    def _moved(self) -> Ints:
        """Edges by what the baseline did lately; those in force while it has shown too little."""
        moved = self._edges.copy()
        for metric, of in enumerate(self._planned):
            edges = self._past.edges(metric, of.limit_bins)
            if edges is not None:
                moved[metric] = NO_EDGE
                moved[metric, : len(edges)] = edges
        return moved

    def _fix(self) -> None:
        """Edges from earlier slots, as soon as they are enough."""
        is_missing = self._edges[:, 0] == _UNFIXED
        if is_missing.any():
            self._edges = np.where(is_missing[:, None], self._moved(), self._edges)
        for metric in np.flatnonzero(~self._component_edges.is_fixed & (self._edges[:, 0] != _UNFIXED)).tolist():
            self._component_edges.fix(metric, self._edges[metric])

    def _firsts(self, arms: list[BinCounts], table: KeyTable, contested: frozenset[int]) -> tuple[Ints, Firsts]:
        firsts = [arm.first_bins for arm in arms]
        if contested or table.is_full:
            firsts = [
                {key: bin_ for key, bin_ in of.items() if key not in contested and table.has(key)} for of in firsts
            ]
        rows = table.rows(list(chain.from_iterable(firsts)))
        groups = np.repeat(np.arange(len(firsts)), list(map(len, firsts)))
        bins = np.fromiter(chain.from_iterable(of.values() for of in firsts), dtype=np.int64, count=len(rows))
        return rows, Firsts.of(groups, table.seen[self._columns[groups >> 1], rows], bins)

    def _fold_good(self, firsts: Firsts, histograms: Ints, *, is_evidence: bool) -> None:
        """In each: keys of the step as they are; keys of the step, and since the first one, moved down."""
        has_edges = self._edges[:, 0] != _UNFIXED
        since = np.array([self._step_slot, self._step_slot, self._first_step_slot])
        counted = (firsts.previous[:, None] < since) & has_edges[firsts.groups >> 1, None]
        plain, moved = (
            by_arm(self._edges[:, None], np.zeros_like(self._margins)),
            by_arm(self._edges[:, None], self._margins),
        )
        keys = tails(firsts, counted, np.concatenate([plain, moved, moved], axis=1))
        sent = _requests(histograms * np.repeat(has_edges, 2)[:, None], np.concatenate([plain, moved], axis=1))
        self._met.add(keys)
        self._requested.add(sent)
        if is_evidence and (self._has_limit & has_edges).any():
            n = np.concatenate([keys.n[:, :, 1:], sent.n[:, :, 1:]], axis=2)
            tails_above = np.concatenate([keys.above[:, :, 1:], sent.above[:, :, 1:]], axis=2)
            log_e = _log_e(_GOOD, Tails(n, tails_above), 1)
            log_e[~self._has_limit] = 0.0
            self._keys.add(step=log_e[:, 0], whole=log_e[:, 1])
            self._requests.add(step=log_e[:, 2], whole=log_e[:, 2])


class _Sums:
    """Counts of the step, per metric, arm and edge."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._n: Ints = np.zeros((size[0], 2), dtype=np.int64)
        self._above: Ints = np.zeros((size[0], 2, size[1]), dtype=np.int64)
        self._telling: Ints | None = None

    def add(self, counted: Tails) -> None:
        self._telling = None
        self._n += counted.n[:, :, 0]
        self._above += counted.above[:, :, 0]

    def telling(self, edges: Ints) -> Ints:
        """Per metric: the edge whose shares differ by most standard errors. Asked often, it changes once a slot."""
        if self._telling is None:
            n_a, n_b = np.maximum(self._n, 1).T[:, :, None]
            share = self._above.sum(axis=1) / (n_a + n_b)
            spread = np.sqrt(np.maximum(share * (1.0 - share), 1e-12) * (1.0 / n_a + 1.0 / n_b))
            apart = np.abs(self._above[:, 1] / n_b - self._above[:, 0] / n_a) / spread
            self._telling = np.where(edges == NO_EDGE, -1.0, apart).argmax(axis=1)
        return self._telling

    def at(self, metric: int, edge: int) -> Counts:
        (n_a, n_b), (above_a, above_b) = self._n[metric].tolist(), self._above[metric, :, edge].tolist()
        return Counts(n_a, above_a, n_b, above_b)


def _requests(histograms: Ints, edges: Ints) -> Tails:
    """All observations of a stratum, above edges (groups, x, edges)."""
    groups, ways, edge_count = edges.shape
    higher = above(histograms, edges.reshape(groups, -1)).reshape(groups // 2, 2, ways, edge_count)
    n = np.broadcast_to(histograms.sum(axis=1).reshape(-1, 2, 1), (groups // 2, 2, ways))
    return Tails(n, higher)


def _log_e(tables: ExactTables, counted: Tails, base: int) -> Floats:
    """Evidence that the tails of the arm that is not `base` are the heavier ones. Shape (metrics, x, edges, ratios)."""
    size, edge_count = counted.n.shape[0] * counted.n.shape[2], counted.above.shape[3]
    n_a, n_b = (counted.n[:, arm].reshape(size) for arm in (base, 1 - base))
    k_a, k_b = (counted.above[:, arm].reshape(size, edge_count) for arm in (base, 1 - base))
    return tables.log_e(n_a, k_a, n_b, k_b).reshape(*counted.n.shape[::2], edge_count, -1)


def _asked(planned: BinnedPlan, edge_count: int) -> list[bool]:
    """The edges that an advance looks at."""
    asked = [quantile <= planned.advance_through for quantile in QUANTILES] + [True] * len(planned.limit_bins)
    return asked + [False] * (edge_count - len(asked))


def _log_bets(planned: BinnedPlan, edge_count: int) -> list[float]:
    """Stakes on the metric's own edges: the quantiles' share by `_STAKES`, a limit's share equally."""
    limits = len(planned.limit_bins)
    own = len(QUANTILES) + limits
    quantiles = np.log(_STAKES / _STAKES.sum() * len(QUANTILES) / own)
    of_limits = np.full((limits, len(WORSE_LAM)), -math.log(own * len(WORSE_LAM)))
    nothing = np.full((edge_count - own, len(WORSE_LAM)), -math.inf)
    bets: list[float] = np.concatenate([quantiles, of_limits, nothing]).ravel().tolist()
    return bets


def _of(metrics: Mapping[str, BinCounts], metric: str) -> BinCounts:
    return metrics.get(metric, _NOTHING)
