"""How long a decision takes to reach users, through four real Envoys.

The whole control plane's way is in it: the operator's command is journaled in SQLite, routes are built, four groups of
one Envoy each get them over incremental ADS, and users at each Envoy see the version in their answers. Clocks start when
the command is given, and end at the beginning of a request: of the first with the new version (a step), and of the last
with the candidate (an abort). The slowest of the four Envoys counts. The users' process asks each Envoy one request after
the other, so a figure is at most one request too long. No sidecar: users with a plain key are split by Envoy itself.
"""

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from controlplane.clock import SystemClock
from controlplane.engine.runner import Engine
from controlplane.rollout.events import Abort, Promote
from controlplane.security.server import SERVER_OPTIONS
from controlplane.snapshot.bootstrap import BootstrapSettings, envoy_arguments, read_template, render
from controlplane.snapshot.model import Gateway
from controlplane.store.sqlite import SqliteStore
from controlplane.telemetry.exporter import Exporter
from controlplane.xds.server import AdsServer
from tests.bench.result import Column, Goal, Result, percentile
from tests.e2e.path_upstream import serve_upstream
from tests.e2e.path_world import ENVOY, free_port, until

ENVOYS = 4
REPETITIONS = 120
WITHIN_MS = 100.0
# After the last change at an Envoy: a straggler would show as one more change.
_QUIET_S = 0.05


class _Users:
    """The probing process: what it told, by gateway."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.changes: list[dict[str, Any]] = []
        self.failed = 0

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            if "failed" in event:
                self.failed += 1
            else:
                self.changes.append(event)

    async def all_see(self, version: str, since: int) -> list[dict[str, Any]]:
        """The last change at each gateway since that many were told, once all are at the version."""

        def last() -> dict[int, dict[str, Any]]:
            return {event["port"]: event for event in self.changes[since:]}

        await until(
            lambda: len(last()) == ENVOYS and all(event["version"] == version for event in last().values()),
            f"all users see {version}",
        )
        await asyncio.sleep(_QUIET_S)
        return list(last().values())


def run(repetitions: int = REPETITIONS) -> Result:
    """Both directions. Times are wall time in milliseconds."""
    step_ms, abort_ms, failed = asyncio.run(_measured(repetitions))
    rows = [_row("step: first request on the candidate began", step_ms), _row("abort: last one began", abort_ms)]
    return Result(
        name="effect",
        title=f"From a decision to users, {ENVOYS} Envoys, {repetitions} times each",
        columns=[
            Column("what", "decision to effect"),
            Column("p50", "p50 ms"),
            Column("p99", "p99 ms"),
            Column("max", "max ms"),
        ],
        rows=rows,
        reading=[
            "from the command to the control plane (journal in SQLite included) to the slowest of the Envoys",
            f"requests that failed meanwhile: {failed}",
        ],
        goals=[
            Goal("step to changed split, p99", rows[0]["p99"], WITHIN_MS, "ms"),
            Goal("abort to last candidate request begun, p99", rows[1]["p99"], WITHIN_MS, "ms"),
            Goal("failed requests", failed, 0, ""),
        ],
    )


def _row(what: str, values: list[float]) -> dict[str, Any]:
    return {"what": what, "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}


async def _measured(repetitions: int) -> tuple[list[float], list[float], int]:
    step_ms: list[float] = []
    abort_ms: list[float] = []
    async with _plane() as (engine, users):
        loop = asyncio.get_running_loop()
        for number in range(repetitions):
            name = f"r{number}"
            await engine.apply([("rollout.json", _rollout(name))], dry_run=False, actor="bench")
            await until(lambda: not engine.publisher.fleet_fact("chat").waiting, "the rollout's routes are in force")
            since, at_s = len(users.changes), loop.time()
            await engine.command(name, Promote(engine.now_ms(), "bench", "bench", skip_analysis=True))
            seen = await users.all_see("v2", since)
            step_ms.append(max(event["first_new_s"] - at_s for event in seen) * 1_000)
            since, at_s = len(users.changes), loop.time()
            await engine.command(name, Abort(engine.now_ms(), "bench", "bench"))
            seen = await users.all_see("v1", since)
            abort_ms.append(max(0.0, *(event["last_old_s"] - at_s for event in seen)) * 1_000)
            await until(lambda name=name: engine.world.rollout(name).is_terminal, "the abort has ended")  # type: ignore[misc]
    return step_ms, abort_ms, users.failed


@contextlib.asynccontextmanager
async def _plane() -> AsyncIterator[tuple[Engine, _Users]]:
    directory = Path(tempfile.mkdtemp(prefix="sbe-"))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        upstreams = [await serve_upstream(name, stack) for name in ("v1", "v2")]
        ports = [free_port() for _ in range(ENVOYS)]
        ads = AdsServer()
        engine = Engine(
            store=SqliteStore(directory / "serinus.db"),
            ads=ads,
            clock=SystemClock(),
            gateway=Gateway(),
            exporter=Exporter(),
        )
        await engine.start()
        stack.push_async_callback(engine.close)
        await engine.apply([("service.json", _service([up.port for up in upstreams], ports))], dry_run=False, actor="b")
        server = grpc.aio.server(options=SERVER_OPTIONS)
        ads.add_to(server)
        xds_port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        running = asyncio.create_task(engine.run())
        stack.push_async_callback(_cancelled, running)
        for index in range(ENVOYS):
            await stack.enter_async_context(_envoy(directory, index, xds_port))
        await until(lambda: not engine.publisher.fleet_fact("chat").waiting and _connected(engine), "all Envoys serve")
        yield engine, await stack.enter_async_context(_users(ports))


def _connected(engine: Engine) -> bool:
    return engine.publisher.fleet_fact("chat").connected == ENVOYS


@contextlib.asynccontextmanager
async def _users(ports: list[int]) -> AsyncIterator[_Users]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.effect_probe", *map(str, ports),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    users = _Users(process)
    listening = asyncio.create_task(users.listen())
    try:
        await asyncio.sleep(1.0)  # its first answers
        yield users
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening


@contextlib.asynccontextmanager
async def _envoy(directory: Path, index: int, xds_port: int) -> AsyncIterator[None]:
    settings = BootstrapSettings(
        f"edge-{index}",
        (str(directory / "no-sidecar.sock"),),
        node_cluster=f"g{index}",
        admin_port=free_port(),
        xds_port=xds_port,
    )
    bootstrap = directory / f"envoy-{index}.yaml"
    bootstrap.write_text(render(read_template(), settings))
    with (directory / f"envoy-{index}.log").open("wb") as log:
        arguments = envoy_arguments(str(bootstrap), workers=1, log_level="error")
        process = await asyncio.create_subprocess_exec(ENVOY, *arguments, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _service(upstream_ports: list[int], gateway_ports: list[int]) -> str:
    versions = [
        {"name": name, "endpoints": [f"127.0.0.1:{port}"]}
        for name, port in zip(("v1", "v2"), upstream_ports, strict=True)
    ]
    spec = {
        "protocol": "http",
        "hosts": ["*"],
        "sticky": {"header": "x-user-id"},
        "versions": versions,
        "baseline": "v1",
    }
    groups = [
        _object("ProxyGroup", f"g{index}", {"listen": f"127.0.0.1:{at}"}) for index, at in enumerate(gateway_ports)
    ]
    return "\n---\n".join([*groups, _object("Service", "chat", spec)])


def _rollout(name: str) -> str:
    return _object("Rollout", name, {"service": "chat", "candidate": "v2", "steps": ["1%", "100%"]})


def _object(kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "serinus/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
