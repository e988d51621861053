"""What a weight step costs in the whole engine: from the operator's command to the moment at which the snapshot goes to
the streams. CPU of this process, its worker thread included; the store is in memory, so no disk is in it.

Every service has a rollout of its own under way, and one proxy is connected, so the way is that of a live system: the
command is journaled, the routes of one service are built, and the next publication is planned. Budget with 1,000
services: 20 ms before the first byte leaves. `python -m tests.bench.bench_engine` prints a JSON line a row.
"""

import asyncio
import gc
import json
import statistics
import time
from typing import Any

from controlplane.clock import SystemClock
from controlplane.engine.runner import Engine
from controlplane.rollout.events import Promote
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.snapshot import Snapshot
from controlplane.store.memory import MemoryStore
from controlplane.telemetry.exporter import Exporter
from tests.unit.controlplane.engine.fleet import PlayedFleet

SERVICES = (10, 100, 1_000)
STEPS = 60


def run() -> dict[str, Any]:
    """All sizes. Times are CPU time."""
    return {
        "name": "a weight step in the engine",
        "unit": "see each column",
        "rows": [asyncio.run(_row(count)) for count in SERVICES],
    }


class _Fleet(PlayedFleet):
    """Notes when it was last given something."""

    published_at_s = 0.0

    def publish(self, group: str, snapshot: Snapshot) -> None:
        self.published_at_s = time.process_time()
        super().publish(group, snapshot)


async def _row(count: int) -> dict[str, float | int]:
    fleet = _Fleet()
    # What the engine asks of the ADS server, this fleet answers.
    engine = Engine(
        store=MemoryStore(),
        ads=fleet,
        clock=SystemClock(),
        gateway=Gateway(),
        exporter=Exporter(),  # type: ignore[arg-type]
    )
    await engine.start()
    began = time.process_time()
    await engine.apply([("all.json", _manifests(count))], dry_run=False, actor="bench")
    apply_s = time.process_time() - began
    fleet.connect("edge-1")
    fleet.accept("edge-1")
    # As the control plane does once it has started: what lives long is not looked through again and again.
    gc.collect()
    gc.freeze()
    steps_ms = []
    for number in range(STEPS):
        name = f"r{number % count}"
        event = Promote(engine.now_ms(), "bench", "bench", skip_analysis=True)
        began = time.process_time()
        await engine.command(name, event)
        steps_ms.append((fleet.published_at_s - began) * 1_000)
        fleet.accept("edge-1")
        if number % count == count - 1:
            break
    await engine.close()
    gc.unfreeze()
    return {
        "services": count,
        "apply_s": round(apply_s, 2),
        "steps": len(steps_ms),
        "weight_step_ms_p50": round(statistics.median(steps_ms), 2),
        "weight_step_ms_max": round(max(steps_ms), 2),
    }


def _manifests(count: int) -> str:
    objects: list[dict[str, Any]] = []
    for index in range(count):
        versions = [{"name": name, "endpoints": [f"127.0.0.1:{port}"]} for name, port in (("v1", 8001), ("v2", 8002))]
        service = {
            "protocol": "http",
            "hosts": [f"s{index}.example.com"],
            "sticky": {"header": "x-user-id"},
            "versions": versions,
            "baseline": "v1",
        }
        rollout = {"service": f"s{index}", "candidate": "v2", "steps": ["1%", "50%", "100%"]}
        objects += [_object("Service", f"s{index}", service), _object("Rollout", f"r{index}", rollout)]
    return "\n---\n".join(json.dumps(item) for item in objects)


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "serinus/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


if __name__ == "__main__":
    for row in run()["rows"]:
        print(json.dumps(row))
