"""A change survives what happens to proxies and to the control plane in the middle of it: real processes, signals."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, VIRTUAL_HOST
from serinus.envoywire import discovery_pb2 as pb
from tests.bench.grpc_call import GrpcCall, open_call
from tests.e2e.fault_world import Users, fault_world
from tests.e2e.harness import rollout_text, wait_for

pytestmark = pytest.mark.e2e

DELTA_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
PROXIES = 200
ASKED = (
    (CLUSTER, ()),
    (ENDPOINT, ("chat/v1", "chat/v2")),
    (LISTENER, ()),
    (EXTENSION, ("serinus.tag",)),
    (ROUTE, ("services",)),
    (VIRTUAL_HOST, ()),
)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_proxy_that_refuses_a_candidate_holds_it_in_its_own_words_while_the_others_serve(
    tmp_path: Path, mode: Mode
) -> None:
    async def story() -> None:
        async with fault_world(tmp_path) as (world, admin):
            await world.envoy("good", mode=mode)
            await admin.apply(world.service("v1", baseline="v1"))
            await world.until_up_to_date(admin, "good")
            users = Users(world.listen)
            async with users.asking():
                await world.envoy("old", mode=mode, without="envoy.health_checkers/envoy.health_checkers.http")
                await world.until_up_to_date(admin, "good", "old")
                checked = world.service("v1", "v2", baseline="v1", more="health: {path: /health, interval: 200ms}")
                await admin.apply(checked, rollout_text("chat-v2", "chat"))

                async def is_refused() -> str:
                    view = await admin.rollout("chat-v2")
                    words = next((each.message for each in view.rejections if each.node == "old"), "")
                    return words if words and words in view.message else ""

                words = await wait_for(is_refused, timeout_s=30, what="the refusal stands on the rollout")
                assert "health_checkers" in words
                assert (await admin.rollout("chat-v2")).weight_bp == 0
                states = {each.node: each.state for each in await admin.proxies()}
                assert states == {"good": "up to date", "old": "rejected"}
                # Mended: without a health check every proxy can have it.
                await admin.apply(world.service("v1", "v2", baseline="v1"))
                await world.until_up_to_date(admin, "good", "old")
                assert not (await admin.rollout("chat-v2")).rejections
            assert users.lost == []
            assert users.requests > 50

    asyncio.run(story())


@pytest.mark.alone
def test_a_stopped_proxy_and_a_killed_control_plane_hold_up_a_change_for_the_time_that_was_set_and_no_longer(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with fault_world(tmp_path, proxy_timeout_s=4.0) as (world, admin):
            await world.envoy("good")
            await admin.apply(world.service("v1", baseline="v1"))
            await world.until_up_to_date(admin, "good")
            users = Users(world.listen)
            async with users.asking():
                frozen = await world.envoy("frozen")
                await world.until_up_to_date(admin, "good", "frozen")
                frozen.signal(signal.SIGSTOP)  # its TCP windows fill, nobody closes them
                await admin.apply(world.service("v1", "v2", baseline="v2"))
                await asyncio.sleep(1.0)
                assert users.versions == {"v1"}, "v2 must be warm on every proxy first"
                await world.control.kill()
                await world.control.start()
                restarted_s = time.monotonic()
                await wait_for(lambda: "v2" in users.versions, timeout_s=30, what="the good proxy has moved on")
                assert time.monotonic() - restarted_s < 20
                frozen.signal(signal.SIGCONT)
                await world.until_up_to_date(admin, "good", "frozen")
                await admin.apply(world.service("v2", baseline="v2"))
                await world.until_up_to_date(admin, "good", "frozen")
            assert users.lost == []

    asyncio.run(story())


@pytest.mark.parametrize("mode", list(Mode))
def test_a_proxy_that_dies_in_the_middle_comes_back_to_all_of_it(tmp_path: Path, mode: Mode) -> None:
    async def story() -> None:
        async with fault_world(tmp_path) as (world, admin):
            await world.envoy("good", mode=mode)
            await admin.apply(world.service("v1", baseline="v1"))
            await world.until_up_to_date(admin, "good")
            users = Users(world.listen)
            async with users.asking():
                for count, (versions, baseline) in enumerate(
                    ((("v1", "v2"), "v2"), (("v2",), "v2"), (("v2", "v1"), "v1"), (("v1",), "v1"))
                ):
                    short_lived = await world.envoy("short-lived", mode=mode)
                    await world.until_up_to_date(admin, "short-lived")
                    await admin.apply(world.service(*versions, baseline=baseline))
                    await asyncio.sleep(0.01 * count)  # at different points of its way
                    await short_lived.kill()
                    await world.envoy("short-lived", mode=mode)
                    await world.until_up_to_date(admin, "good", "short-lived")
                    await world.envoys["short-lived"].stop()
            assert users.lost == []
            assert users.versions == {"v1", "v2"}

    asyncio.run(story())


def test_two_hundred_proxies_that_lose_their_control_plane_are_back_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with fault_world(tmp_path) as (world, admin):
            await world.envoy("good")
            await admin.apply(world.service("v1", "v2", baseline="v1"))
            await world.until_up_to_date(admin, "good")
            users = Users(world.listen)
            async with users.asking():
                calls = [await _simulated(world.xds_port, number) for number in range(PROXIES)]

                async def all_are_there() -> bool:
                    states = [each.state for each in await admin.proxies()]
                    return states == ["up to date"] * (PROXIES + 1)

                await wait_for(all_are_there, timeout_s=30, what="all are up to date")
                await world.control.kill()
                await asyncio.gather(*(call.ended for call in calls))
                await world.control.start()
                await admin.proxies()
                calls = await asyncio.gather(*(_simulated(world.xds_port, number) for number in range(PROXIES)))
                await wait_for(all_are_there, timeout_s=30, what="all are up to date again")
                for call in calls:
                    assert not call.ended.done()
                    call.close()
            assert users.lost == []

    asyncio.run(story())


async def _simulated(port: int, number: int) -> GrpcCall:
    """A proxy that asks as Envoy does and accepts whatever comes."""

    def accept(call: GrpcCall, data: bytes) -> None:
        response = pb.DeltaDiscoveryResponse.FromString(data)
        answer = pb.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        call.write(answer.SerializeToString())

    call = await open_call("127.0.0.1", port, DELTA_METHOD, accept)
    node = pb.Node(id=f"simulated-{number}", cluster="default")
    for type_url, names in ASKED:
        request = pb.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names, node=node)
        call.write(request.SerializeToString())
    return call
