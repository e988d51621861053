"""Which proxies run a service's routes, whatever was published since."""

from controlplane.engine.reach import Reach
from controlplane.snapshot.assemble import build
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.model import Gateway, ServiceRoute
from controlplane.snapshot.resource import ROUTE, VIRTUAL_HOST, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from tests.unit.controlplane.engine.fleet import ROUTES, PlayedFleet
from tests.unit.controlplane.snapshot.factory import at, service


class Story:
    def __init__(self, mode: Mode = Mode.SOTW) -> None:
        self.fleet = PlayedFleet()
        self.fleet.connect("edge-1", "edge-2", mode=mode)
        self.reach = Reach()

    def publish(self, *routes: ServiceRoute, snapshot: Snapshot | None = None) -> None:
        snapshot = snapshot or build(routes, Gateway())
        self.fleet.publish("default", snapshot)
        self.reach.publish(snapshot, {route.name: route for route in routes})

    def waiting_for(self, name: str) -> tuple[str, ...]:
        return self.reach.waiting_for(name, self.fleet.fleet("default"))


def routes(chat_bp: int, talk_bp: int) -> tuple[ServiceRoute, ServiceRoute]:
    return at(service("chat", hosts=["chat"]), chat_bp), at(service("talk", hosts=["talk"]), talk_bp)


def test_a_service_waits_for_the_proxies_that_have_not_taken_its_routes() -> None:
    story = Story()
    story.publish(*routes(100, 100))
    assert story.waiting_for("chat") == ("edge-1", "edge-2")
    story.fleet.accept("edge-2", types=ROUTES)
    assert story.waiting_for("chat") == ("edge-1",)
    story.fleet.accept("edge-1", types=ROUTES)
    assert story.waiting_for("chat") == story.waiting_for("talk") == ()


def test_a_service_does_not_wait_for_what_was_published_for_another() -> None:
    story = Story()
    story.publish(*routes(100, 100))
    story.fleet.accept("edge-1", "edge-2", types=ROUTES)
    story.publish(*routes(100, 200))
    assert story.waiting_for("chat") == ()
    assert story.waiting_for("talk") == ("edge-1", "edge-2")


def test_a_proxy_that_lags_behind_is_waited_for_by_those_it_has_not_got() -> None:
    story = Story()
    story.publish(*routes(100, 100))
    story.publish(*routes(200, 100))
    story.publish(*routes(200, 200))
    story.fleet.accept("edge-1", types=ROUTES, back=1)
    story.fleet.accept("edge-2", types=ROUTES)
    assert story.waiting_for("chat") == ()
    assert story.waiting_for("talk") == ("edge-1",)


def test_a_content_that_comes_back_is_in_force_where_it_never_left() -> None:
    """Versions are hashes: a proxy that still runs what is published again has got it."""
    story = Story()
    story.publish(*routes(100, 100))
    story.fleet.accept("edge-1", "edge-2", types=ROUTES)
    story.publish(*routes(200, 100))
    story.fleet.accept("edge-2", types=ROUTES)
    story.publish(*routes(100, 100))
    assert story.waiting_for("chat") == ("edge-2",)


def test_what_a_proxy_brings_from_elsewhere_counts_as_nothing() -> None:
    story = Story()
    foreign = build(routes(900, 900), Gateway())
    story.fleet.publish("default", foreign)
    story.fleet.accept("edge-1", "edge-2", types=ROUTES)
    story.publish(*routes(100, 100))
    assert story.waiting_for("chat") == ("edge-1", "edge-2")


def test_a_service_that_was_never_published_waits_for_everyone() -> None:
    story = Story()
    assert story.waiting_for("chat") == ("edge-1", "edge-2")
    story.publish(*routes(100, 100))
    assert story.waiting_for("sing") == ("edge-1", "edge-2")


def test_an_incremental_proxy_has_it_with_its_virtual_hosts() -> None:
    """It gets routes in another cut: the shell of the configuration, which stays, and virtual hosts, which move."""
    story = Story(Mode.DELTA)
    for weight in (b"1", b"2"):
        types = {ROUTE: ResourceSet.of([resource("services", ROUTE, b"all" + weight)])}
        overlay = {
            ROUTE: ResourceSet.of([resource("services", ROUTE, b"shell")]),
            VIRTUAL_HOST: ResourceSet.of([resource("services/chat", VIRTUAL_HOST, weight)]),
        }
        story.publish(*routes(int(weight), 0), snapshot=Snapshot(types, overlay))
        assert story.waiting_for("chat") == ("edge-1", "edge-2")
        story.fleet.accept("edge-1", types=(ROUTE,))
        assert story.waiting_for("chat") == ("edge-1", "edge-2")
        story.fleet.accept("edge-1", "edge-2")
        assert story.waiting_for("chat") == ()
