"""A control plane's side of the outcome stream, over real gRPC: acknowledges, remembers, sends policy."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from serinus.v1 import outcomes_pb2

REPORT_METHOD = "/serinus.v1.Outcomes/Report"


def policy(version: str = "p1", salt: str = "r1") -> outcomes_pb2.Policy:
    service = outcomes_pb2.ServicePolicy(
        service="chat", salt=salt, baseline="v1", sticky=[outcomes_pb2.StickySource(kind="header", name="x-user-id")]
    )
    return outcomes_pb2.Policy(version=version, services=[service])


@dataclass
class RecordingControlPlane:
    """`acks` False: it takes everything and acknowledges nothing."""

    acks: bool = True
    policies: list[outcomes_pb2.Policy] = field(default_factory=list)
    hellos: list[outcomes_pb2.Hello] = field(default_factory=list)
    batches: list[outcomes_pb2.Batch] = field(default_factory=list)
    policy_acks: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    _server: grpc.aio.Server | None = None

    async def start(self) -> None:
        handler = grpc.stream_stream_rpc_method_handler(
            self._report,
            outcomes_pb2.ReportRequest.FromString,
            outcomes_pb2.ReportResponse.SerializeToString,
        )
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("serinus.v1.Outcomes", {"Report": handler}),)
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)

    async def _report(self, _requests: object, context: grpc.aio.ServicerContext) -> None:
        hello = outcomes_pb2.Hello()
        while (request := await context.read()) is not grpc.aio.EOF:
            match request.WhichOneof("message"):
                case "hello":
                    hello = request.hello
                    self.hellos.append(hello)
                    for each in self.policies:
                        await context.write(outcomes_pb2.ReportResponse(policy=each))
                case "batch":
                    self.batches.append(request.batch)
                    if self.acks:
                        ack = outcomes_pb2.BatchAck(epoch=hello.epoch, seq=request.batch.seq)
                        await context.write(outcomes_pb2.ReportResponse(ack=ack))
                case "policy_ack":
                    self.policy_acks.append((request.policy_ack.version, request.policy_ack.error))


@asynccontextmanager
async def control_plane(*policies: outcomes_pb2.Policy, acks: bool = True) -> AsyncIterator[RecordingControlPlane]:
    plane = RecordingControlPlane(acks=acks, policies=list(policies))
    await plane.start()
    try:
        yield plane
    finally:
        await plane.stop()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds; AssertionError after 10 s."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen within 10 s")
