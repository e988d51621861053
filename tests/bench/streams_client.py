"""Many simulated Envoys in one process, each with a TCP connection of its own. They ask as Envoy does, and accept
whatever comes.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

import uvloop

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST
from controlplane.xds.server import METHODS, SERVICE
from serinus.envoywire import discovery_pb2 as pb
from tests.bench.grpc_call import GrpcCall, open_call
from tests.bench.worker import Answer, allow_files, answer_all

# Connections that are set up at once: a thousand handshakes would only wait for each other.
_STARTING_MAX = 50


class Envoys:
    """`names`: what is asked for by name of each type; with none, only one request is made, and its answer is no
    discovery message: the barest server wants no more."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._method = f"/{SERVICE}/{next(name for name, each in METHODS.items() if each is mode)}"
        self._names: dict[str, Sequence[str]] = {}
        self._calls: list[GrpcCall] = []
        self._responses = self._response_bytes = 0
        self._cpu_s = 0.0

    async def connect(self, port: int, group: str, first: int, streams: int, names: Mapping[str, list[str]]) -> Answer:
        self._names = {CLUSTER: (), **names, LISTENER: (), ROUTE: ("services",)} if names else {CLUSTER: ()}
        if names and self._mode is Mode.DELTA:
            self._names[VIRTUAL_HOST] = ()
        gate = asyncio.Semaphore(_STARTING_MAX)
        on_message = self._on_message if names else self._on_bytes

        async def start(node: pb.Node | None) -> None:
            async with gate:
                call = await open_call("127.0.0.1", port, self._method, on_message)
                self._calls.append(call)
                for type_url, wanted in self._names.items():
                    call.write(self._request(type_url, wanted, node))
                    node = None

        numbers = range(first, first + streams)
        await asyncio.gather(*(start(pb.Node(id=f"edge-{number}", cluster=group)) for number in numbers))
        return {}

    def _request(self, type_url: str, names: Sequence[str], node: pb.Node | None) -> bytes:
        if self._mode is Mode.SOTW:
            return pb.DiscoveryRequest(type_url=type_url, resource_names=names, node=node).SerializeToString()
        request = pb.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names, node=node)
        return request.SerializeToString()

    def _on_message(self, call: GrpcCall, data: bytes) -> None:
        self._responses += 1
        self._response_bytes += len(data)
        if self._mode is Mode.DELTA:
            delta = pb.DeltaDiscoveryResponse.FromString(data)
            ack = pb.DeltaDiscoveryRequest(type_url=delta.type_url, response_nonce=delta.nonce)
            call.write(ack.SerializeToString())
            return
        response = pb.DiscoveryResponse.FromString(data)
        answer = pb.DiscoveryRequest(
            type_url=response.type_url,
            resource_names=self._names[response.type_url],
            response_nonce=response.nonce,
            version_info=response.version_info,
        )
        call.write(answer.SerializeToString())

    def _on_bytes(self, call: GrpcCall, data: bytes) -> None:
        self._responses += 1
        self._response_bytes += len(data)
        call.write(b"x" * 60)  # as long as an incremental ACK

    async def count(self) -> Answer:
        """What came since the last count, and the CPU that it took here. Raises what any stream ended with."""
        for call in self._calls:
            if call.ended.done():
                raise RuntimeError(f"a stream has ended: {call.ended.result()}")
        cpu_s = time.process_time()
        counted = {
            "responses": self._responses,
            "response_bytes": self._response_bytes,
            "cpu_us": (cpu_s - self._cpu_s) * 1_000_000,
        }
        self._responses, self._response_bytes, self._cpu_s = 0, 0, cpu_s
        return counted

    def close(self) -> None:
        for call in self._calls:
            call.close()


async def main(mode: str) -> None:
    allow_files()
    envoys = Envoys(Mode(mode))
    await answer_all({"connect": envoys.connect, "count": envoys.count})
    envoys.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
