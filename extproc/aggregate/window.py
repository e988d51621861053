"""Outcomes -> rows per second of start, handed over each second as what came since, so that failures travel at once.

Which outcomes are evidence is decided by the request's own times and is the same for every version: one that lasted
longer than its service's follow-up is late, whenever its slot closes, and was counted as it stood when that was over.
A slot closes when every request of its second has had the longest follow-up of all services, and its log entry the
time to arrive. Late outcomes are counted and are on dashboards, never in rows. No clock: `now_ms` comes in; a clock
that goes back closes nothing twice.

Counting is by cells (`cell.py`): find the cell of an outcome once, then `count` each request of it. Dashboards get
what was counted when a report takes it, at most a second later.
"""

from bisect import bisect_right
from dataclasses import replace

from extproc.aggregate import totals
from extproc.aggregate.cell import BIN_OF_GRID, GRID_US, Cell, Tally, add_to_row
from extproc.aggregate.slot import Outcome, RowCounts, RowKey, Sealed
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.edge import BIN_BITS, bin_of, first_of
from serinus.contract.metric import (
    BADNESS_WHOLE,
    COUNTED,
    NUMBERED,
    SCORES,
    TOGETHER_MAX,
    TOKEN_GAP,
    TOKENS_CACHED,
    TOKENS_IN,
    TOKENS_OUT,
    TPOT,
    Measures,
)
from serinus.contract.outcome import UNFINISHED
from serinus.contract.slot import SLOT_US
from serinus.contract.weight import CLASS_NONE

# Between a request's end and its outcome here: Envoy's flush 0.1 s, the wait for the body's observation 1 s, our tick
# 0.25 s, and room for a busy machine.
SETTLE_MS = 2_000
# Versions x cohorts x slots that one second's entries touch: 10 slots x some dozens. The control plane takes 20,000.
ROWS_MAX = 5_000
# Distinct keys of all cells of one report. A key of an observed service stands in a report up to seven times (three
# shares of 8 bytes; times 14; eleven measures in three rows of at most 17): 4.4 MB; the control plane takes 16 MB. One
# Envoy serves some thousand requests a second.
KEYS_MAX = 50_000
# Of one second of a cell while no rollout runs: the smallest of them are reported (`cell.py`).
PLAIN_KEYS_MAX = 10_000
# Cells that are remembered from one report to the next; past this they are found anew, at 3 us each.
CELLS_MAX = 10_000
# What a row can carry; a start past the year 36,000 is none.
_SLOT_END = 1 << 40
_TOKEN_TYPES = {TOKENS_OUT: "output", TOKENS_IN: "input", TOKENS_CACHED: "cached"}
# A day: what claims to have lasted longer is shown as that.
_DURATION_US_MAX = 86_400_000_000


