"""A sidecar over real gRPC, without Envoy: it reports what the test says. And how parts are kept connected."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

import grpc

from serinus.contract.bucket import key_hash
from serinus.contract.metric import ERRORS
from serinus.v1 import outcomes_pb2, outcomes_pb2_grpc


class Part(Protocol):
    """What runs beside the control plane."""

    async def run(self) -> None:
        """Until its stream ends."""


@dataclass
class FakeSidecar:
    """Reports each 0.2 s. `make_rows(slot)` gives the rows of the slot that just ended; slots close at once.

    `repeat` sends every batch twice: the second must change nothing.
    """

    xds: str
    make_rows: Callable[[int], list[outcomes_pb2.SlotRow]]
    node: str = "edge-1"
    healthy: int = 1
    repeat: bool = False
    candidate_cluster: str = "chat/v2"
    policies: list[outcomes_pb2.Policy] = field(default_factory=list)
    acks: list[tuple[int, int]] = field(default_factory=list)
    untagged_total: int = 0
    # Of each 100 requests that a report tells of.
    untagged_each: int = 0
    lost_each: int = 0
    lost_total: int = 0
    _seq: int = 0
    _epoch: int = field(default_factory=time.time_ns)
    _sent_through: int = 0

    async def run(self) -> None:
        async with grpc.aio.insecure_channel(self.xds) as channel:
            call = outcomes_pb2_grpc.OutcomesStub(channel).Report()
            hello = outcomes_pb2.Hello(sidecar=self.node, epoch=self._epoch, cluster="default")
            await call.write(outcomes_pb2.ReportRequest(hello=hello))
            reader = asyncio.create_task(self._read(call))
            try:
                while not call.done():
                    for batch in self._batches():
                        await call.write(outcomes_pb2.ReportRequest(batch=batch))
                    await asyncio.sleep(0.2)
            finally:
                reader.cancel()

    def _batches(self) -> list[outcomes_pb2.Batch]:
        ended = int(time.time()) - 1
        rows = [
            row for slot in range(max(self._sent_through + 1, ended - 5), ended + 1) for row in self.make_rows(slot)
        ]
        self._sent_through = ended
        self._seq += 1
        self.untagged_total += self.untagged_each
        self.lost_total += self.lost_each
        health = outcomes_pb2.ClusterHealth(cluster=self.candidate_cluster, endpoints=1, healthy=self.healthy)
        proxy = outcomes_pb2.ProxyCounters(
            answered_total=self._seq * 100,
            untagged_total=self.untagged_total,
            logs_written_total=self._seq * 100,
            logs_lost_total=self.lost_total,
            clusters=[health],
        )
        batch = outcomes_pb2.Batch(seq=self._seq, closed_through_slot=ended, rows=rows, proxy=proxy)
        return [batch, batch] if self.repeat else [batch]

    async def _read(self, call: grpc.aio.StreamStreamCall) -> None:
        while (response := await call.read()) is not grpc.aio.EOF:
            if response.HasField("policy"):
                self.policies.append(response.policy)
                ack = outcomes_pb2.PolicyAck(version=response.policy.version)
                await call.write(outcomes_pb2.ReportRequest(policy_ack=ack))
            else:
                self.acks.append((response.ack.epoch, response.ack.seq))


def rows_of(
    slot: int, *, snapshot: str, weight_bp: int, users: int = 200, bad: Callable[[str, int], bool] = lambda *_: False
) -> list[outcomes_pb2.SlotRow]:
    """One request of each of `users` fresh users in a slot, split by their buckets. `bad(version, index)` fails one."""
    keys: dict[str, tuple[list[int], list[int]]] = {"v1": ([], []), "v2": ([], [])}
    for index in range(users):
        hashed = key_hash("chat-v2", f"user-{slot}-{index}".encode())
        version = "v2" if hashed % 10_000 < weight_bp else "v1"
        keys[version][bad(version, index)].append(hashed)
    rows = []
    for version, (keys_ok, keys_bad) in keys.items():
        observed = len(keys_ok) + len(keys_bad)
        metric = outcomes_pb2.MetricRow(
            metric=ERRORS, observed=observed, bad=len(keys_bad), keys_ok=keys_ok, keys_bad=keys_bad
        )
        row = outcomes_pb2.SlotRow(
            service="chat",
            rollout="chat-v2",
            snapshot=snapshot,
            slot=slot,
            weight_bp=weight_bp,
            weight_class="1",
            cohort="everyone",
            version=version,
            requests=observed,
            metrics=[metric],
        )
        rows.append(row)
    return rows


@contextlib.asynccontextmanager
async def running(*tasks: Part) -> AsyncIterator[None]:
    """Keep them connected; one whose stream breaks is started again, as Envoy and the sidecar do."""

    is_over = False

    async def again(part: Part) -> None:
        # gRPC's library may swallow a cancellation that meets the end of the call: then the flag ends it.
        while not is_over:
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await part.run()
            await asyncio.sleep(0.1)

    running_tasks = [asyncio.create_task(again(part)) for part in tasks]
    try:
        yield
    finally:
        is_over = True
        for task in running_tasks:
            task.cancel()
        await asyncio.gather(*running_tasks, return_exceptions=True)
