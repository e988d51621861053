"""What one client may do to the server and to the others: nothing (row 27 of docs/xds.md, and its bounds)."""

import asyncio

import grpc
import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER
from controlplane.snapshot.snapshot import Snapshot
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.ads_client import GROUP, Control, run
from tests.unit.controlplane.xds.factory import snapshot

_PUSHES = 30
_MODES = pytest.mark.parametrize("mode", list(Mode))


def _large(number: int) -> Snapshot:
    """1 MB of clusters, above any window of HTTP/2 that is not read from."""
    return snapshot({f"c{number}": "x" * 1_000_000}, routes={})


async def _ask_and_never_read(control: Control, mode: Mode) -> None:
    node = pb.Node(id="frozen", cluster=GROUP)
    first = pb.DiscoveryRequest if mode is Mode.SOTW else pb.DeltaDiscoveryRequest
    await control.call(mode).write(first(type_url=CLUSTER, node=node).SerializeToString())
    await control.until(lambda: "frozen" in control.fleet.nodes)


@_MODES
def test_a_client_that_does_not_read_delays_nobody_and_holds_one_response(mode: Mode) -> None:
    """A frozen window: it has one response of the type under way, however often there is another; the others get all."""

    async def story(control: Control) -> None:
        control.publish(_large(0))
        await _ask_and_never_read(control, mode)
        reader = control.stream("reader")
        response = await reader.accepted(CLUSTER)
        for number in range(1, _PUSHES):
            control.publish(_large(number))
            response = await reader.takes(CLUSTER)
        assert response.version_info == _large(_PUSHES - 1).versions[CLUSTER]
        assert control.ads.pushes_total[CLUSTER] == _PUSHES + 1

    run(story)


@_MODES
def test_a_client_that_is_stuck_is_dropped_after_a_time(mode: Mode) -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot({"c": "x" * 64_000_000}, routes={}))
        await _ask_and_never_read(control, mode)
        await control.until(lambda: control.ads.stream_count == 0)
        assert not control.fleet.nodes["frozen"].is_connected

    run(story, write_timeout_s=0.2)


def test_there_are_so_many_streams_and_no_more() -> None:
    """Beyond, a proxy is refused with the reason: the streams that there are must go on."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        streams = [control.stream("one"), control.delta("two")]
        for stream in streams:
            await stream.start()
        surplus = control.stream("three")
        await surplus.ask(CLUSTER)
        code, details = await surplus.ended_with()
        assert (code, "2 streams open already" in details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
        control.publish(snapshot(listener="2"))
        for stream in streams:
            await stream.takes(LISTENER)
        await streams[0].call.done_writing()
        await control.until(lambda: control.ads.stream_count == 1)
        await control.stream("three").start()

    run(story, streams_max=2)


@_MODES
def test_clusters_that_are_not_answered_count_as_refused_and_hold_nothing_else_up(mode: Mode) -> None:
    """Envoy 1.40 keeps silent about some refusals, and answers to no clusters any more until that one is settled."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a"))
        stream = control.stream() if mode is Mode.SOTW else control.delta()
        await stream.start()
        control.publish(snapshot("a bad"))
        silent = await stream.answer()
        await control.until(lambda: bool(control.fleet.nacks()))
        ((node_id, nack),) = control.fleet.nacks()
        assert (node_id, nack.type_url) == ("envoy-1", CLUSTER)
        assert nack.message.endswith("clusters: bad")
        control.publish(snapshot("a bad c"))
        settling = await stream.answer()
        assert settling.type_url == CLUSTER
        assert settling.nonce != silent.nonce
        await stream.ack(settling)  # type: ignore[arg-type]
        good = snapshot("a c")
        control.publish(good)
        await control.until(lambda: control.fleet.has_accepted(good))
        assert control.fleet.nacks() == ()

    run(story, clusters_overdue_s=0.05)


def test_while_many_are_pushed_to_a_new_one_is_answered() -> None:
    """Requests before pushes: nobody waits until a whole fleet has its response."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        fleet = [control.stream(f"envoy-{number}") for number in range(100)]
        await asyncio.gather(*(stream.start() for stream in fleet))
        target = snapshot(listener="2")
        control.publish(target)
        await control.stream("new").start()
        await asyncio.gather(*(stream.takes(LISTENER) for stream in fleet))
        await control.until(lambda: len(control.fleet.connected) == 101 and control.fleet.has_accepted(target))

    run(story)
