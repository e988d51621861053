"""Evidence about a metric with a size: latency, time to first token, time per output token, tokens.

Worse: is B's distribution, moved down by the tolerated shift, stochastically above A's? Per component the e-value is
the average over edges x ratios of the kernel given the realised split of *keys first observed since its start*: each
such key is one observation, a hash decided its arm, so given who is slow the slow ones of B are a uniform draw. (For
events of keys that come again the realised share would be wrong; here no key comes again.)
Good enough: the same with the arms swapped and B moved down by the margin: at *every* edge asked for, evidence that A's
tail is the heavier one, over first observations of keys since the step began, and again over all its requests.
Evidence since the first step and evidence of the step alone share the stake as in `advance.py`.

Edges come from the baseline before a step, from its first 200 observations if it had shown less; limits that were
given stand beside them. Nothing is judged before that. This holds no clock and decides nothing.
"""

import math
from collections.abc import Mapping

import numpy as np

from controlplane.evidence import bounds
from controlplane.evidence.advance import WHOLE_STAKE
from controlplane.evidence.alternatives import Counts
from controlplane.evidence.bounds import Bound
from controlplane.evidence.harm import NOTHING_TO_SHOW_LOG_E
from controlplane.evidence.histogram import EDGE_OBSERVATIONS_MIN, BaselineTally, above, dense, factor_of
from controlplane.evidence.kernel import Bools, Floats, Ints
from controlplane.evidence.keys import NEVER, KeyTable
from controlplane.evidence.mixture import Opened, Starts, Wealth
from controlplane.evidence.plan import QUANTILES, BinnedPlan
from controlplane.evidence.strata import BinCounts, Stratum, is_comparison
from controlplane.evidence.tails import ComponentEdges, Firsts, Tails
from serinus.contract.metric import HISTOGRAM_UNITS

# Odds ratios of a tail: a tenth slower is 1.3 at the median of a lognormal with sigma .6, and 1.6 at its p99.
WORSE_LAM: Floats = np.log(np.array([1.25, 1.5, 2.0, 3.0, 5.0, 10.0]))
# A shift by one to three bins is 1.2-2.5 in odds.
GOOD_LAM: Floats = np.log(np.array([1.15, 1.3, 1.6, 2.0, 3.0]))
# The exact sum where it is cheap: edges x distinct components x terms of one slot. Chosen by pooled counts alone.
_EXACT_CELLS_MAX = 3_000
_NOTHING = BinCounts({}, {})


class TailEvidence:
    """ln e per edge and ratio of "A's tail is the heavier one" since the first step, and since the step."""

    def __init__(self, edge_count: int) -> None:
        self._whole: Floats = np.zeros((edge_count, len(GOOD_LAM)))
        self._step: Floats = self._whole.copy()

    def begin_step(self) -> None:
        self._step = np.zeros_like(self._step)

    def add(self, *, whole: Floats, step: Floats) -> None:
        self._whole = self._whole + whole
        self._step = self._step + step

    def log_e(self) -> Floats:
        """Per edge."""
        whole, step = (
            np.logaddexp.reduce(log_e, axis=1) - math.log(len(GOOD_LAM)) for log_e in (self._whole, self._step)
        )
        both = np.logaddexp(whole + math.log(WHOLE_STAKE), step + math.log1p(-WHOLE_STAKE))
        value: Floats = np.where(step > 0.0, both, np.minimum(both, step))
        return value


