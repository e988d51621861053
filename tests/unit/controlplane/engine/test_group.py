"""One group's way to its target, gated on its fleet and on time."""

from dataclasses import replace

import pytest

from controlplane.engine.group import Group
from controlplane.engine.routing import GroupTarget
from controlplane.snapshot.errors import SnapshotError
from controlplane.snapshot.model import Gateway, ServiceRoute
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.snapshot.snapshot import Snapshot
from tests.unit.controlplane.engine.fleet import CLUSTERS, ROUTES, PlayedFleet
from tests.unit.controlplane.snapshot.factory import at, service

TIMEOUT_MS = 30_000


class Story:
    def __init__(self, *routes: ServiceRoute) -> None:
        self.fleet = PlayedFleet()
        self.group = Group("default", self.fleet, proxy_timeout_ms=TIMEOUT_MS)  # type: ignore[arg-type]
        self.head(*routes)

    def head(self, *routes: ServiceRoute, now_ms: int = 0, gateway: Gateway | None = None) -> None:
        target = GroupTarget(gateway or Gateway(), routes)
        self.group.take(self.group.plan(target, {}, now_ms), now_ms)

    def tick(self, now_ms: int = 0) -> int | None:
        return self.group.tick({}, now_ms)

    @property
    def last(self) -> Snapshot:
        return self.fleet.published["default"][-1]

    @property
    def count(self) -> int:
        return len(self.fleet.published["default"])

    def clusters(self) -> set[str]:
        return set(self.last.of_type(CLUSTER).names)

    def named(self) -> set[str]:
        return set(self.last.of_type(ROUTE).clusters)


def only(name: str, version: str) -> ServiceRoute:
    versions = [{"name": version, "endpoints": ["127.0.0.1:8001"]}]
    return service(name, hosts=[name], versions=versions, baseline=version)


def both(name: str, weight_bp: int) -> ServiceRoute:
    return at(service(name, hosts=[name]), weight_bp)


def test_with_nobody_connected_the_target_goes_out_at_once() -> None:
    story = Story(only("chat", "v1"))
    story.head(only("chat", "v2"))
    assert (story.clusters(), story.named(), story.count) == ({"chat/v2"}, {"chat/v2"}, 2)


def test_a_route_waits_until_every_proxy_of_the_group_has_its_cluster_warm() -> None:
    story = Story(only("chat", "v1"))
    story.fleet.connect("edge-1", "edge-2")
    story.fleet.accept("edge-1", "edge-2")
    story.head(only("chat", "v2"))
    assert (story.clusters(), story.named()) == ({"chat/v1", "chat/v2"}, {"chat/v1"})
    story.fleet.accept("edge-1", types=CLUSTERS)
    story.tick()
    assert story.named() == {"chat/v1"}
    story.fleet.accept("edge-2", types=CLUSTERS)
    story.tick()
    assert (story.clusters(), story.named()) == ({"chat/v1", "chat/v2"}, {"chat/v2"})
    story.fleet.accept("edge-1", types=ROUTES)
    story.tick()
    assert "chat/v1" in story.clusters(), "edge-2 still runs the route to it"
    story.fleet.accept("edge-2", types=ROUTES)
    story.tick()
    assert story.clusters() == {"chat/v2"}


def test_a_proxy_that_is_slow_holds_the_others_up_no_longer_than_its_time() -> None:
    story = Story(only("chat", "v1"))
    story.fleet.connect("edge-1", "slow")
    story.fleet.accept("edge-1", "slow")
    story.head(only("chat", "v2"), now_ms=1_000)
    story.fleet.accept("edge-1")
    story.tick(1_000 + TIMEOUT_MS - 1)
    assert story.named() == {"chat/v1"}
    story.tick(1_000 + TIMEOUT_MS)
    assert story.named() == {"chat/v2"}
    story.fleet.accept("edge-1")
    story.tick(1_000 + 2 * TIMEOUT_MS - 1)
    assert story.clusters() == {"chat/v1", "chat/v2"}
    story.tick(1_000 + 2 * TIMEOUT_MS)
    assert story.clusters() == {"chat/v2"}


def test_the_time_of_a_cluster_runs_on_while_other_things_are_published() -> None:
    """A fleet in which something moves every second must not keep a new cluster waiting for ever."""
    story = Story(only("chat", "v1"), both("talk", 100))
    story.fleet.connect("slow")
    for second in range(31):
        story.head(only("chat", "v2"), both("talk", second), now_ms=1_000 * second)
        story.tick(1_000 * second)
    assert "chat/v2" in story.named()


def test_a_proxy_that_refuses_a_cluster_keeps_every_route_from_it() -> None:
    """A route that it cannot follow would keep all later ones from it too: also the one that rolls another back."""
    story = Story(only("chat", "v1"), both("talk", 5_000))
    story.fleet.connect("edge-1")
    story.fleet.accept("edge-1")
    story.head(only("chat", "v2"), both("talk", 5_000))
    story.fleet.reject("edge-1", CLUSTER, "no such TLS context")
    story.tick(10 * TIMEOUT_MS)
    assert "chat/v2" not in story.named()
    story.head(only("chat", "v2"), both("talk", 0), now_ms=10 * TIMEOUT_MS)
    assert story.group.waiting_for("talk") == (frozenset(), ("edge-1",))
    story.fleet.accept("edge-1", types=ROUTES)
    assert story.group.waiting_for("talk") == (frozenset(), ())


