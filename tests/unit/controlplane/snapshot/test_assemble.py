"""A whole snapshot: consistent, versioned by content, built from what is known already."""

from dataclasses import replace

import pytest

from controlplane.snapshot.assemble import BuildCache, build, check
from controlplane.snapshot.errors import MissingClusterError, SnapshotError, UnknownVersionError
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import CLUSTER, EXTENSION, LISTENER, ROUTE, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from tests.unit.controlplane.snapshot.factory import STAFF, at, service

_GATEWAY = Gateway()


def test_every_version_of_a_service_has_its_cluster_from_the_start() -> None:
    """So that the first step moves only a route."""
    snapshot = build([service("a"), service("b", prefix="/b/")], _GATEWAY)
    assert snapshot.of_type(CLUSTER).names == {"a/v1", "a/v2", "b/v1", "b/v2"}


def test_equal_input_gives_equal_versions_and_a_weight_changes_the_route_alone() -> None:
    one, again, moved = (build([at(service(), weight)], _GATEWAY) for weight in (500, 500, 501))
    assert one.versions == again.versions
    assert one.version == again.version
    assert {url for url in one.versions if one.versions[url] != moved.versions[url]} == {ROUTE}
    assert one.version != moved.version


def test_a_cache_changes_nothing_but_the_work() -> None:
    cache = BuildCache()
    services = [at(service("a"), 1), service("b", prefix="/b/")]
    build(services, _GATEWAY, cache)
    moved = [at(service("a"), 2), service("b", prefix="/b/", cohorts=[STAFF])]
    assert build(moved, _GATEWAY, cache).versions == build(moved, _GATEWAY).versions


def test_a_weight_change_encodes_the_routes_of_one_service_and_no_cluster() -> None:
    cache = BuildCache()
    services = [at(service("a"), 1), service("b", prefix="/b/")]
    first = build(services, _GATEWAY, cache)
    kept, changed = cache.entries["b"], cache.entries["a"]
    second = build([at(services[0], 2), services[1]], _GATEWAY, cache)
    assert cache.entries["b"] is kept
    assert cache.entries["a"] is not changed
    for name, cluster in second.of_type(CLUSTER).resources.items():
        assert cluster is first.of_type(CLUSTER).resources[name]
    assert second.of_type(LISTENER).resources["gateway"] is first.of_type(LISTENER).resources["gateway"]
    assert second.of_type(EXTENSION).resources["serinus.tag"] is first.of_type(EXTENSION).resources["serinus.tag"]


def test_another_sticky_header_is_another_tag_filter_and_the_same_listener() -> None:
    cache = BuildCache()
    one = build([service()], _GATEWAY, cache)
    other = build([service(sticky={"header": "x-session"})], _GATEWAY, cache)
    assert one.versions[EXTENSION] != other.versions[EXTENSION]
    assert one.versions[LISTENER] == other.versions[LISTENER]


def test_the_cache_builds_clusters_again_for_another_protocol() -> None:
    cache = BuildCache()
    build([service()], _GATEWAY, cache)
    changed = [service(protocol="openai")]
    assert build(changed, _GATEWAY, cache).versions == build(changed, _GATEWAY).versions


def test_the_cache_forgets_services_that_went() -> None:
    cache = BuildCache()
    build([service("a"), service("b", prefix="/b/")], _GATEWAY, cache)
    build([service("a")], _GATEWAY, cache)
    assert set(cache.entries) == {"a"}


def test_another_gateway_is_another_listener_and_another_tag_filter() -> None:
    cache = BuildCache()
    one = build([service()], _GATEWAY, cache)
    other = build([service()], replace(_GATEWAY, listen_port=9, ext_proc_message_timeout_ms=9), cache)
    assert one.versions[LISTENER] != other.versions[LISTENER]
    assert one.versions[EXTENSION] != other.versions[EXTENSION]


def test_after_an_error_the_cache_is_as_it_was() -> None:
    cache = BuildCache()
    build([service()], _GATEWAY, cache)
    before = dict(cache.entries)
    with pytest.raises(UnknownVersionError):
        build([at(service(), 1, candidate="v9")], _GATEWAY, cache)
    assert cache.entries == before


def test_a_route_to_a_cluster_that_is_not_there_is_refused() -> None:
    route = resource("services", ROUTE, b"", ("chat/v1", "chat/v3"))
    clusters = ResourceSet.of((resource("chat/v1", CLUSTER, b""),))
    with pytest.raises(MissingClusterError, match="chat/v3") as raised:
        check(Snapshot({CLUSTER: clusters, ROUTE: ResourceSet.of((route,))}))
    assert raised.value.missing == {"chat/v3"}
    assert raised.value.next_step


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(SnapshotError, match="one name"):
        build([service(), service(prefix="/b/")], _GATEWAY)


def test_no_services_is_a_snapshot_too() -> None:
    """What an empty control plane publishes: a listener that answers 404."""
    snapshot = build([], _GATEWAY)
    assert len(snapshot.of_type(CLUSTER)) == 0
    assert snapshot.of_type(ROUTE).names == {"services"}
    assert len(snapshot.of_type("unknown")) == 0
