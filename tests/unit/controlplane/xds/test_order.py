"""The order of types, and what must be there before what."""

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, ResourceSet, resource
from controlplane.xds.order import clusters_to_keep, held_clusters, in_order

_A, _B = (resource(name, CLUSTER, b"1") for name in "ab")
_BOTH, _ONLY_A, _ONLY_B = ResourceSet.of((_A, _B)), ResourceSet.of((_A,)), ResourceSet.of((_B,))
_NAMES_A = frozenset("a")


def test_clusters_endpoints_listeners_routes() -> None:
    """ "CDS updates must always be pushed first", then EDS, LDS, RDS; a type that is not known has no place."""
    assert in_order([ROUTE, "?", LISTENER, EXTENSION, ENDPOINT, CLUSTER]) == [
        CLUSTER,
        ENDPOINT,
        EXTENSION,
        LISTENER,
        ROUTE,
    ]


def test_a_cluster_counts_as_there_when_it_was_accepted_and_is_not_about_to_go() -> None:
    assert held_clusters(None, None) == held_clusters(None, _BOTH) == frozenset()
    assert held_clusters(_BOTH, None) == {"a", "b"}
    assert held_clusters(_BOTH, _ONLY_A) == {"a"}
    assert held_clusters(_ONLY_A, _BOTH) == {"a"}


def test_a_cluster_that_a_running_route_names_is_kept() -> None:
    assert clusters_to_keep(_ONLY_B, _BOTH, [_NAMES_A]).names == {"a", "b"}


def test_a_cluster_that_nothing_names_goes() -> None:
    assert clusters_to_keep(_ONLY_B, _BOTH, []) is _ONLY_B
    assert clusters_to_keep(_ONLY_B, None, [_NAMES_A]) is _ONLY_B
    assert clusters_to_keep(_BOTH, _ONLY_A, [_NAMES_A]) is _BOTH


def test_an_equal_set_is_not_worked_on() -> None:
    assert clusters_to_keep(_ONLY_A, ResourceSet.of((_A,)), [_NAMES_A]) is _ONLY_A
