"""Lanes: requests of which Envoy's line says the same in its shared half. Read once, looked up from then on.

A lane knows, for a bucket's side of the weight, for whether the upstream finished and for what was seen of the body,
the cell in which the request is counted. It asks the slow and plain way (`outcome_of`) once for each, so that both
ways cannot differ. It holds for one set of policies; whoever keeps lanes lets them go with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from extproc.accesslog.entry import Entry, outcome_of
from extproc.aggregate.cell import Cell
from extproc.aggregate.slot import Outcome
from extproc.cohort.policies import PolicyHolder
from extproc.outcome.classify import METHOD_POST, Ending
from extproc.outcome.observation import Observation
from serinus.contract.logline import SHARED
from serinus.contract.weight import CLASS_EVERYONE, WEIGHT_TOTAL_BP

# Services x versions x snapshots in flight x codes x flags x methods: some hundreds. The method is the client's: past
# this all are forgotten and found anew, at 20 us each.
LANES_MAX = 2_000
# A lane of requests that still run.
RUNNING = "running"
# What servers write as finish reasons is up to them; the API knows five.
CELLS_MAX = 200
# %ACCESS_LOG_TYPE%; others are about a request's beginning, or are not Envoy's of a listener.
_SKIPPED = {"DownstreamEnd": "", "NotSet": "", "DownstreamPeriodic": RUNNING}

# A side: what a request's own half means for its cell, as a sum.
FINISHED, OF_BASELINE, OF_CANDIDATE, HAS_FIRST_BYTE = 1, 2, 4, 8

CellOf = Callable[[Outcome, int], Cell]


@dataclass(slots=True)
class Request:
    """A request's own part, for one that waits for its observation. Treated as frozen; microseconds."""

    lane: "Lane"
    side: int
    start_us: int
    duration_us: int
    ttft_us: int | None
    key_hash: int | None
    finished_us: int | None
    request_id: str


@dataclass(slots=True, eq=False)
class Lane:
    """`like` is an entry of the lane: what is its own is of no account. `is_observed`: the bodies of its responses
    are.
    `skipped`: why its entries are no outcomes, "" if they are (`foreign`: no service of ours, `running`: the request
    still runs, `partial`: neither that nor its end).
    `is_local`: Envoy answered itself, so there is no upstream byte to wait for.
    """

    like: Entry
    cell_of: CellOf
    is_observed: bool
    follow_up_us: int
    skipped: str = ""
    weight_bp: int = field(init=False)
    is_local: bool = field(init=False)
    waits: bool = field(init=False)  # for the observation of the body
    plain: list[Cell | None] = field(default_factory=lambda: [None] * 16)  # by side, without an observation
    by_said: dict[tuple[object, ...], Cell] = field(default_factory=dict)  # side, and what was seen of the body

    def __post_init__(self) -> None:
        self.weight_bp = self.like.weight_bp
        self.is_local = not self.like.attempts
        self.waits = self.is_observed and self.like.may_have_body

    def plain_cell(self, side: int) -> Cell:
        """The cell without an observation: most common, so it stands in a list of its own."""
        cell = self.plain[side]
        if cell is None:
            cell = self.plain[side] = self.cell(side, None)
        return cell

    def cell(self, side: int, observation: Observation | None) -> Cell:
        """The cell of a side, with what was seen of the body."""
        said = side, observation.said if observation is not None else None
        cell = self.by_said.get(said)
        if cell is None:
            like = self.like
            bucket = self.weight_bp - 1 if side & OF_CANDIDATE else self.weight_bp if side & OF_BASELINE else None
            ending = replace(like.ending, is_finished=bool(side & FINISHED))
            entry = replace(like, bucket=bucket, ending=ending, ttfb_us=0 if side & HAS_FIRST_BYTE else None)
            cell = self.cell_of(outcome_of(entry, observation, is_observed=self.is_observed), like.attempts)
            if len(self.by_said) < CELLS_MAX:
                self.by_said[said] = cell
        return cell


class Lanes:
    """All lanes under the policies in force. Mutable, bounded."""

    def __init__(self, policies: PolicyHolder, cell_of: CellOf) -> None:
        self._policies = policies
        self._cell_of = cell_of
        self._in_force = policies.current
        self._lanes: dict[bytes, Lane] = {}

    def known(self) -> dict[bytes, Lane]:
        """Those that hold now, by the shared half of the line. Ask anew for each message."""
        if self._in_force is not self._policies.current or len(self._lanes) > LANES_MAX:
            self._in_force = self._policies.current
            self._lanes = {}
        return self._lanes

    def open(self, shared: bytes) -> Lane:
        """The lane of a shared half. Raises ValueError for one that must be read with its whole entry."""
        lane = self._lanes[shared] = self._lane(shared)
        return lane

    def _lane(self, shared: bytes) -> Lane:
        values = ("" if value == "-" else value for value in shared.decode().split(" "))
        tags = dict(zip(SHARED, values, strict=True))
        like, policies = entry_like(tags), self._policies
        skipped = _SKIPPED.get(tags["type"], "partial") if like.service else "foreign"
        follow_up_us = policies.follow_up_ms(like.service) * 1_000
        observes = policies.observes(like.service, is_sampled=like.is_sampled)
        return Lane(like, self._cell_of, observes, follow_up_us, skipped)


def entry_like(tags: Mapping[str, str]) -> Entry:
    """An entry of the lane from the values of the shared half. Raises ValueError for what Envoy does not write."""
    weight_bp, flags, attempts = int(tags["weight_bp"] or 0), tags["flags"], int(tags["attempts"] or 0)
    if not 0 <= weight_bp <= WEIGHT_TOTAL_BP or attempts < 0:
        raise ValueError(tags)
    return Entry(
        service=tags["service"],
        rollout=tags["rollout"],
        snapshot=tags["snapshot"],
        weight_bp=weight_bp,
        weight_class=tags["weight_class"] or CLASS_EVERYONE,
        candidate=tags["candidate"],
        baseline=tags["baseline"],
        version=tags["version"],
        start_us=0,
        duration_us=0,
        bucket=None,
        cohort=tags["cohort"] or None,
        key_hash=None,
        pin=tags["pin"] or None,
        ending=Ending(
            code=int(tags["code"] or 0),
            flags=frozenset(flags.split(",")) if flags else frozenset(),
            is_finished=True,
            method=METHOD_POST if tags["method"] == "POST" else 0,
            grpc_status=int(tags["grpc"] or 0),
        ),
        attempts=attempts,
        request_id="",
        ttfb_us=None,
        is_sampled=bool(tags["sampled"]),
        slices=tags["slices"],
    )
