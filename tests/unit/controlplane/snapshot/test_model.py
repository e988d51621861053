"""What a snapshot is built from."""

from typing import Any

import pytest

from controlplane.snapshot.model import VersionLimit, cluster_inputs, clusters_named, version_limit
from tests.unit.controlplane.snapshot.factory import at, service


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, VersionLimit()),
        ({"v1": {"concurrent": 5}}, VersionLimit()),
        ({"v2": {"concurrent": 5}}, VersionLimit(concurrent=5)),
        ({"candidate": {"requests_per_second": 5}}, VersionLimit(5, 5)),
        ({"candidate": {"requests_per_second": 5}, "v2": {"concurrent": 3}}, VersionLimit(5, 5, 3)),
        (
            {"candidate": {"requests_per_second": 5, "burst": 20}, "v2": {"requests_per_second": 9, "concurrent": 3}},
            VersionLimit(5, 9, 3),
        ),
    ],
)
def test_of_several_limits_of_a_version_the_tighter_holds(limits: dict[str, Any], expected: VersionLimit) -> None:
    assert version_limit(at(service(limits=limits), 500), "v2") == expected


def test_the_candidates_limit_is_nobodys_without_a_rollout() -> None:
    assert version_limit(service(limits={"candidate": {"concurrent": 5}}), "v2") == VersionLimit()


def test_a_cluster_is_made_of_its_version_and_its_limit_alone() -> None:
    """A weight is no part of it."""
    route = service(limits={"baseline": {"concurrent": 5}, "v2": {"requests_per_second": 5}})
    assert [(item.name, item.concurrent_max) for item in cluster_inputs(route)] == [("chat/v1", 5), ("chat/v2", None)]
    assert cluster_inputs(at(route, 1)) == cluster_inputs(at(route, 2)) == cluster_inputs(route)


def test_a_service_that_streams_says_so_of_its_clusters() -> None:
    assert all(item.streams for item in cluster_inputs(service(protocol="openai")))
    assert not any(item.streams for item in cluster_inputs(service()))


def test_the_clusters_named_are_those_of_the_arms() -> None:
    assert clusters_named(service()) == {"chat/v1"}
    assert clusters_named(at(service(), 0)) == {"chat/v1", "chat/v2"}
