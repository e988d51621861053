"""ADS clients that speak raw requests on a real gRPC channel, in both modes, and a server to speak to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc

from controlplane.security.server import SERVER_OPTIONS
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.fleet import FleetView
from controlplane.xds.groups import GroupBook
from controlplane.xds.server import METHODS, SERVICE, AdsServer
from serinus.envoywire import discovery_pb2 as pb

GROUP = "edge"
# Long enough for an answer that must not come to show up, on a loaded machine; silence costs this much.
_SILENCE_S = 0.15
_DEADLINE_S = 10.0
METHOD = {mode: f"/{SERVICE}/{name}" for name, mode in METHODS.items()}
# What a fresh Envoy asks for, in its order.
FRESH = ((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",)))


class Caller:
    """One stream. `call` is gRPC's, of raw bytes; a task reads it to the end."""

    def __init__(self, call: Any, node: pb.Node | None) -> None:
        self.call = call
        self._node = node
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        # A read that is cancelled takes the whole call with it, so one task reads to the end.
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
            while (data := await self.call.read()) is not grpc.aio.EOF:
                self._answers.put_nowait(data)

    async def write(self, request: pb.DiscoveryRequest | pb.DeltaDiscoveryRequest, error: str) -> None:
        """The node goes into the first request only, as Envoy's bootstrap may have it."""
        if error:
            request.error_detail.message = error
            request.error_detail.code = 13
        if self._node is not None:
            request.node.CopyFrom(self._node)
            self._node = None
        await self.call.write(request.SerializeToString())

    async def data(self) -> bytes:
        async with asyncio.timeout(_DEADLINE_S):
            return await self._answers.get()

    async def is_silent(self) -> bool:
        await asyncio.sleep(_SILENCE_S)
        return self._answers.empty()

    async def ended_with(self) -> tuple[grpc.StatusCode, str]:
        async with asyncio.timeout(_DEADLINE_S):
            return await self.call.code(), await self.call.details()


class SotwCaller(Caller):
    """State of the world. Remembers the names of each type, which every request must tell."""

    def __init__(self, call: Any, node: pb.Node | None) -> None:
        super().__init__(call, node)
        self._names: dict[str, tuple[str, ...]] = {}

    async def ask(self, type_url: str, *names: str, version: str = "", nonce: str = "", error: str = "") -> None:
        self._names[type_url] = names
        request = pb.DiscoveryRequest(
            type_url=type_url, resource_names=names, version_info=version, response_nonce=nonce
        )
        await self.write(request, error)

    async def answer(self) -> pb.DiscoveryResponse:
        return pb.DiscoveryResponse.FromString(await self.data())

    async def ack(self, response: pb.DiscoveryResponse) -> None:
        names = self._names[response.type_url]
        await self.ask(response.type_url, *names, version=response.version_info, nonce=response.nonce)

    async def nack(self, response: pb.DiscoveryResponse, version: str, words: str) -> None:
        names = self._names[response.type_url]
        await self.ask(response.type_url, *names, version=version, nonce=response.nonce, error=words)

    async def accepted(self, type_url: str, *names: str, version: str = "") -> pb.DiscoveryResponse:
        """Asks, gets an answer, accepts it."""
        await self.ask(type_url, *names, version=version)
        return await self.takes(type_url)

    async def takes(self, type_url: str) -> pb.DiscoveryResponse:
        """Gets an answer of this type and accepts it."""
        response = await self.answer()
        assert response.type_url == type_url
        await self.ack(response)
        return response

    async def start(self) -> dict[str, pb.DiscoveryResponse]:
        """What a fresh Envoy does."""
        return {url: await self.accepted(url, *names) for url, names in FRESH}


class DeltaCaller(Caller):
    """Incremental. Knows nothing between requests: each says what it says."""

    async def ask(
        self,
        type_url: str,
        *names: str,
        drop: tuple[str, ...] = (),
        initial: Mapping[str, str] | None = None,
        nonce: str = "",
        error: str = "",
    ) -> None:
        request = pb.DeltaDiscoveryRequest(
            type_url=type_url,
            resource_names_subscribe=names,
            resource_names_unsubscribe=drop,
            initial_resource_versions=initial,
            response_nonce=nonce,
        )
        await self.write(request, error)

    async def answer(self) -> pb.DeltaDiscoveryResponse:
        return pb.DeltaDiscoveryResponse.FromString(await self.data())

    async def ack(self, response: pb.DeltaDiscoveryResponse) -> None:
        await self.ask(response.type_url, nonce=response.nonce)

    async def nack(self, response: pb.DeltaDiscoveryResponse, words: str) -> None:
        await self.ask(response.type_url, nonce=response.nonce, error=words)

    async def accepted(
        self, type_url: str, *names: str, initial: Mapping[str, str] | None = None
    ) -> pb.DeltaDiscoveryResponse:
        """Asks, gets an answer, accepts it."""
        await self.ask(type_url, *names, initial=initial)
        return await self.takes(type_url)

    async def takes(self, type_url: str) -> pb.DeltaDiscoveryResponse:
        """Gets an answer of this type and accepts it."""
        response = await self.answer()
        assert response.type_url == type_url
        await self.ack(response)
        return response

    async def start(self) -> dict[str, pb.DeltaDiscoveryResponse]:
        """What a fresh Envoy does, where routes are no virtual hosts of their own."""
        return {url: await self.accepted(url, *names) for url, names in FRESH}


class Control:
    """A server on a port of its own with one group, and a channel to it."""

    def __init__(self, ads: AdsServer, address: str) -> None:
        self.ads = ads
        self.address = address
        self.channel: Any = grpc.aio.insecure_channel(address)

    @property
    def fleet(self) -> FleetView:
        return self.ads.fleet(GROUP)

    def publish(self, snapshot: Snapshot) -> None:
        self.ads.publish(GROUP, snapshot)

    def call(self, mode: Mode = Mode.SOTW) -> Any:
        return self.channel.stream_stream(METHOD[mode])()

    def stream(self, node_id: str = "envoy-1", group: str = GROUP) -> SotwCaller:
        return SotwCaller(self.call(), pb.Node(id=node_id, cluster=group))

    def delta(self, node_id: str = "envoy-1", group: str = GROUP) -> DeltaCaller:
        return DeltaCaller(self.call(Mode.DELTA), pb.Node(id=node_id, cluster=group))

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + _DEADLINE_S
        while not condition():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def control(**settings: Any) -> AsyncIterator[Control]:
    ads = AdsServer(**settings)
    ads.set_groups(GroupBook({GROUP: ()}))
    server = grpc.aio.server(options=SERVER_OPTIONS)
    ads.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    running = Control(ads, f"127.0.0.1:{port}")
    try:
        yield running
    finally:
        await running.channel.close()
        await server.stop(None)


def run(story: Callable[[Control], Awaitable[None]], **settings: Any) -> None:
    async def told() -> None:
        async with control(**settings) as running:
            await story(running)

    asyncio.run(told())
