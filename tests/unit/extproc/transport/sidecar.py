"""A sidecar for the transports: answers by rule, remembers what came. And clients, as Envoy's workers are."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import uvloop

from extproc.processing.session import Reply
from extproc.telemetry.tables import Histogram, Metric
from extproc.transport.own.server import OwnTransport
from extproc.transport.port import Transport
from extproc.transport.reference.server import GrpcioTransport

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
TRANSPORTS = {"grpcio": GrpcioTransport, "own": OwnTransport, "own on uvloop": OwnTransport}


@dataclass
class EchoStream:
    """Answers a message that starts with "tag" and closes; takes others in until "end"."""

    sidecar: "RecordingSidecar"

    def receive(self, message: bytes) -> Reply:
        self.sidecar.messages.append(message)
        if message.startswith(b"tag"):
            return Reply(b"re:" + message, is_done=True)
        return Reply(None, is_done=message == b"end")

    def close(self) -> None:
        self.sidecar.closed += 1


@dataclass
class RecordingSidecar:
    """The shipped handlers' port, remembering what came."""

    messages: list[bytes] = field(default_factory=list)
    logs: list[bytes] = field(default_factory=list)
    closed: int = 0

    def open_process(self) -> EchoStream:
        return EchoStream(self)

    def access_logs(self, message: bytes) -> None:
        self.logs.append(message)


def histogram() -> Histogram:
    return Histogram(Metric("p", "", (), (1.0,)))


@asynccontextmanager
async def serving(kind: str, path: Path) -> AsyncIterator[tuple[Transport, RecordingSidecar]]:
    sidecar = RecordingSidecar()
    transport = TRANSPORTS[kind](path, sidecar, histogram())
    await transport.start()
    try:
        yield transport, sidecar
    finally:
        await transport.drain()


@asynccontextmanager
async def client(path: Path) -> AsyncIterator[grpc.aio.Channel]:
    options = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own, as each Envoy worker has
    async with grpc.aio.insecure_channel(f"unix:{path}", options=options) as channel:
        yield channel


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen within 20 s")


def run_on(loop: str, story: Callable[[], Awaitable[None]], *, within_s: float = 30) -> None:
    """A story on one of LOOPS."""

    async def bounded() -> None:
        await asyncio.wait_for(story(), within_s)

    with warnings.catch_warnings(), asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        try:
            runner.run(bounded())
        except BaseException:
            # What a failed story left open is a warning, here an error, which would keep uvloop's close from ever ending.
            warnings.simplefilter("ignore", ResourceWarning)
            raise


def run(kind: str, tmp_path: Path, story: Callable[[Path], Awaitable[None]]) -> None:
    """A story with one of TRANSPORTS."""
    run_on("uvloop" if "uvloop" in kind else "asyncio", lambda: story(tmp_path / "e.sock"))
