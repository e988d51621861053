"""Clients that do what they must not, each on its own stream, and fleets in a hurry (row 26 of docs/xds.md, and more)."""

import asyncio

import grpc
import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER
from controlplane.xds.groups import GroupBook
from controlplane.xds.wire import REQUEST_BYTES_MAX
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.ads_client import GROUP, Control, run
from tests.unit.controlplane.xds.factory import snapshot

RUNTIME = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
PROXIES = 200


@pytest.mark.parametrize(
    ("type_url", "words"),
    [("", "type_url"), ("type.googleapis.com/acme.Thing", "none of xDS")],
    ids=["none", "unknown"],
)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_type_that_is_missing_or_unknown_ends_that_stream_alone(mode: Mode, type_url: str, words: str) -> None:
    """DiscoveryRequest.type_url: "This is implicit in requests made via singleton xDS APIs … but is required for
    ADS." """

    async def story(control: Control) -> None:
        control.publish(snapshot())
        bad = control.stream("bad") if mode is Mode.SOTW else control.delta("bad")
        good = control.stream("good")
        await good.start()
        await bad.ask(type_url)
        code, details = await bad.ended_with()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert words in details
        control.publish(snapshot("a b"))
        await good.takes(CLUSTER)

    run(story)


def test_a_type_of_xds_that_is_not_served_disturbs_nothing() -> None:
    """An unknown type must not end the others: there is just nothing to send."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        for stream in (control.stream("sotw"), control.delta("delta")):
            await stream.ask(RUNTIME, "layer")
            assert await stream.is_silent()
            await stream.start()

    run(story)


@pytest.mark.parametrize("data", [b"\xff\xff garbage", b"\x0a" + b"\xff" * 20], ids=["tag", "length"])
@pytest.mark.parametrize("mode", list(Mode))
def test_garbage_is_a_typed_error(mode: Mode, data: bytes) -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        call = control.call(mode)
        await call.write(data)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "that is no" in await call.details()

    run(story)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_request_over_four_megabytes_is_a_typed_error(mode: Mode) -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        call = control.call(mode)
        request = pb.DiscoveryRequest(node=pb.Node(id="x" * (REQUEST_BYTES_MAX + 1), cluster=GROUP), type_url=CLUSTER)
        await call.write(request.SerializeToString())
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"at most {REQUEST_BYTES_MAX}" in await call.details()

    run(story)


def test_a_node_of_no_group_is_refused_with_the_reason_and_remembered_for_people() -> None:
    async def story(control: Control) -> None:
        control.ads.set_groups(GroupBook({GROUP: ("edge-*",)}))
        control.publish(snapshot())
        for node_id, group, words in (("edge-1", "else", "no such proxy group"), ("x-1", GROUP, "does not admit")):
            stream = control.stream(node_id, group)
            await stream.ask(CLUSTER)
            code, details = await stream.ended_with()
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert words in details
        assert [refusal.node.node_id for refusal in control.ads.refusals] == ["edge-1", "x-1"]
        await control.stream("edge-2").accepted(CLUSTER)

    run(story)


def test_groups_are_served_what_is_theirs() -> None:
    async def story(control: Control) -> None:
        control.ads.set_groups(GroupBook({GROUP: (), "inner": ()}))
        control.publish(snapshot("a"))
        control.ads.publish("inner", snapshot("b c"))
        assert len((await control.stream("one").accepted(CLUSTER)).resources) == 1
        assert len((await control.delta("two", "inner").accepted(CLUSTER)).resources) == 2
        control.ads.set_groups(GroupBook({GROUP: ()}))
        assert control.ads.fleet("inner").nodes == {}

    run(story)


def test_two_proxies_under_one_id_take_turns_until_one_is_refused_and_shown() -> None:
    """A reconnect supersedes the stream before it; what supersedes again and again is no reconnect."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        ends = []
        streams = [control.stream("twin")]
        await streams[0].accepted(CLUSTER)
        for _ in range(3):
            streams.append(control.stream("twin"))
            await streams[-1].accepted(CLUSTER)
            ends.append((await streams[-2].ended_with())[0])
        refused = control.stream("twin")
        await refused.ask(CLUSTER)
        code, details = await refused.ended_with()
        assert (ends, code) == ([grpc.StatusCode.ABORTED] * 3, grpc.StatusCode.ALREADY_EXISTS)
        assert "node.id of its own" in details
        assert control.fleet.duplicates == ("twin",)
        control.publish(snapshot("a b"))
        await streams[-1].takes(CLUSTER)

    run(story)


def test_two_hundred_proxies_that_come_back_at_once_are_all_served() -> None:
    """A restarted control plane: every proxy of the fleet in the same moment, each with what it holds."""

    async def story(control: Control) -> None:
        first, target = snapshot(), snapshot("a b", routes="b", listener="2")
        control.publish(first)
        held = {url: answer.version_info for url, answer in (await control.stream("before").start()).items()}
        control.publish(target)

        async def back(number: int) -> None:
            stream = control.stream(f"envoy-{number}") if number % 2 else control.delta(f"envoy-{number}")
            if number % 3:
                await stream.start()
                return
            await stream.ask(CLUSTER, **({"version": held[CLUSTER]} if number % 2 else {}))  # type: ignore[arg-type]
            await stream.takes(CLUSTER)

        async with asyncio.timeout(20):
            await asyncio.gather(*(back(number) for number in range(PROXIES)))
        await control.until(
            lambda: sum(CLUSTER in view.accepted for view in control.fleet.connected) >= PROXIES,
        )
        assert control.fleet.nacks() == ()

    run(story)
