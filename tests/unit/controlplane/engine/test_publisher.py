"""Groups side by side: each its own snapshot, and of each only what concerns a service."""

from collections.abc import Mapping

import pytest

from controlplane.engine.publisher import Publisher
from controlplane.engine.routing import GroupTarget
from controlplane.rollout.events import FleetFact
from controlplane.snapshot.errors import SnapshotError
from controlplane.snapshot.model import Gateway, ServiceRoute
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.snapshot.route import service_snapshot
from controlplane.telemetry.exporter import Exporter
from tests.unit.controlplane.engine.fleet import CLUSTERS, PlayedFleet
from tests.unit.controlplane.snapshot.factory import at, service


class Story:
    def __init__(self) -> None:
        self.fleet = PlayedFleet()
        self.exporter = Exporter()
        self.publisher = Publisher(self.fleet, self.exporter, proxy_timeout_ms=30_000)  # type: ignore[arg-type]

    def head(self, now_ms: int = 0, **groups: tuple[ServiceRoute, ...]) -> None:
        self.take({name: GroupTarget(Gateway(), routes) for name, routes in groups.items()}, now_ms)

    def take(self, targets: Mapping[str, GroupTarget], now_ms: int = 0) -> None:
        self.publisher.take(self.publisher.plan(targets, {}, now_ms), {}, now_ms)


def both(name: str, weight_bp: int = 100) -> ServiceRoute:
    return at(service(name, hosts=[name]), weight_bp)


def test_each_group_gets_its_own_services() -> None:
    story = Story()
    story.head(edge=(both("chat"),), internal=(both("chat"), both("talk")))
    clusters = {name: set(snapshots[-1].of_type(CLUSTER).names) for name, snapshots in story.fleet.published.items()}
    assert clusters == {"edge": {"chat/v1", "chat/v2"}, "internal": {"chat/v1", "chat/v2", "talk/v1", "talk/v2"}}


def test_the_server_learns_which_nodes_may_join_before_it_is_given_anything() -> None:
    story = Story()
    story.take({"edge": GroupTarget(Gateway(), (both("chat"),), nodes=("edge-*",))})
    assert story.fleet.book.groups == {"edge": ("edge-*",)}


def test_a_rollout_sees_the_proxies_of_the_groups_that_serve_it_and_no_others() -> None:
    story = Story()
    story.head(edge=(both("chat"),), internal=(both("talk"),))
    story.fleet.connect("e1", group="edge")
    story.fleet.connect("i1", "i2", group="internal")
    story.fleet.reject("i1", ROUTE, "nonsense", group="internal")
    assert story.publisher.fleet_fact("chat") == FleetFact(connected=1, waiting=("e1",))
    assert story.publisher.fleet_fact("talk") == FleetFact(2, waiting=("i1", "i2"), rejections=("i1: nonsense",))
    assert story.publisher.connected_nodes("chat") == ("e1",)
    assert story.publisher.connected_nodes() == ("e1", "i1", "i2")
    assert [(group, node) for group, node, _ in story.publisher.rejections("talk")] == [("internal", "i1")]
    assert story.publisher.rejections("chat") == []


def test_a_service_of_two_groups_is_in_force_when_both_have_it() -> None:
    story = Story()
    story.head(edge=(both("chat"),), internal=(both("chat"),))
    story.fleet.connect("e1", group="edge")
    story.fleet.connect("i1", group="internal")
    story.fleet.accept("e1", group="edge")
    assert story.publisher.fleet_fact("chat") == FleetFact(connected=2, waiting=("i1",))
    story.fleet.accept("i1", group="internal")
    assert story.publisher.fleet_fact("chat") == FleetFact(connected=2)


def test_what_a_service_waits_for_is_named() -> None:
    story = Story()
    story.head(edge=(both("talk"),))
    story.fleet.connect("e1", group="edge")
    story.fleet.accept("e1", group="edge")
    story.head(edge=(both("talk"), both("chat")))
    fact = story.publisher.fleet_fact("chat")
    assert fact == FleetFact(connected=1, waiting=("e1",), warming=("chat/v1", "chat/v2"))
    assert story.publisher.fleet_fact("talk") == FleetFact(connected=1)


def test_an_error_in_one_group_leaves_all_of_them_as_they_were() -> None:
    story = Story()
    story.head(edge=(both("chat"),), internal=(both("chat"),))
    with pytest.raises(SnapshotError, match="weights"):
        story.head(edge=(both("chat", 200),), internal=(both("chat", -1),))
    assert {name: len(sent) for name, sent in story.fleet.published.items()} == {"edge": 1, "internal": 1}


def test_a_group_that_is_gone_is_served_no_longer() -> None:
    story = Story()
    story.head(edge=(both("chat"),), internal=(both("chat"),))
    story.head(edge=(both("chat"),))
    assert story.publisher.groups.keys() == story.fleet.book.groups.keys() == {"edge"}


def test_the_time_until_a_group_has_a_change_is_measured() -> None:
    story = Story()
    story.head(edge=(both("chat"),))
    story.fleet.connect("e1", group="edge")
    story.fleet.accept("e1", group="edge")
    story.publisher.tick(0)
    story.head(1_000, edge=(both("chat", 200),))
    story.fleet.accept("e1", group="edge")
    story.publisher.tick(1_250)
    assert b"serinus_xds_propagation_seconds_sum 0.25" in story.exporter.text()


def test_the_revision_of_a_services_routes_is_that_of_its_target() -> None:
    """Outcomes under an older one, which may still be in force, are of an older weight."""
    story = Story()
    story.head(edge=(both("chat", 100),))
    story.fleet.connect("e1", group="edge")
    story.head(edge=(both("chat", 200),))
    assert story.publisher.route_snapshot("chat") == service_snapshot(both("chat", 200))
    assert story.publisher.route_snapshot("nope") == ""


def test_a_node_is_shown_with_the_version_of_routes_that_it_runs_beside_the_published_one() -> None:
    story = Story()
    story.head(edge=(both("chat"),))
    story.fleet.connect("e1", group="edge")
    published = story.fleet.published["edge"][-1].versions[ROUTE]
    assert story.publisher.route_versions("edge", story.fleet.fleet("edge").nodes["e1"]) == ("", published)
    story.fleet.accept("e1", group="edge", types=(*CLUSTERS, ROUTE))
    assert story.publisher.route_versions("edge", story.fleet.fleet("edge").nodes["e1"]) == (published, published)


def test_groups_with_the_same_services_share_what_was_built_and_nothing_of_another_listener() -> None:
    story = Story()
    routes = (both("chat"), both("talk"))
    targets = {
        "edge": GroupTarget(Gateway(listen_port=80), routes),
        "internal": GroupTarget(Gateway(listen_port=90), routes),
        "small": GroupTarget(Gateway(listen_port=70), routes[:1]),
    }
    story.take(targets)
    edge, internal, small = (story.fleet.published[name][-1] for name in targets)
    assert internal.of_type(CLUSTER) is edge.of_type(CLUSTER)
    assert internal.of_type(ROUTE).version == edge.of_type(ROUTE).version
    assert len({snapshot.of_type(LISTENER).version for snapshot in (edge, internal, small)}) == 3
    assert small.of_type(CLUSTER).names == {"chat/v1", "chat/v2"}
    for name, target in targets.items():
        alone = Story()
        alone.take({name: target})
        assert alone.fleet.published[name][-1].version == story.fleet.published[name][-1].version
