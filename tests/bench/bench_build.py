"""How long a snapshot takes to build, and what a weight step costs: CPU of this process, nothing else.

Budgets, with 1,000 services of 2 versions and a rollout each: the first snapshot 5 s, a weight step 20 ms before the
first byte leaves. A step is made as the engine makes it: every service route is a new object, the clusters are named
one by one, and the whole is versioned. `python -m tests.bench.bench_build` prints a JSON line a row.
"""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controlplane.app import calm_collector
from controlplane.manifest.schema import ServiceSpec
from controlplane.snapshot.assemble import BuildCache, build
from controlplane.snapshot.model import ClusterInput, Gateway, RolloutRoute, ServiceRoute, cluster_inputs
from controlplane.snapshot.resource import ROUTE, VIRTUAL_HOST, difference
from controlplane.snapshot.snapshot import Snapshot

SERVICES = (1, 10, 100, 1_000)
STEPS = 100
_GATEWAY = Gateway()


def run() -> dict[str, Any]:
    """All sizes. Times are CPU time, bytes are of the encoded resources."""
    calm_collector()  # as the control plane does: else a full collection counts as a step of 100 ms
    return {"name": "build a snapshot", "unit": "see each column", "rows": [_row(count) for count in SERVICES]}


def _row(count: int) -> dict[str, float | int]:
    services, cache = [_service(index) for index in range(count)], BuildCache()
    began = time.process_time()
    before = _built(services, cache)
    first_s = time.process_time() - began
    steps_ms = []
    after = before
    for number in range(STEPS):
        before = after
        services = _moved(services, number)
        began = time.process_time()
        after = _built(services, cache)
        steps_ms.append((time.process_time() - began) * 1_000)
    join_ms, inline_bytes = _joined(after)
    return {
        "services": count,
        "first_build_s": round(first_s, 3),
        "weight_step_ms_p50": round(statistics.median(steps_ms), 2),
        "weight_step_ms_p99": round(statistics.quantiles(steps_ms, n=100)[98], 2),
        "inline_join_ms": round(join_ms, 2),
        "step_bytes_inline": inline_bytes,
        "step_bytes_virtual_host": _changed_bytes(before, after),
    }


def _service(index: int) -> ServiceRoute:
    """Two versions of three endpoints each, a pinned cohort, a rollout under way."""
    name = f"s{index}"
    endpoints = [[f"10.{arm}.{index // 250}.{index % 250 + 1}:{8000 + each}" for each in range(3)] for arm in (1, 2)]
    spec = ServiceSpec.model_validate(
        {
            "protocol": "openai",
            "hosts": [f"{name}.models.example.com"],
            "sticky": {"header": "x-user-id"},
            "versions": [
                {"name": version, "endpoints": at, "health": {"path": "/health"}}
                for version, at in zip(("v1", "v2"), endpoints, strict=True)
            ],
            "baseline": "v1",
            "cohorts": [{"name": "staff", "match": {"header": {"name": "x-team", "exact": "ml"}}, "pin": "candidate"}],
            "observe": {"body": True},
        }
    )
    return ServiceRoute(name, spec, "v1", f"{name}-v2", RolloutRoute(f"{name}-v2", "v2", 100))


def _moved(services: Sequence[ServiceRoute], number: int) -> list[ServiceRoute]:
    """All anew, and one of them at another weight."""
    moving = number * 7 % len(services)
    return [
        replace(service, rollout=replace(service.rollout, weight_bp=200 + number))
        if index == moving and service.rollout is not None
        else replace(service)
        for index, service in enumerate(services)
    ]


def _built(services: Sequence[ServiceRoute], cache: BuildCache) -> Snapshot:
    clusters: list[ClusterInput] = [item for service in services for item in cluster_inputs(service)]
    snapshot = build(services, _GATEWAY, cache, clusters=clusters)
    assert snapshot.version
    assert snapshot.incremental.version
    return snapshot


def _joined(snapshot: Snapshot) -> tuple[float, int]:
    """What streams of the state of the world need in addition: (ms, bytes)."""
    began = time.process_time()
    size = sum(len(item.body) for item in snapshot.of_type(ROUTE))
    return (time.process_time() - began) * 1_000, size


def _changed_bytes(before: Snapshot, after: Snapshot) -> int:
    held, wanted = (snapshot.incremental.of_type(VIRTUAL_HOST) for snapshot in (before, after))
    return sum(len(item.body) for item in difference(held, wanted).changed)


if __name__ == "__main__":
    for row in run()["rows"]:
        print(json.dumps(row))