class BinnedEvidence:
    """Mutable; `column` is the metric's place in the key table. The face of `guardrail.GuardrailEvidence`."""

    def __init__(self, planned: BinnedPlan, column: int, starts: Starts) -> None:
        self.metric = planned.metric
        self._column = column
        self._planned = planned
        edge_count = len(QUANTILES) + len(planned.limit_bins)
        is_asked = [quantile <= planned.advance_through for quantile in QUANTILES]
        self._asked: Bools = np.array(is_asked + [True] * len(planned.limit_bins))
        self._component_edges = ComponentEdges(starts, edge_count)
        self._worse = Wealth(starts, bets=edge_count * len(WORSE_LAM))
        self._past = BaselineTally()
        self._edges: Ints | None = None  # of the step in force
        self._first_step_slot: int | None = None
        self._step_slot: int | None = None
        self._has_limit = False
        self._keys, self._requests = TailEvidence(edge_count), TailEvidence(edge_count)
        self._met, self._requested = _Sums(edge_count), _Sums(edge_count)

    def begin_step(self, slot: int | None, *, limit: float | None) -> None:
        """A step begins; `limit` None: nothing is to be shown in it. Edges move to where the baseline is now."""
        if self._first_step_slot is None:
            self._first_step_slot = slot
        self._step_slot = slot
        self._has_limit = limit is not None
        self._edges = self._past.edges(self._planned.limit_bins) if self._edges is None else self._moved()
        self._keys.begin_step()
        self._requests.begin_step()
        self._met, self._requested = _Sums(self._met.edge_count), _Sums(self._met.edge_count)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        self._worse.opened(opened)
        self._component_edges.opened(opened, self._moved())

    def fold(self, stratum: Stratum, table: KeyTable, contested: frozenset[int]) -> None:
        """Take one stratum in. `table` has admitted its keys; `contested` ones are left out."""
        arms = [_of(metrics, self.metric) for metrics in (stratum.baseline_bins, stratum.candidate_bins)]
        histograms = [dense(arm.bins) for arm in arms]
        self._fix()
        rows, firsts = zip(*(self._firsts(arm, table, contested) for arm in arms), strict=True)
        if is_comparison(stratum.weight_bp) and any(len(keys.bins) for keys in firsts):
            self._fold_worse(stratum.slot, firsts[0], firsts[1])
        if self._step_slot is not None and stratum.slot >= self._step_slot and self._edges is not None:
            self._fold_good(self._edges, firsts, histograms, is_evidence=is_comparison(stratum.weight_bp))
        for of_arm in rows:
            table.seen[self._column, of_arm] = stratum.slot
        self._past.add(histograms[0])

    def mature(self, closed_slot: int) -> None:
        """Observations wait for nothing: a slot is closed after the follow-up."""

    def worse_log_e(self) -> float:
        """ln of the metric's e-value."""
        return self._worse.total()

    def good_log_e(self) -> float:
        """The smallest over edges, of keys and of requests; a high finite value when there is nothing to show."""
        if not self._has_limit:
            return NOTHING_TO_SHOW_LOG_E
        return float(np.minimum(self._keys.log_e(), self._requests.log_e())[self._asked].min())

    @property
    def met(self) -> Counts:
        """Keys first observed in the step, and those of them above the edge that tells the arms apart most."""
        return self._met.at(self._met.telling())

    @property
    def requested(self) -> Counts:
        return self._requested.at(self._met.telling())

    def findings(self) -> tuple[str, ...]:
        """Where the counts were cut."""
        if self._edges is None:
            return (f"no edges yet: {EDGE_OBSERVATIONS_MIN} observations of the baseline are needed first",)
        edge, unit = self._met.telling(), HISTOGRAM_UNITS.get(self.metric, "")
        name = f"p{100 * QUANTILES[edge]:g} of the baseline" if edge < len(QUANTILES) else "the limit"
        return (f"bad means above {factor_of(int(self._edges[edge]) + 1):.4g} {unit}, {name}",)

    def _moved(self) -> Ints | None:
        """Edges by what the baseline did lately; those in force while it has shown too little."""
        edges = self._past.edges(self._planned.limit_bins)
        return self._edges if edges is None else edges

    def _fix(self) -> None:
        """Edges from earlier slots, as soon as they are enough."""
        if self._edges is None:
            self._edges = self._past.edges(self._planned.limit_bins)
        if self._edges is not None and not self._component_edges.is_fixed:
            self._component_edges.fix(self._edges)

    def _firsts(self, counts: BinCounts, table: KeyTable, contested: frozenset[int]) -> tuple[Ints, Firsts]:
        first_bins = counts.first_bins
        keys = [key for key in first_bins if key not in contested] if contested else list(first_bins)
        if table.is_full:
            keys = [key for key in keys if table.has(key)]
        rows = table.rows(keys)
        bins = np.fromiter((first_bins[key] for key in keys), dtype=np.int64, count=len(keys))
        return rows, Firsts(table.seen[self._column, rows], bins)

    def _fold_worse(self, slot: int, baseline: Firsts, candidate: Firsts) -> None:
        a = self._component_edges.count(baseline, slot)
        b = self._component_edges.count(candidate, slot, shift=self._planned.tolerated_bins)
        self._worse.add(_log_e(a, b, WORSE_LAM).reshape(len(a.n), -1))

    def _fold_good(self, edges: Ints, firsts: tuple[Firsts, ...], histograms: list[Ints], *, is_evidence: bool) -> None:
        shifts = (0, self._planned.margin_bins)
        since = (_not_none(self._step_slot), _not_none(self._first_step_slot))
        by_arm = [
            [_tails(keys, edges, slot, shift) for slot in since] for keys, shift in zip(firsts, shifts, strict=True)
        ]
        plain = [_tails(keys, edges, since[0], 0) for keys in firsts]
        self._met.add(plain[0], plain[1])
        sent = [Tails(np.array([counts.sum()]), above(counts, edges)[None]) for counts in histograms]
        self._requested.add(sent[0], sent[1])
        if is_evidence and self._has_limit:
            step, whole = (_log_e(by_arm[1][when], by_arm[0][when], GOOD_LAM)[0] for when in (0, 1))
            self._keys.add(whole=whole, step=step)
            moved = Tails(sent[1].n, above(histograms[1], edges, shift=self._planned.margin_bins)[None])
            requests = _log_e(moved, sent[0], GOOD_LAM)[0]
            self._requests.add(whole=requests, step=requests)


