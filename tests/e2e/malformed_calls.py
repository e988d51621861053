"""Malformed calls against a real control plane's admin port: random bytes, bent messages, hostile values, oversized, slow.

`python -m tests.e2e.malformed_calls --calls 10000 --seed 1` prints what it found and exits 1 if the process died, answered
an internal error, let a bad call change something, or grew. A seed gives the same calls in the same order.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.protobuf.message import Message

from serinus.v1 import admin_pb2, admin_pb2_grpc
from tests.bench.cpu import rss_bytes
from tests.ports import free_port
from tests.unit.controlplane.manifest.samples import BOTH

# Of the process, between the halves of the calls, each by its median: it goes up and down by 15 MB all the while (201 to
# 215 MB over the last 7,000 of 10,000 calls). 3 KB a call would be more; what was found once, garbage that kept its
# requests, was 150 MB in 4,000 calls.
GROWTH_BYTES_MAX = 14 * 1024 * 1024
AT_ONCE = 16
# A call that is not answered in this time counts as a fault; slow ones are ended by their caller long before.
_DEADLINE_S = 30.0
_OVERSIZED = b"\x0a" + b"\xff\xff\xff\x0f" + bytes(17 * 1024 * 1024)  # past the 16 MiB that the port takes
_READY_S = 60.0


def _apply(text: str, **more: object) -> admin_pb2.ApplyRequest:
    return admin_pb2.ApplyRequest(files=[admin_pb2.ManifestFile(name="x.yaml", text=text)], dry_run=True, **more)


# Requests that are right but for what they hold; the last are ways to make a reader of YAML work or recurse for ever.
_HOSTILE: tuple[tuple[str, Message], ...] = (
    *((name, admin_pb2.OperatorRequest(rollout="x" * 100_000, actor="a\n\x00b" * 999)) for name in ("Pause", "Abort")),
    *((name, admin_pb2.OperatorRequest(rollout=odd)) for name in ("Resume", "Abort") for odd in ("", "@audit", "../x")),
    ("Promote", admin_pb2.PromoteRequest(rollout="chat-v2\u202e", skip_analysis=True, reason="\x1b[2J" * 1_000)),
    ("Approve", admin_pb2.ApproveRequest(rollout="none", step_bp=2**32 - 1)),
    ("Audit", admin_pb2.AuditRequest(limit=2**32 - 1, since_ms=-(2**63), object="\x00")),
    ("Get", admin_pb2.GetRequest(kind="king" * 10_000)),
    ("Explain", admin_pb2.ExplainRequest(rollout="%s%n{0}")),
    ("Cohort", admin_pb2.CohortRequest(service="chat", headers=[{"name": "\xff" * 9_000, "value": "x" * 90_000}] * 9)),
    ("Cohort", admin_pb2.CohortRequest(service="chat", headers=[{"name": ":path", "value": "?" + "&" * 50_000}])),
    ("Apply", admin_pb2.ApplyRequest()),
    ("Apply", _apply("a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]")),
    ("Apply", _apply("x: " + "[" * 5_000)),
    ("Apply", _apply("[" * 5_000 + "]" * 5_000)),
    ("Apply", _apply("{a: " * 3_000 + "1" + "}" * 3_000)),
    ("Apply", _apply("\n".join(" " * depth + "a:" for depth in range(2_000)))),
    ("Apply", _apply("!!python/object/apply:os.system ['true']")),
    ("Apply", _apply("---\n" * 2_000)),
    ("Apply", _apply("a: 1\n" * 500)),
    ("Apply", _apply("&a [*a]")),
    ("Apply", _apply("\x00\ufeff\ud7ff" * 100)),
    ("Apply", _apply("x: 0x" + "f" * 20_000)),
    ("Apply", _apply("x: " + "9" * 20_000)),
    ("Apply", _apply(BOTH.replace("10%", "9" * 5_000 + "%"))),
    ("Apply", _apply(BOTH.replace("5s", "1e999s").replace("8001", "99999999999999999999"))),
    ("Apply", _apply("apiVersion: serinus/v1\nkind: Service\nmetadata: 1\nspec: [[[]]]\n")),
)


@dataclass(slots=True)
class Found:
    """How the calls ended, and what must not have been."""

    codes: collections.Counter[str] = field(default_factory=collections.Counter)
    faults: list[str] = field(default_factory=list)
    rss_bytes: list[int] = field(default_factory=list)

    @property
    def growth_bytes(self) -> int:
        half = len(self.rss_bytes) // 2
        return int(statistics.median(self.rss_bytes[half:]) - statistics.median(self.rss_bytes[:half]))


class Attack:
    """Calls by one channel. `kinds` are its ways, chosen by weight."""

    def __init__(self, address: str, prng: random.Random, found: Found) -> None:
        self._address, self._prng, self._found = address, prng, found
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(address, options=options)
        methods = admin_pb2.DESCRIPTOR.services_by_name["Admin"].methods
        self._paths = {method.name: f"/serinus.v1.Admin/{method.name}" for method in methods}
        self._others = (
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            "/grpc.health.v1.Health/Check",
            "/serinus.v1.Admin/None",
            "/",
        )
        self.kinds: tuple[tuple[int, Callable[[], object]], ...] = (
            (30, self._random),
            (40, self._bent),
            (24, self._hostile),
            (3, self._slow),
            (2, self._garbage),
            (1, self._oversized),
        )

    async def one(self) -> None:
        weights = [weight for weight, _ in self.kinds]
        ((_, kind),) = self._prng.choices(self.kinds, weights)
        await kind()  # type: ignore[misc]

    def _path(self) -> str:
        return self._prng.choice([*self._paths.values(), *self._others])

    async def _random(self) -> None:
        await self._call(self._path(), self._prng.randbytes(self._prng.choice((0, 1, 7, 60, 3_000))))

    async def _bent(self) -> None:
        """A message that was right, with bytes changed, lost, doubled or put in."""
        name, message = self._prng.choice(_HOSTILE)
        data = bytearray(message.SerializeToString()[:20_000])
        for _ in range(self._prng.randint(1, 8)):
            at = self._prng.randrange(len(data) + 1)
            match self._prng.randrange(4):
                case 0:
                    data[at : at + 1] = self._prng.randbytes(1)
                case 1:
                    del data[at : at + self._prng.randint(1, 40)]
                case 2:
                    data[at:at] = data[at : at + self._prng.randint(1, 40)]
                case 3:
                    data[at:at] = b"\xff\xff\xff\xff\x7f"
        await self._call(self._paths[name], bytes(data))

    async def _hostile(self) -> None:
        name, message = self._prng.choice(_HOSTILE)
        long = ("authorization", "Bearer " + "x" * self._prng.choice((0, 1, 4_000)))
        await self._call(self._paths[name], message.SerializeToString(), metadata=[long])

    async def _oversized(self) -> None:
        await self._call(self._path(), _OVERSIZED)

    async def _slow(self) -> None:
        """A call whose request never comes, or whose caller goes away."""
        call = self.channel.stream_stream(self._path())(timeout=self._prng.choice((0.001, 0.05, 0.2)))
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            if self._prng.random() < 0.5:
                await call.write(b"")
            await call.read()
        self._found.codes["slow " + (await call.code()).name] += 1

    async def _garbage(self) -> None:
        """No gRPC at all."""
        host, _, port = self._address.rpartition(":")
        start = self._prng.choice((b"", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(start + self._prng.randbytes(self._prng.choice((0, 9, 4_000))))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1_000), 0.05)
            writer.close()
        self._found.codes["garbage"] += 1

    async def _call(self, path: str, data: bytes, metadata: list[tuple[str, str]] | None = None) -> None:
        call = self.channel.unary_stream(path)(data, metadata=metadata, timeout=_DEADLINE_S)
        try:
            await call.read()
            call.cancel()
            code = "OK"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            if "internal error" in (error.details() or ""):
                self._found.faults.append(f"{path} {data[:200]!r}: {error.details()}")
        if code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            self._found.faults.append(f"{path} {data[:200]!r}: {code}")
        self._found.codes[code] += 1


@contextlib.asynccontextmanager
async def control_plane(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """A control plane in a process of its own: its admin address and its pid."""
    admin, xds, http = (f"127.0.0.1:{free_port()}" for _ in range(3))
    arguments = ["controlplane", "--state", str(folder), "--admin", admin, "--xds", xds, "--http", http]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "controlplane", *arguments, stderr=log)
    try:
        yield admin, process.pid
        assert process.returncode is None, f"the control plane has died: {process.returncode}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def attacked(calls: int, seed: int) -> Found:
    """What a control plane with one service and one rollout did under so many bad calls."""
    found, prng = Found(), random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with control_plane(folder) as (address, pid), grpc.aio.insecure_channel(address) as channel:
            stub = admin_pb2_grpc.AdminStub(channel)
            right = admin_pb2.ApplyRequest(files=[admin_pb2.ManifestFile(name="chat.yaml", text=BOTH)], actor="test")
            await stub.Apply(right, wait_for_ready=True, timeout=_READY_S)
            attack = Attack(address, prng, found)
            for part in (calls // 10,) * 10:
                await _part(attack, part)
                found.rss_bytes.append(rss_bytes(pid))
            await attack.channel.close()
            view = (await stub.Get(admin_pb2.GetRequest(kind="rollout", name="chat-v2"), timeout=_DEADLINE_S)).rollouts[
                0
            ]
            if (view.phase, view.revision) != ("preparing", 1):
                found.faults.append(f"the rollout has moved: {view.phase}, revision {view.revision}")
            audit = await stub.Audit(admin_pb2.AuditRequest(), timeout=_DEADLINE_S)
            if len(audit.entries) != 1:
                found.faults.append(f"{len(audit.entries)} acts in the audit, one was done")
        # What gRPC says of a caller that went away in the middle (ExecuteBatchError) is no fault of ours.
        logged = (folder / "log").read_text().splitlines()
        found.faults += [line for line in logged if "admin call failed" in line or "Unexpected [" in line]
    return found


async def _part(attack: Attack, calls: int) -> None:
    """So many calls, a few at a time."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await attack.one()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.malformed_calls")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    found = asyncio.run(attacked(arguments.calls, arguments.seed))
    print(
        json.dumps(
            {
                "seed": arguments.seed,
                "codes": found.codes,
                "growth_bytes": found.growth_bytes,
                "rss_mb": [one >> 20 for one in found.rss_bytes],
            }
        )
    )
    print("\n".join(found.faults[:20]), file=sys.stderr)
    print(f"replay: python -m tests.e2e.malformed_calls --calls {arguments.calls} --seed {arguments.seed}")
    return 1 if found.faults or found.growth_bytes > GROWTH_BYTES_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
