"""What is remembered of what was sent, and what is not."""

import pytest

from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST, ResourceSet, opaque, resource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.history import RESOURCES_MAX, SETS_MAX, History
from tests.unit.controlplane.xds.factory import snapshot

_OLD, _NEW = snapshot("a", "a"), snapshot("a b", "b")


def _history(*published: Snapshot) -> History:
    history = History()
    for each in published:
        history.publish(each)
    return history


def test_a_client_that_names_a_version_of_before_holds_that() -> None:
    history = _history(_OLD, _NEW)
    for type_url in (CLUSTER, ROUTE):
        brought = history.brought(type_url, _OLD.versions[type_url], ("services",))
        assert brought is _OLD.of_type(type_url)


def test_who_names_no_version_brings_nothing() -> None:
    assert _history(_OLD).brought(ROUTE, "", ("services",)) is None


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER])
def test_of_a_full_state_that_nobody_remembers_not_even_names_are_known(type_url: str) -> None:
    """A wildcard names nothing; to take it for an empty set would leave it in force for ever."""
    assert _history(_OLD).brought(type_url, "?", ()) is None


def test_of_named_resources_that_nobody_remembers_the_names_are_known() -> None:
    brought = _history(_OLD).brought(ROUTE, "?", ("services", "more"))
    assert brought == ResourceSet.of(opaque(name, ROUTE, "?") for name in ("services", "more"))
    assert brought.has_opaque


def test_a_version_counts_for_its_own_type_only() -> None:
    assert _history(_OLD).brought(CLUSTER, _OLD.versions[ROUTE], ()) is None


def test_sets_that_a_stream_of_its_own_was_sent_are_remembered_too() -> None:
    """Clusters that lingered made the set of one stream another than the snapshot's."""
    history = _history(_NEW)
    history.remember(CLUSTER, _OLD.of_type(CLUSTER))
    assert history.brought(CLUSTER, _OLD.versions[CLUSTER], ()) is _OLD.of_type(CLUSTER)


def test_an_incremental_client_that_holds_the_current_set_holds_that_very_set() -> None:
    """It is shared by all that stand there, so that nothing is computed for each of them."""
    current = _NEW.of_type(CLUSTER)
    versions = {item.name: item.version for item in current}
    assert _history(_NEW).held(CLUSTER, versions, current) is current


def test_what_an_incremental_client_holds_is_known_one_by_one() -> None:
    history = _history(_OLD)
    known = _OLD.of_type(ROUTE).resources["services"]
    held = history.held(ROUTE, {"services": known.version, "more": "?"}, _NEW.of_type(ROUTE))
    assert held.resources["services"] is known
    assert held.resources["services"].clusters == {"a"}
    assert held.resources["more"].is_opaque


def test_both_views_of_a_snapshot_are_remembered() -> None:
    with_hosts = snapshot("a", "a", hosts={"chat": "a"})
    history = _history(with_hosts)
    host = with_hosts.incremental.of_type(VIRTUAL_HOST).resources["services/chat"]
    held = history.held(VIRTUAL_HOST, {host.name: host.version}, ResourceSet())
    assert held.resources[host.name] is host
    assert history.brought(ROUTE, with_hosts.versions[ROUTE], ()) is with_hosts.of_type(ROUTE)


def test_the_oldest_sets_are_forgotten_first_and_one_that_comes_again_is_young_again() -> None:
    history = History()
    sets = [ResourceSet.of((resource("a", ROUTE, str(number).encode()),)) for number in range(SETS_MAX + 1)]
    for each in sets[:-1]:
        history.remember(ROUTE, each)
    history.remember(ROUTE, sets[0])
    history.remember(ROUTE, sets[-1])
    assert history.brought(ROUTE, sets[0].version, ("a",)) is sets[0]
    forgotten = history.brought(ROUTE, sets[1].version, ("a",))
    assert forgotten is not None
    assert forgotten.has_opaque


def test_the_oldest_resources_are_forgotten_first() -> None:
    history = History()
    first, others = resource("first", ROUTE, b"1"), [f"n{number}" for number in range(RESOURCES_MAX)]
    history.remember(ROUTE, ResourceSet.of((first,)))
    assert not history.held(ROUTE, {"first": first.version}, ResourceSet()).has_opaque
    history.remember(ROUTE, ResourceSet.of(opaque(name, ROUTE, "1") for name in others))
    assert history.held(ROUTE, {"first": first.version}, ResourceSet()).has_opaque