class _Sums:
    """Counts of the step, per edge."""

    def __init__(self, edge_count: int) -> None:
        self.edge_count = edge_count
        self._n = [0, 0]
        self._above: Ints = np.zeros((2, edge_count), dtype=np.int64)

    def add(self, baseline: Tails, candidate: Tails) -> None:
        for arm, tails in enumerate((baseline, candidate)):
            self._n[arm] += int(tails.n[0])
            self._above[arm] += tails.above[0]

    def telling(self) -> int:
        """The edge whose shares differ by most standard errors."""
        n_a, n_b = (max(n, 1) for n in self._n)
        share = self._above.sum(axis=0) / (n_a + n_b)
        spread = np.sqrt(np.maximum(share * (1.0 - share), 1e-12) * (1.0 / n_a + 1.0 / n_b))
        return int(np.argmax(np.abs(self._above[1] / n_b - self._above[0] / n_a) / spread))

    def at(self, edge: int) -> Counts:
        return Counts(self._n[0], int(self._above[0, edge]), self._n[1], int(self._above[1, edge]))


def _tails(keys: Firsts, edges: Ints, since_slot: int, shift: int) -> Tails:
    """Keys not observed since a slot, as one component."""
    bins = keys.bins[keys.previous < since_slot] - shift
    return Tails(np.array([len(bins)]), (bins[:, None] > edges).sum(axis=0)[None])


def _log_e(a: Tails, b: Tails, lam: Floats) -> Floats:
    """Evidence per component, edge and ratio that B's tails are the heavier ones. Shape (components, edges, ratios)."""
    columns = np.concatenate([a.n[:, None], b.n[:, None], a.above, b.above], axis=1)
    is_new = np.concatenate([[True], (np.diff(columns, axis=0) != 0).any(axis=1)])
    rows = columns[is_new]  # components that counted the same keys need one computation
    n_a, n_b = (np.broadcast_to(rows[:, [index]], a.above[is_new].shape) for index in (0, 1))
    k_a, k_b = a.above[is_new], b.above[is_new]
    terms = int(np.minimum(np.minimum(n_b, k_a + k_b), np.minimum(n_a, n_a + n_b - k_a - k_b)).max(initial=0)) + 1
    bound = Bound.EXACT if terms * k_a.size <= _EXACT_CELLS_MAX else Bound.MINIMUM
    value: Floats = bounds.log_e(n_a, k_a, n_b, k_b, lam=lam, bound=bound)[is_new.cumsum() - 1]
    return value


def _of(metrics: Mapping[str, BinCounts], metric: str) -> BinCounts:
    return metrics.get(metric, _NOTHING)


def _not_none(slot: int | None) -> int:
    return NEVER if slot is None else slot
