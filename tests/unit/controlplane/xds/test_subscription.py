"""The wildcard rules: "How the client specifies what resources to return" of the xDS protocol."""

import pytest

from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST, ResourceSet, resource
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
        # "never explicitly subscribed to any resource names" is a wildcard for Listener and Cluster
        (CLUSTER, [()], {"a", "b"}),
        (LISTENER, [()], {"a", "b"}),
        (ROUTE, [()], set()),
        # and stays one while no name was given
        (CLUSTER, [(), ()], {"a", "b"}),
        # after a name "clearing the list of subscribed resources is interpretted as an unsubscription"
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


def _changed(type_url: str, *requests: tuple[tuple[str, ...], tuple[str, ...]]) -> Subscription:
    subscription = Subscription(type_url)
    for number, (subscribe, unsubscribe) in enumerate(requests):
        subscription = subscription.changed(subscribe, unsubscribe, is_first=number == 0)
    return subscription


@pytest.mark.parametrize(
    ("type_url", "requests", "wanted"),
    [
        # the legacy wildcard: "never … a non-empty resource_names_subscribe"
        (CLUSTER, [((), ())], {"a", "b"}),
        (VIRTUAL_HOST, [((), ())], {"a", "b"}),
        (ROUTE, [((), ())], set()),
        # an empty list later means no change
        (CLUSTER, [((), ()), ((), ())], {"a", "b"}),
        (CLUSTER, [(("a",), ()), ((), ())], {"a"}),
        # names are added and taken away
        (ROUTE, [(("a",), ()), (("b",), ())], {"a", "b"}),
        (ROUTE, [(("a", "b"), ()), ((), ("a",))], {"b"}),
        (ROUTE, [(("a",), ()), (("b",), ("a",))], {"b"}),
        # what was never wanted may be taken away
        (ROUTE, [(("a",), ()), ((), ("never",))], {"a"}),
        # "*" beside names, and either without the other
        (CLUSTER, [(("*", "a"), ())], {"a", "b"}),
        (CLUSTER, [((), ()), (("a",), ())], {"a", "b"}),
        (CLUSTER, [(("*", "a"), ()), ((), ("a",))], {"a", "b"}),
        (CLUSTER, [(("*", "a"), ()), ((), ("*",))], {"a"}),
        (CLUSTER, [((), ()), ((), ("*",))], set()),
        (CLUSTER, [(("a",), ()), (("*",), ())], {"a", "b"}),
    ],
)
def test_what_a_row_of_incremental_requests_asks_for(
    type_url: str, requests: list[tuple[tuple[str, ...], tuple[str, ...]]], wanted: set[str]
) -> None:
    assert _changed(type_url, *requests).of(_ALL).names == wanted


def test_the_name_of_a_route_configuration_stands_for_its_virtual_hosts() -> None:
    hosts = ResourceSet.of(
        resource(name, VIRTUAL_HOST, b"1") for name in ("services/chat", "services/a/b", "other/chat", "services")
    )
    assert _changed(VIRTUAL_HOST, (("services",), ())).of(hosts).names == {"services/chat"}


def test_more_names_than_a_fleet_can_have_are_refused_bit_by_bit_too() -> None:
    half = tuple(map(str, range(NAMES_MAX)))
    with pytest.raises(StreamError, match="resource names"):
        _changed(ROUTE, (half, ()), (("one more",), ()))
