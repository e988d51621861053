"""Cells: outcomes that differ in nothing but their key and their times. Counting one of them is a few additions; what
it means for rows and dashboards is worked out once a second, for all of them.

Which values are observations of a histogram is decided by how the request ended, the same for every version:
- latency: of requests that ended well (`ok`). A failure says how long failing takes, a client that left how long it
  stayed; neither is a latency, and failures are judged as errors.
  And of requests that were tried once: a retry's time is that of two servers, or of a connection that had closed.
- ttft: of those, and of requests whose client left later: the first byte had come all the same.
- others (tokens, time per token, what the text says of its quality): of requests that ended well.
A request that takes longer than its service's follow-up is judged as it stands when that is over: in the middle of its
answer (`running`) its latency is what it has taken so far, of which the bins need no more. Its end is late: no
observation, in either arm.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, field
from heapq import nsmallest

from extproc.aggregate.slot import Bins, Firsts, MetricCount, Outcome, RowCounts
from extproc.telemetry.catalogue import DURATION_BUCKETS_S, TTFT_BUCKETS_S
from serinus.contract.edge import BIN_BITS, BIN_COUNT, UPPER_EDGES, bin_of
from serinus.contract.metric import CONTEXT_TOO_LONG, ERRORS, FINISH_LENGTH, FORMS, KEYS_COUNTED, LATENCY, TTFT
from serinus.contract.outcome import FAILURES, OutcomeClass

# One grid for the bins of the evidence and the buckets of the dashboards, so that a duration is looked up once. Buckets
# are "less than or equal", bins "less than".
_BUCKETS_US = sorted({round(edge_s * 1e6) for edge_s in (*DURATION_BUCKETS_S, *TTFT_BUCKETS_S)})
GRID_US = tuple(sorted({*UPPER_EDGES, *(edge_us + 1 for edge_us in _BUCKETS_US)}))
_LOWEST_US = (0, *GRID_US)
_WITH_LATENCY = frozenset({OutcomeClass.OK, OutcomeClass.RUNNING})
BIN_OF_GRID = tuple(bin_of(lowest_us) for lowest_us in _LOWEST_US)


def bucket_of_grid(buckets_s: tuple[float, ...]) -> tuple[int, ...]:
    """Of each place on the grid the bucket that holds its values."""
    buckets_us = [round(edge_s * 1e6) for edge_s in buckets_s]
    return tuple(bisect_left(buckets_us, lowest_us) for lowest_us in _LOWEST_US)


class Tally:
    """One slot of one cell: durations and times to first byte by place on the grid, and each key's first request.

    A first is the start within the slot, then the bins of the cell's `observed` metrics. One table of keys instead of
    three: 0.5 us less a request.
    """

    __slots__ = ("firsts", "others", "places", "sum_us", "ttft_places", "ttft_sum_us")

    def __init__(self) -> None:
        self.places: defaultdict[int, int] = defaultdict(int)
        self.sum_us = 0
        self.ttft_places: defaultdict[int, int] = defaultdict(int)
        self.ttft_sum_us = 0
        self.firsts: Firsts = {}
        self.others: dict[tuple[str, ...], tuple[tuple[Bins, ...], Firsts]] = {}

    @property
    def requests(self) -> int:
        return sum(self.places.values())


@dataclass(slots=True, eq=False)
class Cell:
    """`like` is one of its outcomes: its key and times are of no account, but for whether it has a `ttft_us`, which all
    of a cell have or none. `attempts` at a server, for each request. `by_slot` is what came since the last report.
    """

    like: Outcome
    attempts: int
    by_slot: dict[int, Tally] = field(default_factory=dict)
    is_evidence: bool = field(init=False)
    is_of_no_rollout: bool = field(init=False)
    has_latency: bool = field(init=False)
    has_ttft: bool = field(init=False)
    forms: tuple[str, ...] = field(init=False)  # metrics besides `latency` that its durations are of
    observed: tuple[str, ...] = field(init=False)  # metrics, in the order of a first's bins
    first_bits: int = field(init=False)

    def __post_init__(self) -> None:
        self.is_evidence = bool(self.like.weight_class)
        self.is_of_no_rollout = not self.like.rollout
        has_version = bool(self.like.version)
        is_once = has_version and self.attempts <= 1
        self.has_latency = is_once and self.like.outcome_class in _WITH_LATENCY
        is_aborted = is_once and self.like.outcome_class is OutcomeClass.CLIENT_ABORTED
        self.has_ttft = self.like.ttft_us is not None and (self.has_latency or is_aborted)
        self.forms = FORMS.get(self.like.form, ()) if self.has_latency else ()
        self.observed = (LATENCY,) * self.has_latency + (TTFT,) * self.has_ttft
        self.first_bits = BIN_BITS * len(self.observed)


def add_to_row(row: RowCounts, cell: Cell, tally: Tally) -> None:
    """What a slot of a cell means for its row."""
    like, requests = cell.like, tally.requests
    row.requests += requests
    row.routing_mismatches += like.is_routing_mismatch * requests
    name = like.outcome_class.value
    row.classes[name] = row.classes.get(name, 0) + requests
    is_bad = like.outcome_class in FAILURES
    keys: Set[int] = tally.firsts.keys() if cell.is_evidence else set(nsmallest(KEYS_COUNTED, tally.firsts))
    row.metrics.setdefault(ERRORS, MetricCount()).add(requests, keys, is_bad=is_bad)
    is_too_long = like.outcome_class is OutcomeClass.CONTEXT_TOO_LONG
    if like.finish_reason is not None or is_too_long:
        of_evidence = keys if cell.is_evidence else frozenset()
        row.metrics.setdefault(CONTEXT_TOO_LONG, MetricCount()).add(requests, of_evidence, is_bad=is_too_long)
        if not is_too_long:
            is_length = like.finish_reason == "length"
            row.metrics.setdefault(FINISH_LENGTH, MetricCount()).add(requests, of_evidence, is_bad=is_length)
    if cell.has_latency:
        for metric in (LATENCY, *cell.forms):
            row.add_bins(metric, ((BIN_OF_GRID[place], count) for place, count in tally.places.items()))
    if cell.has_ttft:
        row.add_bins(TTFT, ((BIN_OF_GRID[place], count) for place, count in tally.ttft_places.items()))
    if cell.observed and cell.is_evidence:
        row.add_firsts(*_told(cell, tally.firsts))
    for metrics, (all_bins, firsts) in tally.others.items():
        for metric, bins in zip(metrics, all_bins, strict=True):
            row.add_bins(metric, bins.items())
        row.add_firsts(metrics, firsts)


def _told(cell: Cell, firsts: Firsts) -> tuple[tuple[str, ...], Firsts]:
    """A cell's firsts as rows tell them: the bin of the latency once more for each form."""
    times = len(cell.forms)
    if not times:
        return cell.observed, firsts
    behind = cell.first_bits - BIN_BITS  # bits of the bins behind the latency's
    rest = (1 << behind) - 1
    spread = {key: _repeated(first >> behind, times) << behind | first & rest for key, first in firsts.items()}
    return (LATENCY, *cell.forms, *cell.observed[1:]), spread


def _repeated(head: int, times: int) -> int:
    for _ in range(times):
        head = head << BIN_BITS | head & BIN_COUNT - 1
    return head
