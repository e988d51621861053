"""What one client may do to the server and to the others: nothing. On a real gRPC channel."""

import grpc
import pytest

from controlplane.snapshot.resource import CLUSTER, LISTENER
from controlplane.snapshot.snapshot import Snapshot
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.ads_client import GROUP, Control, run
from tests.unit.controlplane.xds.factory import snapshot


def test_a_missing_type_is_an_error_and_one_that_is_not_served_disturbs_nobody() -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        await stream.ask("type.googleapis.com/envoy.service.runtime.v3.Runtime")
        await stream.start()
        await stream.ask("")
        assert (await stream.ended_with())[0] is grpc.StatusCode.INVALID_ARGUMENT

    run(story)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (b"\0" * 5_000_000, grpc.StatusCode.INVALID_ARGUMENT),
        (b"\0" * 17_000_000, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=["garbage", "5 MB", "17 MB"],
)
def test_garbage_and_over_long_requests_end_that_stream_alone(data: bytes, code: grpc.StatusCode) -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        other = control.stream("other")
        await other.start()
        bad = control.stream("bad")
        await bad.call.write(data)
        assert (await bad.ended_with())[0] is code
        control.publish(snapshot(listener="2"))
        assert (await other.answer()).type_url == LISTENER

    run(story)


def test_a_node_that_goes_is_told_to_the_engine() -> None:
    async def story(control: Control) -> None:
        changes = []
        control.ads.on_change = lambda: changes.append(len(control.fleet.connected))
        control.publish(snapshot())
        stream = control.stream()
        await stream.start()
        await control.until(lambda: control.fleet.has_accepted(snapshot()))
        await stream.call.done_writing()
        await control.until(lambda: control.ads.stream_count == 0)
        assert changes[-1] == 0
        assert not control.fleet.nodes["envoy-1"].is_connected

    run(story)


def test_a_stream_that_does_not_read_delays_nobody_and_holds_one_push() -> None:
    """Flow control: a client that stopped reading has one response under way and the newest snapshot behind it."""

    async def story(control: Control) -> None:
        control.publish(_large(0))
        stuck = control.call()
        await stuck.write(
            pb.DiscoveryRequest(type_url=CLUSTER, node=pb.Node(id="stuck", cluster=GROUP)).SerializeToString()
        )
        reader = control.stream("reader")
        response = await reader.accepted(CLUSTER)
        for number in range(1, 20):
            control.publish(_large(number))
            response = await reader.answer()
            await reader.ack(response)
        assert response.version_info == _large(19).versions[CLUSTER]
        assert control.ads.pushes_total[CLUSTER] <= 20 + 1

    run(story)


def test_a_stream_that_is_stuck_in_a_write_is_dropped() -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot({"c": "x" * 64_000_000}, routes={}))
        stuck = control.call()
        await stuck.write(
            pb.DiscoveryRequest(type_url=CLUSTER, node=pb.Node(id="stuck", cluster=GROUP)).SerializeToString()
        )
        await control.until(lambda: control.ads.stream_count == 1)
        await control.until(lambda: control.ads.stream_count == 0)
        assert not control.fleet.nodes["stuck"].is_connected

    run(story, write_timeout_s=0.2)


def _large(number: int) -> Snapshot:
    """1 MB of clusters, above any window of HTTP/2 that is not read from."""
    return snapshot({f"c{number}": "x" * 1_000_000}, routes={})
