"""An ADS client that speaks raw requests on a real gRPC channel, and a server to speak to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from controlplane.security.server import SERVER_OPTIONS
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.xds.server import METHOD, SERVICE, AdsServer
from serinus.envoywire import discovery_pb2 as pb

# Long enough for an answer that must not come to show up, on a loaded machine; silence costs this much.
_SILENCE_S = 0.15
_DEADLINE_S = 10.0


class AdsClient:
    """An ADS client that speaks raw requests. Remembers the newest nonce of each type."""

    def __init__(self, call: Any, node_id: str) -> None:
        self.call = call
        self.node_id: str | None = node_id
        self._names: dict[str, tuple[str, ...]] = {}
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        # A read that is cancelled takes the whole call with it, so one task reads to the end.
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
            while (data := await self.call.read()) is not grpc.aio.EOF:
                self._answers.put_nowait(data)

    async def ask(self, type_url: str, *names: str, version: str = "", nonce: str = "", error: str = "") -> None:
        request = pb.DiscoveryRequest(
            type_url=type_url, resource_names=names, version_info=version, response_nonce=nonce
        )
        if error:
            request.error_detail.message = error
            request.error_detail.code = 13
        if self.node_id is not None:
            request.node.id, self.node_id = self.node_id, None
        self._names[type_url] = names
        await self.call.write(request.SerializeToString())

    async def answer(self) -> pb.DiscoveryResponse:
        async with asyncio.timeout(_DEADLINE_S):
            return pb.DiscoveryResponse.FromString(await self._answers.get())

    async def ack(self, response: pb.DiscoveryResponse) -> None:
        names = self._names[response.type_url]
        await self.ask(response.type_url, *names, version=response.version_info, nonce=response.nonce)

    async def nack(self, response: pb.DiscoveryResponse, version: str, words: str) -> None:
        names = self._names[response.type_url]
        await self.ask(response.type_url, *names, version=version, nonce=response.nonce, error=words)

    async def accepted(self, type_url: str, *names: str, version: str = "") -> pb.DiscoveryResponse:
        """Asks, gets an answer, accepts it."""
        await self.ask(type_url, *names, version=version)
        response = await self.answer()
        assert response.type_url == type_url
        await self.ack(response)
        return response

    async def start(self) -> dict[str, pb.DiscoveryResponse]:
        """What a fresh Envoy does."""
        return {url: await self.accepted(url, *names) for url, names in FRESH}

    async def is_silent(self) -> bool:
        await asyncio.sleep(_SILENCE_S)
        return self._answers.empty()

    async def ended_with(self) -> tuple[grpc.StatusCode, str]:
        async with asyncio.timeout(_DEADLINE_S):
            return await self.call.code(), await self.call.details()


FRESH = ((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",)))


class Control:
    """A server on a port of its own, and channels to it."""

    def __init__(self, ads: AdsServer, address: str) -> None:
        self.ads = ads
        self.address = address
        self.channel: Any = grpc.aio.insecure_channel(address)

    def stream(self, node_id: str = "envoy-1") -> AdsClient:
        return AdsClient(self.channel.stream_stream(f"/{SERVICE}/{METHOD}")(), node_id)

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + _DEADLINE_S
        while not condition():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def control(**settings: Any) -> AsyncIterator[Control]:
    ads = AdsServer(**settings)
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
