"""The book of nodes."""

import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.errors import DuplicateNodeError
from controlplane.xds.events import Accepted, Node, Rejected
from controlplane.xds.fleet import NODES_GONE_MAX, TURNS_MAX, TURNS_WINDOW_MS, Fleet, FleetView, Nack
from tests.unit.controlplane.xds.factory import snapshot

_A, _B = Node("a"), Node("b")
_TARGET = snapshot()
_NOW_MS = 1_000


def _open(fleet: Fleet, stream_id: int, node: Node, *, mode: Mode = Mode.SOTW, now_ms: int = _NOW_MS) -> int | None:
    return fleet.opened(stream_id, node, mode, now_ms)


def _accept_all(fleet: Fleet, stream_id: int, node_id: str) -> None:
    for type_url in (CLUSTER, LISTENER, ROUTE):
        fleet.answered(stream_id, node_id, Accepted(type_url, _TARGET.versions[type_url]))


def _view(fleet: Fleet, now_ms: int = _NOW_MS) -> FleetView:
    return fleet.view(now_ms)


def test_no_node_is_no_acceptance() -> None:
    assert not FleetView().has_accepted(_TARGET)
    assert not _view(Fleet()).has_accepted(_TARGET)


def test_the_fleet_has_accepted_when_every_connected_node_has_every_type() -> None:
    fleet = Fleet()
    _open(fleet, 1, _A)
    _open(fleet, 2, _B)
    _accept_all(fleet, 1, "a")
    fleet.answered(2, "b", Accepted(CLUSTER, _TARGET.versions[CLUSTER]))
    assert not _view(fleet).has_accepted(_TARGET)
    assert _view(fleet).waiting_for(_TARGET) == ("b",)
    _accept_all(fleet, 2, "b")
    assert _view(fleet).has_accepted(_TARGET)
    assert not _view(fleet).has_accepted(snapshot(listener="2"))


def test_each_node_is_measured_by_what_its_kind_of_stream_is_sent() -> None:
    """Incremental streams get routes as virtual hosts: they never accept the whole, others never the parts."""
    hosts = ResourceSet.of((resource("services/chat", VIRTUAL_HOST, b"1"),))
    target = Snapshot(_TARGET.types, {VIRTUAL_HOST: hosts})
    fleet = Fleet()
    _open(fleet, 1, _A)
    _open(fleet, 2, _B, mode=Mode.DELTA)
    _accept_all(fleet, 1, "a")
    _accept_all(fleet, 2, "b")
    assert _view(fleet).waiting_for(target) == ("b",)
    assert not _view(fleet).nodes["b"].has_accepted_type(VIRTUAL_HOST, target)
    assert _view(fleet).nodes["a"].has_accepted_type(VIRTUAL_HOST, target), "there is none for it"
    fleet.answered(2, "b", Accepted(VIRTUAL_HOST, hosts.version))
    assert _view(fleet).has_accepted(target)
    assert _view(fleet).nodes["b"].has_accepted_type(VIRTUAL_HOST, target)


def test_a_refusal_stands_until_the_type_is_accepted() -> None:
    fleet = Fleet()
    _open(fleet, 1, _A)
    fleet.answered(1, "a", Rejected(ROUTE, "v", "no such thing"))
    fleet.answered(1, "a", Accepted(CLUSTER, "c"))
    assert _view(fleet).nacks() == (("a", Nack(ROUTE, "v", "no such thing")),)
    fleet.answered(1, "a", Accepted(ROUTE, "w"))
    assert _view(fleet).nacks() == ()


def test_a_node_that_has_refused_counts_as_running_no_version_of_that_type() -> None:
    fleet = Fleet()
    _open(fleet, 1, _A)
    _accept_all(fleet, 1, "a")
    fleet.answered(1, "a", Rejected(ROUTE, "v", "no"))
    assert _view(fleet).nodes["a"].accepted == {url: _TARGET.versions[url] for url in (CLUSTER, LISTENER)}
    assert _view(fleet).waiting_for(_TARGET) == ("a",)


def test_a_node_whose_last_word_on_clusters_was_a_refusal_is_distrusted_also_when_it_comes_back() -> None:
    """Envoy's `initial_resource_versions` are those of before the refused response."""
    fleet = Fleet()
    _open(fleet, 1, _A)
    fleet.answered(1, "a", Rejected(ROUTE, "v", "no"))
    assert not fleet.distrusts(_A)
    fleet.answered(1, "a", Rejected(CLUSTER, "v", "no"))
    fleet.closed(1, "a")
    assert fleet.distrusts(_A)
    assert not fleet.distrusts(_B)
    assert not fleet.distrusts(None)
    _open(fleet, 2, _A)
    fleet.answered(2, "a", Accepted(CLUSTER, "w"))
    assert not fleet.distrusts(_A)


