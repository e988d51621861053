"""The wildcard rules: "How the client specifies what resources to return" of the xDS protocol."""

import pytest

from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, ResourceSet, resource
from controlplane.xds.errors import StreamError
from controlplane.xds.subscription import NAMES_MAX, Subscription

_ALL = ResourceSet.of(resource(name, CLUSTER, name.encode()) for name in "ab")


def _after(type_url: str, *requests: tuple[str, ...]) -> Subscription:
    subscription = Subscription(type_url)
    for names in requests:
        subscription = subscription.updated(names)
    return subscription


@pytest.mark.parametrize(
    ("type_url", "requests", "wanted"),
    [
        # "the first request … with no resource names" is a wildcard for Listener and Cluster
        (CLUSTER, [()], {"a", "b"}),
        (LISTENER, [()], {"a", "b"}),
        (ROUTE, [()], set()),
        # and stays one while no name was given
        (CLUSTER, [(), ()], {"a", "b"}),
        # "if it has ever specified a name, an empty list means nothing"
        (CLUSTER, [("a",), ()], set()),
        (CLUSTER, [(), ("a",), ()], set()),
        # explicit "*", alone, beside names, and dropped
        (CLUSTER, [("*",)], {"a", "b"}),
        (ROUTE, [("*",)], {"a", "b"}),
        (CLUSTER, [("*", "a")], {"a", "b"}),
        (CLUSTER, [("*", "a"), ("*",)], {"a", "b"}),
        (CLUSTER, [("*", "a"), ("a",)], {"a"}),
        (CLUSTER, [("*",), ()], set()),
        # the newest request is the whole of what is wanted; a name that does not exist is no fault
        (ROUTE, [("a",), ("b",)], {"b"}),
        (ROUTE, [("a", "missing")], {"a"}),
    ],
)
def test_what_a_row_of_requests_asks_for(type_url: str, requests: list[tuple[str, ...]], wanted: set[str]) -> None:
    assert _after(type_url, *requests).of(_ALL).names == wanted


def test_a_full_state_type_is_answered_at_first_even_if_there_is_nothing() -> None:
    """Envoy waits for its first CDS response before it goes on to listeners."""
    nothing = ResourceSet()
    assert _after(CLUSTER, ()).lacks(None, nothing)
    assert not _after(ROUTE, ("a",)).lacks(None, nothing)


def test_absence_is_a_change_for_full_state_types_only() -> None:
    """For Listener and Cluster absence deletes; other types cannot be deleted by a response."""
    less = _ALL.only(frozenset("a"))
    assert _after(CLUSTER, ()).lacks(_ALL, less)
    assert not _after(ROUTE, ("a", "b")).lacks(_ALL, less)


def test_new_and_changed_resources_are_lacking_and_equal_ones_are_not() -> None:
    changed = ResourceSet.of([*_ALL.only(frozenset("a")), resource("b", CLUSTER, b"changed")])
    subscription = _after(ROUTE, ("a", "b"))
    assert subscription.lacks(_ALL.only(frozenset("a")), _ALL)
    assert subscription.lacks(_ALL, changed)
    assert not subscription.lacks(_ALL, _ALL)


def test_who_wants_nothing_lacks_nothing() -> None:
    assert not _after(CLUSTER, ("a",), ()).lacks(None, _ALL)
    assert _after(CLUSTER, ("a",), ()).is_empty


def test_more_names_than_a_fleet_can_have_are_refused() -> None:
    with pytest.raises(StreamError, match="resource names"):
        _after(ROUTE, tuple(map(str, range(NAMES_MAX + 1))))
