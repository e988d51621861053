"""Lanes: what the shared half of a line means, read once."""

import pytest

from extproc.accesslog.entry import outcome_of
from extproc.accesslog.lane import (
    CELLS_MAX,
    FINISHED,
    HAS_FIRST_BYTE,
    LANES_MAX,
    OF_BASELINE,
    OF_CANDIDATE,
    RUNNING,
    Lane,
    Lanes,
)
from extproc.accesslog.wire import entries_of
from extproc.aggregate.window import SlotWindow
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.outcome.observation import Observation
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.logline import TAG
from serinus.contract.outcome import OutcomeClass
from tests.unit.extproc.messages import POLICY, lined, log_entry, log_message


class Bench:
    def __init__(self) -> None:
        self.policies = PolicyHolder(10_000)
        self.policies.replace(PolicySet("p1", {"chat": POLICY}))
        self.window = SlotWindow(Catalogue())
        self.lanes = Lanes(self.policies, self.window.cell)

    def open(self, **changes: object) -> Lane:
        return self.lanes.open(shared(**changes))


def shared(**changes: object) -> bytes:
    line = lined(log_entry(**changes)).common_properties.custom_tags[TAG]  # type: ignore[arg-type]
    return line.split("\t")[1].encode()


@pytest.mark.parametrize("bucket", [499, 500])
def test_a_cell_is_what_the_whole_entry_says(bucket: int) -> None:
    bench = Bench()
    (entry,) = entries_of(log_message(log_entry(bucket=bucket, version="v2")))
    side = FINISHED + HAS_FIRST_BYTE + (OF_CANDIDATE if bucket < 500 else OF_BASELINE)
    cell = bench.open(version="v2").cell(side, None)
    assert cell is bench.window.cell(outcome_of(entry, None, is_observed=True), 1)  # type: ignore[arg-type]
    assert cell.like.is_routing_mismatch is (bucket == 500)


def test_what_was_seen_of_the_body_is_another_cell() -> None:
    lane = Bench().open()
    seen = Observation(observable=True, complete=True)
    assert lane.cell(FINISHED, seen).like.outcome_class is OutcomeClass.TRUNCATED
    assert lane.cell(FINISHED, None).like.outcome_class is OutcomeClass.OK
    assert lane.cell(0, None).like.outcome_class is OutcomeClass.UPSTREAM_RESET
    assert lane.plain_cell(FINISHED) is lane.cell(FINISHED, None)


def test_who_is_no_outcome_is_told_so() -> None:
    bench = Bench()
    assert bench.open(service="").skipped == "foreign"
    running = shared().replace(b"DownstreamEnd", b"DownstreamPeriodic")
    assert bench.lanes.open(running).skipped == RUNNING
    partial = shared().replace(b"DownstreamEnd", b"DownstreamStart")
    assert bench.lanes.open(partial).skipped == "partial"
    assert bench.open().skipped == ""


@pytest.mark.parametrize("half", [b"", b"a b", b"\xff", shared(weight_bp="10001"), shared(weight_bp="many")])
def test_what_envoy_does_not_write_is_read_with_its_whole_entry(half: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of several causes
        Bench().lanes.open(half)


def test_lanes_go_with_their_policies() -> None:
    bench = Bench()
    lane = bench.open()
    assert lane.is_observed
    assert bench.lanes.known()[shared()] is lane
    bench.policies.replace(PolicySet("p2", {}))
    assert bench.lanes.known() == {}
    assert not bench.open().is_observed


def test_lanes_and_cells_are_bounded() -> None:
    """The method is the client's, the finish reason the server's."""
    bench = Bench()
    for number in range(LANES_MAX + 1):
        bench.lanes.open(shared().replace(b"POST", b"M%d" % number))
    assert bench.lanes.known() == {}
    lane = bench.open()
    for number in range(CELLS_MAX + 5):
        lane.cell(FINISHED, Observation(observable=True, complete=True, finish_reason=f"r{number}", has_content=True))
    assert len(lane.by_said) == CELLS_MAX
