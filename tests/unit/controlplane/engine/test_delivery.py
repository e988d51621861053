"""A world on its way to proxies and sidecars."""

import pytest

from controlplane.engine.delivery import Delivery
from controlplane.engine.publisher import Publisher
from controlplane.engine.secrets import Reading
from controlplane.engine.world import World, plan_apply
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import Manifest, load
from controlplane.snapshot.errors import SecretFileError
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import ROUTE, SECRET
from controlplane.telemetry.exporter import Exporter
from tests.unit.controlplane.engine.fleet import PlayedFleet
from tests.unit.controlplane.manifest.samples import SERVICE

WITH_TOKEN = SERVICE.replace(
    '["127.0.0.1:8002"], health: {path: /health}', '["127.0.0.1:8002"], auth: {file: chat/token}'
)


class Story:
    def __init__(self) -> None:
        self.fleet = PlayedFleet()
        publisher = Publisher(self.fleet, Exporter(), proxy_timeout_ms=30_000)  # type: ignore[arg-type]
        self.delivery = Delivery(publisher, Gateway())
        self.world = World()

    def apply(self, text: str, read: Reading) -> tuple[str, ...]:
        manifests = load([("chat.yaml", text)])
        world = plan_apply(self.world, manifests, 0).world
        planned = self.delivery.plan_apply(world, manifests, read, 0)
        self.world = world
        return self.delivery.take(world, planned, 0)

    def manifests(self, text: str) -> list[Manifest]:
        return load([("chat.yaml", text)])


def token(content: bytes) -> Reading:
    return Reading({"chat/token": content})


MISSING = Reading(faults={"chat/token": "secret file chat/token cannot be read: no such file"})


def test_a_manifest_that_names_a_file_which_cannot_be_read_is_refused_at_its_line() -> None:
    story = Story()
    with pytest.raises(ManifestError, match=r"chat.yaml:11: .*auth.*: secret file chat/token cannot be read"):
        story.apply(WITH_TOKEN, MISSING)
    assert story.fleet.published == {}


def test_a_manifest_that_names_a_file_with_nonsense_in_it_is_refused_at_its_line() -> None:
    story = Story()
    with pytest.raises(ManifestError, match=r"chat.yaml:11: .*chat/token.*") as caught:
        story.apply(WITH_TOKEN, token(b"two\nlines"))
    assert "two" not in str(caught.value)
    assert story.fleet.published == {}


@pytest.mark.parametrize("read", [MISSING, token(b"two\nlines")])
def test_a_manifest_is_refused_for_a_bad_file_although_an_older_content_would_still_serve(read: Reading) -> None:
    story = Story()
    story.apply(WITH_TOKEN, token(b"T1"))
    with pytest.raises(ManifestError, match=r"chat.yaml:11: .*chat/token"):
        story.apply(WITH_TOKEN.replace("prefix: /v1/", "prefix: /v2/"), read)
    assert len(story.fleet.published["default"]) == 1


def test_another_services_lost_file_does_not_keep_a_manifest_out() -> None:
    story = Story()
    story.apply(WITH_TOKEN, token(b"T1"))
    other = SERVICE.replace("name: chat}", "name: talk}").replace('hosts: ["*"]', "hosts: [talk]")
    assert story.apply(other, MISSING) == ("secret file chat/token cannot be read: no such file",)
    assert len(story.fleet.published["default"][-1].of_type(SECRET)) == 1


def test_a_renewed_file_moves_the_secret_alone() -> None:
    story = Story()
    story.apply(WITH_TOKEN, token(b"T1"))
    story.delivery.take(story.world, story.delivery.plan(story.world, token(b"T2"), 0), 0)
    before, after = story.fleet.published["default"]
    changed = {kind for kind in after.types if after.types[kind] != before.types[kind]}
    assert changed == {SECRET}
    assert b"T2" in next(iter(after.of_type(SECRET))).body


def test_a_start_without_a_file_that_is_needed_says_which() -> None:
    story = Story()
    world = plan_apply(World(), story.manifests(WITH_TOKEN), 0).world
    with pytest.raises(SecretFileError, match="chat/token"):
        story.delivery.plan(world, MISSING, 0)


def test_a_world_is_brought_once_and_again_only_when_it_is_another() -> None:
    story = Story()
    world = plan_apply(World(), story.manifests(SERVICE), 0).world
    story.delivery.bring(world, 0)
    snapshot = story.delivery.publisher.groups["default"].snapshot
    story.delivery.bring(world, 0)
    assert story.delivery.publisher.groups["default"].snapshot is snapshot, "not even built again"
    moved = plan_apply(world, story.manifests(SERVICE.replace("baseline: v1", "baseline: v2")), 0).world
    story.delivery.bring(moved, 0)
    first, second = story.fleet.published["default"]
    assert first.versions[ROUTE] != second.versions[ROUTE]
    assert story.delivery.policies.policy.services[0].baseline == "v2"


def test_the_files_of_a_cluster_that_is_about_to_go_are_still_read() -> None:
    story = Story()
    story.apply(WITH_TOKEN, token(b"T1"))
    story.fleet.connect("edge-1")
    story.fleet.accept("edge-1")
    story.apply(SERVICE, token(b"T1"))
    without_v2 = SERVICE.replace('    - {name: v2, endpoints: ["127.0.0.1:8002"], health: {path: /health}}\n', "")
    story.apply(WITH_TOKEN.replace("baseline: v1", "baseline: v2"), token(b"T1"))
    story.fleet.accept("edge-1")
    story.apply(without_v2, token(b"T1"))
    assert story.delivery.files_of(story.world) == {"chat/token"}