class SlotWindow:
    """Mutable, single-threaded. The catalogue's `overflow` counts what did not fit, by limit."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._cells: dict[tuple[object, ...], Cell] = {}
        self._used: list[Cell] = []  # those that hold a tally
        self._rows: set[RowKey] = set()
        self._key_count = 0
        self._closed_through: int | None = None
        self.late_outcomes_total = 0

    def add(self, outcome: Outcome, follow_up_ms: int, *, attempts: int = 1) -> None:
        """Count one outcome; `follow_up_ms` is its service's."""
        cell, key_hash, duration_us = self.cell(outcome, attempts), outcome.key_hash, outcome.duration_us
        if duration_us > follow_up_ms * 1_000:
            self.late(cell, duration_us, outcome.ttft_us)
            return
        tally = self.count(cell, outcome.start_us, duration_us, outcome.ttft_us, key_hash)
        if tally is not None:
            self.measure(cell, tally, outcome.start_us, key_hash, outcome.measures)

    def measure(self, cell: Cell, tally: Tally, start_us: int, key_hash: int | None, measures: Measures) -> None:
        """Further values of a request that was just counted."""
        if not cell.has_latency:
            return
        for metric, value in measures:
            self._show_measure(cell.like, metric, value)
        measures = tuple([each for each in measures if each[0] not in COUNTED])
        for at in range(0, len(measures), TOGETHER_MAX):
            self._measure(cell, tally, start_us, key_hash, measures[at : at + TOGETHER_MAX])

    def _measure(self, cell: Cell, tally: Tally, start_us: int, key_hash: int | None, measures: Measures) -> None:
        """Those of one request that go up together."""
        metrics = tuple([metric for metric, _ in measures])
        together = tally.others.get(metrics)
        if together is None:
            together = tally.others[metrics] = tuple([{} for _ in metrics]), {}
        numbers = []
        for bins, (metric, value) in zip(together[0], measures, strict=True):
            number = min(value, BADNESS_WHOLE) if metric in NUMBERED else bin_of(value)
            bins[number] = bins.get(number, 0) + 1
            numbers.append(number)
        if cell.is_evidence and key_hash is not None and key_hash in tally.firsts:
            firsts, first = together[1], first_of(start_us % SLOT_US, *numbers)
            firsts[key_hash] = min(first, firsts.get(key_hash, first))

    def _show_measure(self, like: Outcome, metric: str, value: int) -> None:
        """On dashboards."""
        if metric == TPOT:
            self._catalogue.tpots.observe(value / 1e6, (like.service, like.version))
        elif metric == TOKEN_GAP:
            self._catalogue.gaps.observe(value / 1e6, (like.service, like.version))
        elif metric in _TOKEN_TYPES:
            self._catalogue.token_counts.add((like.service, like.version, _TOKEN_TYPES[metric]), value)
        elif metric in SCORES:
            self._catalogue.badness.observe(
                min(value, BADNESS_WHOLE) / BADNESS_WHOLE, (like.service, like.version, metric)
            )

    def cell(self, outcome: Outcome, attempts: int) -> Cell:
        """The cell of all outcomes that differ from this one in key and times only."""
        of = outcome
        place = (of.service, of.rollout, of.snapshot, of.weight_bp, of.weight_class, of.cohort, of.version, of.slices)
        said = (of.outcome_class, of.is_routing_mismatch, of.finish_reason, of.ttft_us is None, of.form)
        alike = (*place, *said, attempts)
        cell = self._cells.get(alike)
        if cell is None:
            cell = self._cells[alike] = Cell(replace(of, key_hash=None, measures=()), attempts)
        return cell

    def count(
        self, cell: Cell, start_us: int, duration_us: int, ttft_us: int | None, key_hash: int | None
    ) -> Tally | None:
        """Count one request of a cell that was within the follow-up. None: it is in no row. The hot path."""
        slot = start_us // SLOT_US
        if self._key_count >= KEYS_MAX and cell.is_evidence:
            # Without its key it would be judged as if nobody had sent it: it is reported, as not randomised.
            self._catalogue.overflow.add(("keys",))
            cell = self.cell(replace(cell.like, weight_class=CLASS_NONE), cell.attempts)
        tally = cell.by_slot.get(slot) or self._open(cell, slot, duration_us, ttft_us)
        if tally is None:
            return None
        place = bisect_right(GRID_US, duration_us)
        tally.places[place] += 1
        tally.sum_us += duration_us
        bins = BIN_OF_GRID[place] if cell.has_latency else 0
        if ttft_us is not None and cell.has_ttft:
            if ttft_us > duration_us:  # noqa: PLR1730  a call of min() costs 0.1 us
                ttft_us = duration_us
            place = bisect_right(GRID_US, ttft_us)
            tally.ttft_places[place] += 1
            tally.ttft_sum_us += ttft_us
            bins = bins << BIN_BITS | BIN_OF_GRID[place]
        if key_hash is not None and cell.is_evidence:
            first = (start_us - slot * SLOT_US) << cell.first_bits | bins
            known = tally.firsts.get(key_hash)
            if known is None:
                self._key_count += 1
                tally.firsts[key_hash] = first
            elif first < known:
                tally.firsts[key_hash] = first
        elif key_hash is not None and cell.is_of_no_rollout and len(tally.firsts) < PLAIN_KEYS_MAX:
            tally.firsts[key_hash] = 0
        return tally

    def late(self, cell: Cell, duration_us: int, ttft_us: int | None) -> None:
        """Count one request that lasted longer than the follow-up, or came after its slot had closed."""
        if cell.like.outcome_class in UNFINISHED:
            return  # its end is still to come, and is late then
        duration_us = min(duration_us, _DURATION_US_MAX)
        self.late_outcomes_total += 1
        self._catalogue.late.add()
        self._show(cell, duration_us, ttft_us)

    def _show(self, cell: Cell, duration_us: int, ttft_us: int | None) -> None:
        """On dashboards, though in no row."""
        outcome = replace(cell.like, duration_us=duration_us, ttft_us=ttft_us)
        totals.count(self._catalogue, outcome, attempts=cell.attempts)

    def _open(self, cell: Cell, slot: int, duration_us: int, ttft_us: int | None) -> Tally | None:
        """The first request of a slot in a cell since the last report."""
        if not 0 <= slot < _SLOT_END or (self._closed_through is not None and slot <= self._closed_through):
            self.late(cell, duration_us, ttft_us)
            return None
        row = _row_key(cell.like, slot)
        if row not in self._rows:
            if len(self._rows) >= ROWS_MAX:
                self._catalogue.overflow.add(("rows",))
                self._show(cell, duration_us, ttft_us)
                return None
            self._rows.add(row)
        if not cell.by_slot:
            self._used.append(cell)
        tally = cell.by_slot[slot] = Tally()
        return tally

    def take(self, now_ms: int, follow_up_ms_max: int) -> Sealed:
        """What came since the last call, and how far slots are closed now. Works the same when nothing came."""
        ended_ms = now_ms - follow_up_ms_max - SETTLE_MS
        closed = ended_ms // 1_000 - 1
        if self._closed_through is None or closed > self._closed_through:
            self._closed_through = closed
        rows: dict[RowKey, RowCounts] = {}
        for cell in self._used:
            for slot, tally in cell.by_slot.items():
                add_to_row(rows.setdefault(_row_key(cell.like, slot), RowCounts()), cell, tally)
                totals.add(self._catalogue, cell, tally)
            cell.by_slot = {}
        self._used, self._rows, self._key_count = [], set(), 0
        if len(self._cells) > CELLS_MAX:
            self._cells = {}
        return Sealed(rows, self._closed_through, self.late_outcomes_total)


def _row_key(of: Outcome, slot: int) -> RowKey:
    place = (of.service, of.rollout, of.snapshot, slot, of.weight_bp, of.weight_class, of.cohort, of.version)
    return RowKey(*place, of.slices)
