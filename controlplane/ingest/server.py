"""`serinus.v1.Outcomes`: one stream a sidecar. Batches go to the intake and are acknowledged once they are durable;
the cohort policy goes down the same stream, at once and whenever it changes.

Flow control is the stream's own: one batch at a time is read, stored and acknowledged, so a slow store slows the
sidecars' sending, and their bounded queues hold what waits.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import grpc

from controlplane.errors import SerinusError
from controlplane.ingest import wire
from controlplane.ingest.rows import Batch, Hello
from controlplane.security.errors import NodeIdentityError
from controlplane.security.identity import require_node, sans_of
from serinus.v1 import outcomes_pb2, outcomes_pb2_grpc


class Intake(Protocol):
    """What the engine does with what sidecars say."""

    def policy(self) -> outcomes_pb2.Policy:
        """The cohort policy in force."""

    async def policy_changed(self, known: str) -> None:
        """Returns once the policy's version is another than `known`."""

    async def hello(self, hello: Hello) -> None: ...

    async def batch(self, hello: Hello, batch: Batch, payload: bytes) -> None:
        """Returns once the batch is durable."""

    async def policy_ack(self, hello: Hello, version: str, error: str) -> None: ...

    async def goodbye(self, hello: Hello) -> None: ...


class OutcomesServicer(outcomes_pb2_grpc.OutcomesServicer):
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def Report(  # noqa: N802  the method's name in the proto
        self, _: AsyncIterator[outcomes_pb2.ReportRequest], context: grpc.aio.ServicerContext
    ) -> None:
        first = await context.read()
        if first is grpc.aio.EOF:
            return
        try:
            hello = wire.hello_of(first.hello)
            require_node("sidecar", hello.sidecar, sans_of(context.auth_context() or {}))
        except NodeIdentityError as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
            return
        except SerinusError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            return
        await self._intake.hello(hello)
        pusher = asyncio.create_task(self._push_policy(context))
        try:
            await self._read(hello, context)
        finally:
            pusher.cancel()
            await self._intake.goodbye(hello)

    async def _read(self, hello: Hello, context: grpc.aio.ServicerContext) -> None:
        while (message := await context.read()) is not grpc.aio.EOF:
            match message.WhichOneof("message"):
                case "batch":
                    try:
                        batch = wire.batch_of(message.batch)
                    except SerinusError as error:
                        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
                        return
                    try:
                        await self._intake.batch(hello, batch, message.batch.SerializeToString())
                    except SerinusError as error:
                        # Not kept, so not acknowledged: the sidecar keeps it and comes again.
                        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
                        return
                    ack = outcomes_pb2.BatchAck(epoch=hello.epoch, seq=batch.seq)
                    await context.write(outcomes_pb2.ReportResponse(ack=ack))
                case "policy_ack":
                    await self._intake.policy_ack(hello, message.policy_ack.version, message.policy_ack.error[:1000])
                case _:
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "hello stands first, and once")
                    return

    async def _push_policy(self, context: grpc.aio.ServicerContext) -> None:
        while True:
            policy = self._intake.policy()
            await context.write(outcomes_pb2.ReportResponse(policy=policy))
            await self._intake.policy_changed(policy.version)
