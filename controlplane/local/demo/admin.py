"""The demo's side of the admin API: the same calls an operator's CLI makes."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import grpc

from controlplane.errors import SerinusError
from controlplane.local.demo.outcome import Told
from controlplane.local.demo.tally import StepEvent
from serinus.v1 import admin_pb2, admin_pb2_grpc

CALL_TIMEOUT_S = 10.0
ACTOR = "serinus demo"


class AdminCallError(SerinusError):
    """A call of the admin API failed; the message is the control plane's own."""

    code = "admin_call"


class DemoAdmin:
    """An async context manager around one channel. Every method raises AdminCallError."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def __aenter__(self) -> "DemoAdmin":
        self._channel = grpc.aio.insecure_channel(self._address)
        self._stub: Any = admin_pb2_grpc.AdminStub(self._channel)  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def apply(self, name: str, text: str) -> None:
        """All or nothing."""
        files = [admin_pb2.ManifestFile(name=name, text=text)]
        await self._call("Apply", admin_pb2.ApplyRequest(files=files, actor=ACTOR))

    async def explain(self, rollout: str) -> admin_pb2.ExplainResponse:
        response: admin_pb2.ExplainResponse = await self._call("Explain", admin_pb2.ExplainRequest(rollout=rollout))
        return response

    async def watch(self, rollout: str) -> AsyncIterator[admin_pb2.RolloutView]:
        """Until the rollout ends."""
        stream = self._stub.Watch(admin_pb2.WatchRequest(rollout=rollout))
        try:
            async for view in stream:
                yield view
        except grpc.aio.AioRpcError as error:
            raise AdminCallError(f"watch of {rollout}: {error.details()}") from error
        finally:
            stream.cancel()

    @staticmethod
    def told(response: admin_pb2.ExplainResponse) -> Told:
        """What the control plane says of the rollout, as plain values."""
        view = response.rollout
        return Told(
            phase=view.phase,
            message=view.message,
            sentences=tuple(response.sentences),
            events=tuple(StepEvent(event.at_ms, event.reason) for event in response.events),
            steps_bp=tuple(view.steps_bp),
            started_ms=view.started_at_ms,
            ended_ms=view.ended_at_ms or view.now_ms,
        )

    async def _call(self, verb: str, request: object) -> Any:
        try:
            return await getattr(self._stub, verb)(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise AdminCallError(f"{verb.lower()}: {error.details()}") from error
