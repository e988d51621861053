"""How long an operator waits for a read, with 1,000 rollouts in the journal, one of them under way with evidence.

A whole control plane with its SQLite journal: 30,000 records, a proxy and a sidecar that report, the engine that judges
twice a second. The caller is a process of its own, with one connection, one call after the other; its clock starts before a call
and ends when the answer is parsed. Each kind of read in turn, so that no one of them warms a cache for itself.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc

from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.model import Promoted, Rollout
from controlplane.store.journal import encode
from controlplane.store.port import Record, StoredObject
from controlplane.store.sqlite import DATABASE, SqliteStore
from serinus.v1 import admin_pb2, admin_pb2_grpc
from tests.bench.result import Column, Goal, Result, percentile
from tests.e2e.fleet import FakeSidecar, running
from tests.e2e.plane import plane, settings
from tests.e2e.proxy import FakeProxy
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

ROLLOUTS = 1_000
RECORDS_EACH = 30
ROUNDS = 300
WITHIN_MS = 20.0
# A second in which the sidecar has reported, and the judge has something to say.
_SETTLED_S = 8.0
READS: dict[str, tuple[str, Any]] = {
    "get one, under way": ("Get", admin_pb2.GetRequest(kind="rollout", name="chat-v2")),
    "get one, ended": ("Get", admin_pb2.GetRequest(kind="rollout", name="old-500")),
    "get all 1,000, as for a table": ("Get", admin_pb2.GetRequest(kind="rollout", brief=True)),
    "get service": ("Get", admin_pb2.GetRequest(kind="service", name="chat")),
    "explain, under way": ("Explain", admin_pb2.ExplainRequest(rollout="chat-v2")),
    "explain, ended": ("Explain", admin_pb2.ExplainRequest(rollout="old-500")),
    "audit": ("Audit", admin_pb2.AuditRequest()),
    "cohort": ("Cohort", admin_pb2.CohortRequest(service="chat", headers=[{"name": "x-user-id", "value": "ada"}])),
    "watch, first view": ("Watch", admin_pb2.WatchRequest(rollout="chat-v2")),
}


def run(rounds: int = ROUNDS) -> Result:
    """One control plane, all kinds of read."""
    found = asyncio.run(_measured(rounds))
    rows = [
        {
            "read": name,
            "p50": round(statistics.median(values), 1),
            "p99": round(percentile(values, 0.99), 1),
            "max": round(max(values), 1),
        }
        for name, values in found.items()
    ]
    columns = [Column("read", "read"), *(Column(key, f"{key} ms") for key in ("p50", "p99", "max"))]
    goals = [Goal(f"{row['read']}: p99", float(row["p99"]), WITHIN_MS, "ms") for row in rows]
    return Result(
        name="admin",
        title=f"admin API with {ROLLOUTS:,} rollouts in the journal",
        columns=columns,
        rows=rows,
        goals=goals,
    )


async def _measured(rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / DATABASE)
        async with plane(settings(Path(folder))) as world:
            proxy = FakeProxy(world.config.xds)
            sidecar = FakeSidecar(world.config.xds, world.rows())
            async with running(proxy, sidecar):
                await world.apply(SERVICE + "---\n" + ROLLOUT.replace("min_step: 5s", "min_step: 1h"))
                await asyncio.sleep(_SETTLED_S)
                command = (sys.executable, "-m", "tests.bench.bench_admin", world.config.admin, str(rounds))
                caller = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
                out, _ = await caller.communicate()
                assert caller.returncode == 0, "the caller has failed; its words stand above"
                return dict(json.loads(out))


def fill(path: Path, *, ended_ms: int = 1) -> None:
    """A service, and all its rollouts but one, which have ended."""
    service, one = load(
        [("old.yaml", (SERVICE + "---\n" + ROLLOUT).replace("chat", "old").replace('["*"]', '["old"]'))]
    )
    assert isinstance(one.spec, RolloutSpec)
    objects = [StoredObject("Service", "old", service.data, "v2", 1)]
    records = []
    for index in range(ROLLOUTS - 1):
        name = f"old-{index}"
        objects.append(StoredObject("Rollout", name, one.data, "", 1))
        for revision in range(1, RECORDS_EACH + 1):
            rollout = Rollout(name, one.spec, "v1", index, revision, Promoted(ended_ms + index))
            text = "300 of 40,000 users of the candidate had an error, and 290 of 40,000 of the baseline"
            records.append(Record(name, revision, index, True, encode(rollout), "hold", "thin_evidence", text, ""))
    store = SqliteStore(path)
    store.apply(objects, records)
    store.close()


def _call(address: str, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in READS}
    with grpc.insecure_channel(address) as channel:
        stub = admin_pb2_grpc.AdminStub(channel)
        for number in range(rounds + 5):
            for name, (method, request) in READS.items():
                began = time.perf_counter()
                answer = getattr(stub, method)(request, timeout=30)
                if method == "Watch":
                    next(answer)
                    answer.cancel()
                if number >= 5:
                    found[name].append((time.perf_counter() - began) * 1_000)
    return found


if __name__ == "__main__":
    print(json.dumps(_call(sys.argv[1], int(sys.argv[2]))))
