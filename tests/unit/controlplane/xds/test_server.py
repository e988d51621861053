"""The obligations of an xDS server, state of the world, on a real gRPC channel. Each test quotes its rule.

Sources: the xDS protocol description of Envoy; what stands in quotes is in its words.
"""

import grpc
import pytest

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, LISTENER, ROUTE
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.ads_client import FRESH, Control, run
from tests.unit.controlplane.xds.factory import snapshot


def count_of(response: pb.DiscoveryResponse) -> int:
    return len(response.resources)


def test_until_the_first_publish_nothing_is_answered() -> None:
    """An empty response would delete what a running Envoy has."""

    async def story(control: Control) -> None:
        stream = control.stream()
        await stream.ask(CLUSTER)
        assert await stream.is_silent()
        assert [view.node.node_id for view in control.fleet.connected] == ["envoy-1"]

    run(story)


def test_a_publish_answers_the_requests_that_wait() -> None:
    async def story(control: Control) -> None:
        stream = control.stream()
        await stream.ask(CLUSTER)
        await control.until(lambda: control.ads.stream_count == 1)
        control.publish(snapshot())
        assert (await stream.answer()).type_url == CLUSTER

    run(story)


def test_a_response_says_version_nonce_type_and_control_plane() -> None:
    """DiscoveryResponse: version_info, nonce, type_url, control_plane.identifier."""

    async def story(control: Control) -> None:
        target = snapshot("a b")
        control.publish(target)
        responses = await control.stream().start()
        assert responses[CLUSTER].version_info == target.versions[CLUSTER]
        assert responses[CLUSTER].control_plane.identifier == "serinus"
        assert {any_.type_url for any_ in responses[CLUSTER].resources} == {CLUSTER}
        assert len({response.nonce for response in responses.values()}) == 3

    run(story)


def test_an_ack_is_not_answered_and_is_booked() -> None:
    """ACK: "the client … echoes the nonce with the new version"; nothing has changed, so nothing is sent."""

    async def story(control: Control) -> None:
        target = snapshot()
        control.publish(target)
        stream = control.stream()
        await stream.start()
        assert await stream.is_silent()
        assert control.fleet.has_accepted(target)

    run(story)


def test_the_same_content_published_again_sends_nothing() -> None:
    """ "the management server should not send a DiscoveryResponse … unless something has changed"."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        await stream.start()
        control.publish(snapshot())
        assert await stream.is_silent()

    run(story)


def test_a_nacked_response_is_not_sent_again_until_its_content_changes() -> None:
    """NACK: the client keeps the last good version; re-sending what it refused is needless work."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b", routes="a"))
        stream = control.stream()
        good = await stream.start()
        control.publish(snapshot("a b", routes="b"))
        refused = await stream.answer()
        await stream.nack(refused, good[ROUTE].version_info, "Sum of weights must be greater than 0.")
        control.publish(snapshot("a b", routes="b"))
        assert await stream.is_silent()
        ((node_id, nack),) = control.fleet.nacks()
        assert (node_id, nack.type_url, nack.message) == ("envoy-1", ROUTE, "Sum of weights must be greater than 0.")
        assert control.ads.nacks_total[ROUTE] == 1
        better = snapshot("a b", routes="a b")
        control.publish(better)
        await stream.ack(await stream.answer())
        await control.until(lambda: control.fleet.has_accepted(better))
        assert control.fleet.nacks() == ()

    run(story)


def test_a_request_with_a_stale_nonce_is_ignored() -> None:
    """ "Requests with a stale nonce are not answered": the newest request of a type is the one that counts."""

    async def story(control: Control) -> None:
        control.publish(snapshot(listener="1"))
        stream = control.stream()
        first = (await stream.start())[LISTENER]
        control.publish(snapshot(listener="2"))
        second = await stream.answer()
        await stream.ack(first)
        assert await stream.is_silent()
        assert not control.fleet.has_accepted(snapshot(listener="2"))
        await stream.ack(second)
        await control.until(lambda: control.fleet.has_accepted(snapshot(listener="2")))

    run(story)


