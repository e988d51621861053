"""What a client brings is recognised by what was sent of late, and by nothing when its word cannot be relied upon."""

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER
from controlplane.xds.events import DeltaRequest, Node, Rejected, Request
from controlplane.xds.group import Group
from tests.unit.controlplane.xds.factory import snapshot

NODE = Node("envoy-1", "edge")
OLD, NEW = snapshot("a", "a"), snapshot({"a": "2"}, "a")


def group() -> Group:
    served = Group()
    served.publish(OLD)
    served.publish(NEW)
    return served


def test_a_version_of_before_is_what_was_sent_under_it() -> None:
    held = OLD.of_type(CLUSTER)
    request = group().recognised(Request(CLUSTER, version=held.version), NODE)
    assert isinstance(request, Request)
    assert request.brought is held


def test_incremental_versions_are_resources_and_the_newest_ones_the_very_set_in_force() -> None:
    for published in (OLD, NEW):
        held = published.of_type(CLUSTER)
        request = group().recognised(DeltaRequest(CLUSTER, initial={item.name: item.version for item in held}), NODE)
        assert isinstance(request, DeltaRequest)
        assert request.brought == held
        assert (request.brought is held) == (published is NEW)


def test_nothing_is_made_of_a_client_that_brings_nothing() -> None:
    request = DeltaRequest(CLUSTER)
    assert group().recognised(request, NODE) is request


def test_before_the_first_publication_nobody_knows_what_is_brought() -> None:
    request = Group().recognised(DeltaRequest(LISTENER, initial={"gateway": "1"}), NODE)
    assert isinstance(request, DeltaRequest)
    assert request.brought is not None
    assert request.brought.has_opaque


def test_after_a_refusal_the_word_of_a_client_on_its_clusters_is_not_taken() -> None:
    served = group()
    served.fleet.opened(1, NODE, Mode.DELTA, 0)
    served.fleet.answered(1, NODE.node_id, Rejected(CLUSTER, NEW.of_type(CLUSTER).version, "no"))
    versions = {item.name: item.version for item in OLD.of_type(CLUSTER)}
    request = served.recognised(DeltaRequest(CLUSTER, initial=versions), NODE)
    assert isinstance(request, DeltaRequest)
    assert request.brought is not None
    assert [(item.name, item.is_opaque, item.version) for item in request.brought] == [("a", True, "")]
