"""The book of nodes."""

import pytest

from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.xds.errors import TooManyStreamsError
from controlplane.xds.fleet import NODES_GONE_MAX, STREAMS_PER_NODE_MAX, Fleet, FleetView, Nack
from controlplane.xds.stream import Accepted, Node, Rejected
from tests.unit.controlplane.xds.factory import snapshot

_A, _B = Node("a"), Node("b")
_TARGET = snapshot()


def _accept_all(fleet: Fleet, stream_id: int, node: Node) -> None:
    for type_url in (CLUSTER, LISTENER, ROUTE):
        fleet.answered(stream_id, node, Accepted(type_url, _TARGET.versions[type_url]))


def test_no_node_is_no_acceptance() -> None:
    assert not FleetView().has_accepted(_TARGET)
    assert not Fleet().view().has_accepted(_TARGET)


def test_the_fleet_has_accepted_when_every_connected_node_has_every_type() -> None:
    fleet = Fleet()
    fleet.opened(1, _A)
    fleet.opened(2, _B)
    _accept_all(fleet, 1, _A)
    fleet.answered(2, _B, Accepted(CLUSTER, _TARGET.versions[CLUSTER]))
    assert not fleet.view().has_accepted(_TARGET)
    assert fleet.view().waiting_for(_TARGET) == ("b",)
    _accept_all(fleet, 2, _B)
    assert fleet.view().has_accepted(_TARGET)
    assert not fleet.view().has_accepted(snapshot(listener="2"))


def test_a_refusal_stands_until_the_type_is_accepted() -> None:
    fleet = Fleet()
    fleet.opened(1, _A)
    fleet.answered(1, _A, Rejected(ROUTE, "v", "no such thing"))
    fleet.answered(1, _A, Accepted(CLUSTER, "c"))
    assert fleet.view().nacks() == (("a", Nack(ROUTE, "v", "no such thing")),)
    fleet.answered(1, _A, Accepted(ROUTE, "w"))
    assert fleet.view().nacks() == ()


def test_a_node_that_went_is_remembered_but_not_waited_for() -> None:
    fleet = Fleet()
    fleet.opened(1, _A)
    fleet.opened(2, _B)
    _accept_all(fleet, 1, _A)
    fleet.closed(2, _B)
    assert fleet.view().has_accepted(_TARGET)
    fleet.closed(1, _A)
    view = fleet.view().nodes["a"]
    assert not view.is_connected
    assert view.has_accepted(_TARGET)
    assert not fleet.view().has_accepted(_TARGET)


def test_a_node_that_comes_back_starts_anew() -> None:
    fleet = Fleet()
    fleet.opened(1, _A)
    _accept_all(fleet, 1, _A)
    fleet.closed(1, _A)
    fleet.opened(2, _A)
    assert fleet.view().waiting_for(_TARGET) == ("a",)


def test_of_two_streams_of_a_node_the_newest_tells() -> None:
    fleet = Fleet()
    fleet.opened(1, _A)
    _accept_all(fleet, 1, _A)
    fleet.opened(2, _A)
    assert not fleet.view().has_accepted(_TARGET)
    _accept_all(fleet, 2, _A)
    fleet.closed(1, _A)
    assert fleet.view().has_accepted(_TARGET)
    fleet.opened(3, _A)
    fleet.closed(3, _A)
    assert fleet.view().has_accepted(_TARGET)


def test_a_node_may_hold_so_many_streams_and_no_more() -> None:
    fleet = Fleet()
    for stream_id in range(STREAMS_PER_NODE_MAX):
        fleet.opened(stream_id, _A)
    with pytest.raises(TooManyStreamsError, match="node a"):
        fleet.opened(99, _A)
    fleet.opened(100, _B)
    fleet.closed(0, _A)
    fleet.opened(99, _A)


def test_an_answer_or_an_end_of_a_stream_that_is_not_known_changes_nothing() -> None:
    fleet = Fleet()
    fleet.opened(1, _A)
    before = fleet.view()
    fleet.answered(9, _A, Accepted(CLUSTER, "c"))
    fleet.answered(1, _B, Accepted(CLUSTER, "c"))
    fleet.closed(9, _A)
    fleet.closed(1, _B)
    assert fleet.view() is before


def test_the_longest_gone_are_forgotten_first() -> None:
    fleet = Fleet()
    for number in range(NODES_GONE_MAX + 2):
        node = Node(f"n{number}")
        fleet.opened(number, node)
        fleet.closed(number, node)
    nodes = fleet.view().nodes
    assert len(nodes) == NODES_GONE_MAX
    assert "n1" not in nodes
    assert "n2" in nodes


def test_a_view_does_not_change_afterwards() -> None:
    fleet = Fleet()
    fleet.opened(1, _A)
    before = fleet.view()
    _accept_all(fleet, 1, _A)
    assert dict(before.nodes["a"].accepted) == {}