def test_a_node_that_went_is_remembered_but_not_waited_for() -> None:
    fleet = Fleet()
    _open(fleet, 1, _A)
    _open(fleet, 2, _B)
    _accept_all(fleet, 1, "a")
    fleet.closed(2, "b")
    assert _view(fleet).has_accepted(_TARGET)
    fleet.closed(1, "a")
    view = _view(fleet).nodes["a"]
    assert not view.is_connected
    assert view.has_accepted(_TARGET)
    assert not _view(fleet).has_accepted(_TARGET)


def test_a_node_that_comes_back_starts_anew() -> None:
    fleet = Fleet()
    _open(fleet, 1, _A)
    _accept_all(fleet, 1, "a")
    fleet.closed(1, "a")
    assert _open(fleet, 2, _A) is None
    assert _view(fleet).waiting_for(_TARGET) == ("a",)


def test_a_newer_stream_of_a_node_supersedes_the_older_which_tells_nothing_more() -> None:
    """A dead connection may look alive for seconds while its proxy has reconnected."""
    fleet = Fleet()
    _open(fleet, 1, _A)
    _accept_all(fleet, 1, "a")
    assert _open(fleet, 2, _A) == 1
    assert not _view(fleet).has_accepted(_TARGET)
    fleet.answered(1, "a", Accepted(CLUSTER, "of the older"))
    assert dict(_view(fleet).nodes["a"].accepted) == {}
    _accept_all(fleet, 2, "a")
    fleet.closed(1, "a")
    assert _view(fleet).has_accepted(_TARGET)


def test_two_proxies_under_one_id_are_found_by_their_turns_and_the_connected_one_stays() -> None:
    fleet = Fleet()
    _open(fleet, 0, _A)
    for turn in range(1, TURNS_MAX + 1):
        assert _open(fleet, turn, _A, now_ms=_NOW_MS + turn) == turn - 1
    refused_ms = _NOW_MS + 10
    for _ in range(2):
        with pytest.raises(DuplicateNodeError, match="'a' is connected already"):
            _open(fleet, 99, _A, now_ms=refused_ms)
    _accept_all(fleet, TURNS_MAX, "a")
    assert _view(fleet, refused_ms).has_accepted(_TARGET)
    assert _view(fleet, refused_ms).duplicates == ("a",)
    assert _view(fleet, refused_ms + TURNS_WINDOW_MS).duplicates == ("a",)
    assert _view(fleet, refused_ms + TURNS_WINDOW_MS + 1).duplicates == ()


def test_turns_that_are_more_than_a_minute_apart_are_a_bad_network() -> None:
    fleet = Fleet()
    _open(fleet, 0, _A)
    apart_ms = TURNS_WINDOW_MS // TURNS_MAX + 1
    for turn in range(1, 3 * TURNS_MAX):
        _open(fleet, turn, _A, now_ms=_NOW_MS + turn * apart_ms)
    assert _view(fleet).duplicates == ()


def test_a_proxy_that_ends_its_stream_before_it_opens_another_takes_no_turn() -> None:
    fleet = Fleet()
    for turn in range(3 * TURNS_MAX):
        _open(fleet, turn, _A)
        fleet.closed(turn, "a")
    assert not _view(fleet).nodes["a"].is_connected


def test_an_answer_or_an_end_of_a_stream_that_is_not_known_changes_nothing() -> None:
    fleet = Fleet()
    _open(fleet, 1, _A)
    before = _view(fleet)
    fleet.answered(9, "a", Accepted(CLUSTER, "c"))
    fleet.answered(1, "b", Accepted(CLUSTER, "c"))
    fleet.closed(9, "a")
    fleet.closed(1, "b")
    assert _view(fleet) is before


def test_the_longest_gone_are_forgotten_first() -> None:
    fleet = Fleet()
    for number in range(NODES_GONE_MAX + 2):
        node_id = f"n{number}"
        _open(fleet, number, Node(node_id))
        fleet.closed(number, node_id)
    nodes = _view(fleet).nodes
    assert len(nodes) == NODES_GONE_MAX
    assert "n1" not in nodes
    assert "n2" in nodes


def test_a_view_does_not_change_afterwards() -> None:
    fleet = Fleet()
    _open(fleet, 1, _A)
    before = _view(fleet)
    _accept_all(fleet, 1, "a")
    assert dict(before.nodes["a"].accepted) == {}
