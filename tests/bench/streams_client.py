"""Many simulated Envoys in one process, each with a channel, hence a TCP connection, of its own: raw bytes over
grpc.aio. They ask as Envoy does and accept whatever comes.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence

import grpc

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST
from controlplane.xds.server import METHODS, SERVICE
from serinus.envoywire import discovery_pb2 as pb
from tests.bench.worker import Answer, allow_files, answer_all

# Connections that are set up at once: a thousand handshakes would only wait for each other.
_STARTING_MAX = 50


class Envoys:
    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._method = f"/{SERVICE}/{next(name for name, each in METHODS.items() if each is mode)}"
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Semaphore(_STARTING_MAX)
        self._names: dict[str, Sequence[str]] = {}
        self._nonces: type[pb.DiscoveryResponse] | type[pb.DeltaDiscoveryResponse] = (
            pb.DiscoveryResponse if mode is Mode.SOTW else pb.DeltaDiscoveryResponse
        )
        self.responses = 0
        self.response_bytes = 0

    async def connect(self, port: int, group: str, first: int, streams: int, names: Mapping[str, list[str]]) -> Answer:
        """`names`: what to ask for by name of each type; none: only one request, as the barest server wants."""
        self._names = {CLUSTER: (), **names, LISTENER: (), ROUTE: ("services",)} if names else {CLUSTER: ()}
        if names and self._mode is Mode.DELTA:
            self._names[VIRTUAL_HOST] = ()
        target = f"127.0.0.1:{port}"
        for number in range(first, first + streams):
            self._tasks.append(asyncio.create_task(self._run(target, group, f"edge-{number}")))
        return {}

    async def _run(self, target: str, group: str, node_id: str) -> None:
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            call = channel.stream_stream(self._method)()
            async with self._starting:
                node = pb.Node(id=node_id, cluster=group)
                for type_url, names in self._names.items():
                    await call.write(self._request(type_url, names, node=node).SerializeToString())
                    node = None
            while (data := await call.read()) is not grpc.aio.EOF:
                await call.write(self._accepted(data))

    def _request(
        self, type_url: str, names: Sequence[str], *, node: pb.Node | None = None
    ) -> pb.DiscoveryRequest | pb.DeltaDiscoveryRequest:
        if self._mode is Mode.SOTW:
            return pb.DiscoveryRequest(type_url=type_url, resource_names=names, node=node)
        return pb.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names, node=node)

    def _accepted(self, data: bytes) -> bytes:
        """The acceptance of a response; of the barest server's bytes, which are no response, just an answer."""
        self.responses += 1
        self.response_bytes += len(data)
        if len(self._names) == 1:
            return b"x" * 60
        response = self._nonces.FromString(data)
        if isinstance(response, pb.DeltaDiscoveryResponse):
            answer = pb.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
            return answer.SerializeToString()
        names = self._names[response.type_url]
        return pb.DiscoveryRequest(
            type_url=response.type_url,
            resource_names=names,
            response_nonce=response.nonce,
            version_info=response.version_info,
        ).SerializeToString()

    async def count(self) -> Answer:
        """What came since the last count. Raises what any stream ended with."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise RuntimeError("a stream has ended")
        counted = {"responses": self.responses, "response_bytes": self.response_bytes}
        self.responses = self.response_bytes = 0
        return counted


async def main(mode: str) -> None:
    allow_files()
    envoys = Envoys(Mode(mode))
    await answer_all({"connect": envoys.connect, "count": envoys.count})
    for task in envoys._tasks:
        task.cancel()
    await asyncio.gather(*envoys._tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