@pytest.mark.parametrize("names", [(), ("*",)])
def test_a_wildcard_gets_every_cluster(names: tuple[str, ...]) -> None:
    """ "either a first request with no resource names, or the special name *"."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b c"))
        stream = control.stream()
        assert count_of(await stream.accepted(CLUSTER, *names)) == 3

    run(story)


def test_after_an_explicit_name_an_empty_list_means_nothing() -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        stream = control.stream()
        response = await stream.accepted(CLUSTER, "a")
        assert count_of(response) == 1
        await stream.ask(CLUSTER, version=response.version_info, nonce=response.nonce)
        control.publish(snapshot("a b c"))
        assert await stream.is_silent()

    run(story)


def test_each_response_of_a_full_state_type_is_the_full_state() -> None:
    """LDS, CDS: "absence of a resource … means that it has been deleted"."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        stream = control.stream()
        await stream.start()
        control.publish(snapshot("a"))
        assert count_of(await stream.answer()) == 1

    run(story)


def test_a_name_that_does_not_exist_yet_is_sent_when_it_appears() -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        await stream.accepted(CLUSTER)
        await stream.ask(ROUTE, "later")
        assert await stream.is_silent()
        control.publish(snapshot(routes={"services": "a", "later": "a"}))
        assert count_of(await stream.answer()) == 1

    run(story)


def test_the_node_is_needed_in_the_first_request_only() -> None:
    """ "only the first request on a stream is guaranteed to carry the node identifier"."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        await control.stream().start()
        nameless = control.stream(node_id="")
        await nameless.ask(CLUSTER)
        code, details = await nameless.ended_with()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "node.id" in details

    run(story)


def test_clusters_come_before_routes_and_routes_wait_for_their_acceptance() -> None:
    """Eventual consistency: CDS, EDS, LDS, RDS; and no route before its cluster is warm."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a", routes="a"))
        stream = control.stream()
        await stream.start()
        control.publish(snapshot("b", routes="b"))
        clusters = await stream.answer()
        assert (clusters.type_url, count_of(clusters)) == (CLUSTER, 2)
        assert await stream.is_silent()
        await stream.ack(clusters)
        routes = await stream.answer()
        assert routes.type_url == ROUTE
        await stream.ack(routes)
        assert await stream.is_silent(), "a request under way may still ask for the cluster"
        last = await stream.answer()
        assert (last.type_url, count_of(last)) == (CLUSTER, 1)

    run(story, cluster_linger_s=0.5)


def test_a_reconnect_with_clusters_last_gets_only_what_changed_and_routes_after_clusters() -> None:
    """Envoy 1.40 was seen to ask EDS, LDS, RDS, CDS on a reconnect, with the versions that it has."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a", routes="a"))
        before = await control.stream().start()
        control.publish(snapshot("a b", routes="b"))
        again = control.stream()
        await again.ask(ENDPOINT, "a", version="of before")
        await again.ask(LISTENER, version=before[LISTENER].version_info)
        await again.ask(ROUTE, "services", version=before[ROUTE].version_info)
        assert await again.is_silent()
        await again.ask(CLUSTER, version=before[CLUSTER].version_info)
        clusters = await again.answer()
        assert clusters.type_url == CLUSTER
        await again.ack(clusters)
        assert (await again.answer()).type_url == ROUTE

    run(story)


def test_a_reconnect_to_the_same_content_is_sent_nothing_and_counts_as_accepted() -> None:
    """Versions are of the type and survive streams; a restarted control plane has the same ones."""

    async def first(control: Control) -> None:
        control.publish(snapshot())
        versions.update({url: r.version_info for url, r in (await control.stream().start()).items()})

    async def restarted(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        for url, names in FRESH:
            await stream.ask(url, *names, version=versions[url])
        assert await stream.is_silent()
        assert control.fleet.has_accepted(snapshot())

    versions: dict[str, str] = {}
    run(first)
    run(restarted)
