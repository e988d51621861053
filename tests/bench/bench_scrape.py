"""How long Prometheus waits for a scrape: a control plane whose store has 1,000 rollouts that ended within the hour (later
they leave) and 50 that run, one of them with evidence; and a sidecar that has seen many services.

The caller is a process of its own with one connection; its clock ends with the last byte.
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

import aiohttp

from controlplane.store.sqlite import DATABASE
from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.exporter import HttpExporter
from extproc.telemetry.tables import Histogram
from tests.bench.bench_admin import ROLLOUTS as ENDED
from tests.bench.bench_admin import fill
from tests.bench.result import Column, Goal, Result, percentile
from tests.e2e.fleet import FakeSidecar, running
from tests.e2e.plane import plane, settings
from tests.e2e.proxy import FakeProxy
from tests.ports import free_port
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

RUNNING = 50
SERVICES = (10, 50)
ROUNDS = 100
WITHIN_MS = 100.0
# The sidecar has reported, and the judge has something to say.
_SETTLED_S = 8.0


def run(rounds: int = ROUNDS) -> Result:
    """Both, one after the other."""
    found = asyncio.run(_measured(rounds))
    rows = [{"what": what, **figures(each)} for what, each in found.items()]
    return Result(
        name="scrape",
        title="A scrape of /metrics over HTTP",
        columns=[
            Column("what", "what"),
            Column("series", "series"),
            Column("kb", "KB"),
            *(Column(key, f"{key} ms") for key in ("p50", "p99", "max")),
        ],
        rows=rows,
        goals=[
            Goal(f"{row['what']}: p99", row["p99"], WITHIN_MS, "ms")
            for row in rows
            if str(row["what"]).startswith("control plane")
        ],
        reading=[
            "The control plane judges and the sidecar's figures stand still meanwhile; the sidecar serves nothing else."
        ],
    )


def figures(found: dict[str, Any]) -> dict[str, Any]:
    times = found["ms"]
    return {
        "series": found["series"],
        "kb": round(found["bytes"] / 1_000),
        "p50": round(statistics.median(times), 1),
        "p99": round(percentile(times, 0.99), 1),
        "max": round(max(times), 1),
    }


def manifests() -> str:
    """One service as the samples have it, and its likes."""
    parts = [SERVICE, ROLLOUT.replace("min_step: 5s", "min_step: 1h")]
    for number in range(1, RUNNING):
        name = f"s{number}"
        parts.append(SERVICE.replace("name: chat}", f"name: {name}}}").replace('hosts: ["*"]', f"hosts: [{name}.test]"))
        parts.append(ROLLOUT.replace("chat-v2", f"{name}-v2").replace("service: chat", f"service: {name}"))
    return "---\n".join(parts)


def seen(services: int) -> Catalogue:
    """Every table with a series for both versions of each service; of any other label one value."""
    catalogue = Catalogue()
    for table in catalogue.tables():
        names = table.metric.labels
        pairs = [(f"s{n}", v) for n in range(services) for v in ("v1", "v2")] if "service" in names else [("", "")]
        for service, version in pairs:
            labels = tuple({"service": service, "version": version}.get(name, "x") for name in names)
            if isinstance(table, Histogram):
                table.observe(0.01, labels)
            else:
                table.add(labels)
    return catalogue


async def _measured(rounds: int) -> dict[str, dict[str, Any]]:
    found = {}
    for when, ended_ms in (("long ago", 1), ("within the hour", int(time.time() * 1_000))):
        name = f"control plane, {ENDED - 1} rollouts ended {when}, {RUNNING} run"
        found[name] = await _control_plane(ended_ms, rounds)
    for services in SERVICES:
        exporter, port = HttpExporter(seen(services).tables(), lambda: ""), free_port()
        await exporter.start("127.0.0.1", port)
        found[f"sidecar, {services} services"] = await _called(f"http://127.0.0.1:{port}/metrics", rounds)
        await exporter.stop()
    return found


async def _control_plane(ended_ms: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / DATABASE, ended_ms=ended_ms)
        async with plane(settings(Path(folder))) as world:
            proxy, sidecar = FakeProxy(world.config.xds), FakeSidecar(world.config.xds, world.rows())
            async with running(proxy, sidecar):
                await world.apply(manifests())
                await asyncio.sleep(_SETTLED_S)
                return await _called(f"http://{world.config.http}/metrics", rounds)


async def _called(url: str, rounds: int) -> dict[str, Any]:
    command = (sys.executable, "-m", "tests.bench.bench_scrape", url, str(rounds))
    caller = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await caller.communicate()
    assert caller.returncode == 0, "the caller has failed; its words stand above"
    return dict(json.loads(out))


async def _scraped(url: str, rounds: int) -> dict[str, Any]:
    times, text = [], b""
    async with aiohttp.ClientSession() as session:
        for _ in range(rounds):
            began = time.perf_counter()
            async with session.get(url) as answer:
                assert answer.status == 200, f"{url} answered {answer.status}"
                text = await answer.read()
            times.append((time.perf_counter() - began) * 1_000)
            await asyncio.sleep(0.02)
    series = sum(1 for line in text.splitlines() if line[:1] != b"#")
    return {"ms": times, "bytes": len(text), "series": series}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_scraped(sys.argv[1], int(sys.argv[2])))))