def test_a_refused_cluster_keeps_no_other_from_its_route() -> None:
    story = Story(only("chat", "v1"), only("talk", "v1"))
    story.fleet.connect("edge-1", "edge-2")
    story.fleet.accept("edge-1", "edge-2")
    story.head(only("chat", "v2"), only("talk", "v2"))
    story.fleet.reject("edge-1", CLUSTER, "Error adding/updating cluster(s) chat/v2: no such TLS context")
    story.tick(TIMEOUT_MS)
    assert story.named() == {"chat/v1", "talk/v2"}


def test_a_service_does_not_wait_for_the_clusters_of_another() -> None:
    """A rollback is in force when its own route is, whatever else warms."""
    story = Story(only("chat", "v1"), both("talk", 5_000))
    story.fleet.connect("edge-1")
    story.fleet.accept("edge-1")
    story.head(only("chat", "v2"), both("talk", 5_000))
    story.head(only("chat", "v2"), both("talk", 0))
    assert story.group.waiting_for("talk") == (frozenset(), ("edge-1",))
    story.fleet.accept("edge-1", types=ROUTES)
    assert story.group.waiting_for("talk") == (frozenset(), ())
    assert story.group.waiting_for("chat") == (frozenset({"chat/v2"}), ("edge-1",))


def test_the_last_proxy_that_leaves_takes_the_reasons_to_wait_with_it() -> None:
    story = Story(only("chat", "v1"))
    story.fleet.connect("edge-1")
    story.fleet.accept("edge-1")
    story.head(only("chat", "v2"))
    story.fleet.leave("edge-1")
    story.tick()
    assert (story.clusters(), story.named()) == ({"chat/v2"}, {"chat/v2"})


def test_the_time_from_a_change_to_its_last_acceptance_is_told_once() -> None:
    story = Story(both("chat", 100))
    story.fleet.connect("edge-1", "edge-2")
    story.fleet.accept("edge-1", "edge-2")
    story.head(both("chat", 200), now_ms=1_000)
    story.fleet.accept("edge-1")
    assert story.tick(1_100) is None
    story.fleet.accept("edge-2")
    assert story.tick(1_250) == 250
    assert story.tick(1_300) is None


def test_a_proxy_that_comes_later_was_not_waited_for() -> None:
    story = Story(both("chat", 100))
    assert story.tick(0) is None
    story.fleet.connect("edge-1")
    story.fleet.accept("edge-1")
    assert story.tick(60_000) is None


def test_the_same_target_again_is_not_published_again() -> None:
    story = Story(both("chat", 100))
    story.head(both("chat", 100))
    assert story.count == 1


def test_a_listener_moves_with_the_group() -> None:
    story = Story(both("chat", 100))
    before = story.last
    story.head(both("chat", 100), gateway=Gateway(listen_port=9090))
    assert story.last.versions[LISTENER] != before.versions[LISTENER]
    assert story.last.versions[ROUTE] == before.versions[ROUTE]


def test_what_is_wrong_with_a_target_is_told_before_it_can_go_out() -> None:
    """Its routes would go out in a minute, when the cluster is warm; the operator is here now."""
    story = Story(only("chat", "v1"))
    story.fleet.connect("edge-1")
    story.fleet.accept("edge-1")
    bad = at(only("chat", "v2"), 10_001, candidate="v2")
    with pytest.raises(SnapshotError, match="weights"):
        story.head(bad)
    assert story.count == 1
    assert story.group.route("chat") == only("chat", "v1")


def test_a_service_that_is_new_is_waited_for_with_its_cluster_by_name() -> None:
    story = Story(only("chat", "v1"))
    story.fleet.connect("edge-1", "edge-2")
    story.fleet.accept("edge-1", "edge-2")
    story.head(only("chat", "v1"), only("talk", "v1"))
    story.fleet.accept("edge-2")
    assert story.group.waiting_for("talk") == (frozenset({"talk/v1"}), ("edge-1",))


def test_a_proxy_under_a_changed_spec_gets_the_weights_that_need_nothing_new() -> None:
    story = Story(both("chat", 5_000))
    story.fleet.connect("edge-1")
    story.fleet.accept("edge-1")
    more = service("chat", hosts=["chat"], versions=[*_VERSIONS, {"name": "v3", "endpoints": ["127.0.0.1:8003"]}])
    story.head(replace(both("chat", 0), spec=more.spec))
    assert story.group.waiting_for("chat") == (frozenset(), ("edge-1",))
    assert "chat/v3" in story.clusters()


_VERSIONS = [{"name": name, "endpoints": [f"127.0.0.1:800{name[1]}"]} for name in ("v1", "v2")]
