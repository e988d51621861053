"""A whole snapshot: consistent, versioned by content, built from what is known already."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.snapshot.assemble import BuildCache, build, check
from controlplane.snapshot.errors import (
    MissingClusterError,
    SecretFileError,
    SnapshotError,
    UnknownVersionError,
    WeightError,
)
from controlplane.snapshot.model import Gateway, ServiceRoute, cluster_inputs
from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    ROUTE,
    SECRET,
    VIRTUAL_HOST,
    ResourceSet,
    resource,
)
from controlplane.snapshot.snapshot import Snapshot
from tests.unit.controlplane.snapshot.factory import at, service

_GATEWAY = Gateway()
_TOKEN = [{"name": "v1", "endpoints": ["127.0.0.1:1"], "auth": {"header": "authorization", "file": "token"}}]


def _apart(count: int) -> list[ServiceRoute]:
    """Services with a host and a rollout each."""
    return [at(service(name, hosts=[f"{name}.example.com"]), 500) for name in map("s{}".format, range(count))]


def _bodies(snapshot: Snapshot) -> Mapping[str, Sequence[tuple[str, str, bytes]]]:
    parts = {**snapshot.types, **{f"overlay {url}": items for url, items in snapshot.overlay.items()}}
    return {url: [(item.name, item.version, item.body) for item in items] for url, items in parts.items()}


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


def test_the_order_of_services_changes_nothing() -> None:
    services = [*_apart(3), service("all", limits={"v1": {"requests_per_second": 1}})]
    assert build(services, _GATEWAY).version == build(services[::-1], _GATEWAY).version


_SERVICES = st.lists(
    st.builds(
        lambda name, hosts, weight_bp, limits: at(
            service(name, hosts=hosts, prefix=f"/{name}/", limits=limits), weight_bp
        ),
        st.sampled_from("abc"),
        st.lists(st.sampled_from(["*", "x.example.com", "y.example.com"]), min_size=1, max_size=2),
        st.sampled_from([0, 1, 10_000]),
        st.sampled_from([{}, {"candidate": {"requests_per_second": 5, "concurrent": 7}}]),
    ),
    max_size=3,
    unique_by=lambda route: route.name,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(_SERVICES, st.sampled_from([_GATEWAY, Gateway(listen_port=9)])), max_size=5))
def test_a_cache_changes_nothing_but_the_work(story: list[tuple[list[ServiceRoute], Gateway]]) -> None:
    cache = BuildCache()
    for services, gateway in story:
        assert _bodies(build(services, gateway, cache)) == _bodies(build(services, gateway))


def test_a_weight_step_builds_one_virtual_host_and_nothing_else() -> None:
    cache, services = BuildCache(), _apart(3)
    first = build(services, _GATEWAY, cache)
    second = build([at(services[0], 501), *map(replace, services[1:])], _GATEWAY, cache)
    for url in (CLUSTER, ENDPOINT, SECRET, EXTENSION, LISTENER):
        assert second.types[url] is first.types[url]
    assert second.overlay[ROUTE] is first.overlay[ROUTE]
    before, after = first.overlay[VIRTUAL_HOST].resources, second.overlay[VIRTUAL_HOST].resources
    assert [name for name in after if after[name] is not before[name]] == ["services/s0.example.com"]


def test_what_changed_and_changed_back_is_the_version_that_it_was() -> None:
    cache, services = BuildCache(), _apart(2)
    first = build(services, _GATEWAY, cache)
    build([at(services[0], 501), services[1]], _GATEWAY, cache)
    assert build(services, _GATEWAY, cache).version == first.version


def test_equal_input_is_the_same_object_of_every_type() -> None:
    cache = BuildCache()
    first = build(_apart(2), _GATEWAY, cache)
    second = build(_apart(2), _GATEWAY, cache)
    for one, two in ((first.types, second.types), (first.overlay, second.overlay)):
        assert all(two[url] is one[url] for url in one)


def test_a_new_limit_changes_the_filter_config_alone() -> None:
    one = build([service()], _GATEWAY)
    other = build([service(limits={"v1": {"requests_per_second": 5}})], _GATEWAY)
    assert {url for url in one.versions if one.versions[url] != other.versions[url]} == {EXTENSION}
    assert one.overlay == other.overlay


def test_a_weight_changes_no_limit() -> None:
    """A changed config would fill every bucket anew."""
    limited = service(limits={"candidate": {"requests_per_second": 5}})
    one, other = (build([at(limited, weight_bp)], _GATEWAY) for weight_bp in (1, 2))
    assert one.versions[EXTENSION] == other.versions[EXTENSION]


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
    assert set(cache.services) == {"a"}
    assert set(cache.upstreams.versions) == {"a/v1", "a/v2"}
    assert len(cache.table.hosts) == 1


def test_another_gateway_is_another_listener_and_another_tag_filter() -> None:
    cache = BuildCache()
    one = build([service()], _GATEWAY, cache)
    other = build([service()], replace(_GATEWAY, listen_port=9, ext_proc_message_timeout_ms=9), cache)
    assert one.versions[LISTENER] != other.versions[LISTENER]
    assert one.versions[EXTENSION] != other.versions[EXTENSION]


def _contents(cache: BuildCache) -> tuple[object, ...]:
    return cache.services, cache.upstreams, cache.edge, cache.table


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ([at(service(), 1, candidate="v9")], UnknownVersionError),
        ([at(service(), 10_001)], WeightError),
        ([service(versions=_TOKEN)], SecretFileError),
        ([service(), service("other")], SnapshotError),
    ],
    ids=["version", "weight", "secret", "clash"],
)
def test_after_an_error_the_cache_is_as_it_was(bad: list[ServiceRoute], error: type[SnapshotError]) -> None:
    cache = BuildCache()
    build([service()], _GATEWAY, cache)
    before = _contents(cache)
    with pytest.raises(error):
        build(bad, _GATEWAY, cache)
    assert all(now is then for now, then in zip(_contents(cache), before, strict=True))


def test_the_clusters_may_be_more_than_the_services_have() -> None:
    """While a version goes, its cluster stays until no proxy names it any more."""
    gone = cluster_inputs(service("gone"))
    snapshot = build([service()], _GATEWAY, clusters=[*cluster_inputs(service()), *gone])
    assert snapshot.of_type(CLUSTER).names == {"chat/v1", "chat/v2", "gone/v1", "gone/v2"}
    assert snapshot.of_type(ENDPOINT).names == snapshot.of_type(CLUSTER).names


def test_a_route_whose_cluster_is_left_out_is_refused() -> None:
    (v1, _) = cluster_inputs(service())
    with pytest.raises(MissingClusterError, match="chat/v2"):
        build([at(service(), 0)], _GATEWAY, clusters=[v1])


def test_secrets_come_from_their_files_and_a_renewed_file_changes_them_alone() -> None:
    cache, services = BuildCache(), [service(versions=_TOKEN)]
    one = build(services, _GATEWAY, cache, files={"token": b"one"})
    two = build(services, _GATEWAY, cache, files={"token": b"two"})
    assert len(one.of_type(SECRET)) == 1
    assert {url for url in one.versions if one.versions[url] != two.versions[url]} == {SECRET}


def test_a_route_to_a_cluster_that_is_not_there_is_refused() -> None:
    route = resource("services", ROUTE, b"", ("chat/v1", "chat/v3"))
    clusters = ResourceSet.of((resource("chat/v1", CLUSTER, b""),))
    with pytest.raises(MissingClusterError, match="chat/v3") as raised:
        check(Snapshot({CLUSTER: clusters, ROUTE: ResourceSet.of((route,))}))
    assert raised.value.missing == {"chat/v3"}
    assert raised.value.next_step


def test_a_virtual_host_to_a_cluster_that_is_not_there_is_refused_too() -> None:
    host = resource("services/*", VIRTUAL_HOST, b"", ("chat/v3",))
    with pytest.raises(MissingClusterError, match=r"services/\* names .* chat/v3"):
        check(Snapshot({CLUSTER: ResourceSet()}, {VIRTUAL_HOST: ResourceSet.of((host,))}))


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(SnapshotError, match="one name"):
        build([service(), service(prefix="/b/")], _GATEWAY)


def test_no_services_is_a_snapshot_too() -> None:
    """What an empty control plane publishes: a listener that answers 404."""
    snapshot = build([], _GATEWAY)
    assert len(snapshot.of_type(CLUSTER)) == 0
    assert snapshot.of_type(ROUTE).names == {"services"}
    assert len(snapshot.of_type("unknown")) == 0
