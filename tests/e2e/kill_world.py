"""Real processes that may be killed at any time: control planes, a sidecar, Envoy, PostgreSQL if asked, under load.

With PostgreSQL there are two control planes, and in front of them what an installation has there: a door that leads to
the one that says it is ready. Every process that ends is started again after 200 ms, as often as it takes.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from controlplane.local import envoy_binary
from controlplane.local.commands import ShippedCommands, bootstrap_text
from controlplane.local.processes import Child, ChildSpec
from controlplane.local.restart import RestartPolicy
from controlplane.local.rundir import prepare
from controlplane.local.settings import StackSettings
from tests.e2e.harness import Admin, wait_for
from tests.e2e.load import Client
from tests.e2e.upstream import ModelUpstream
from tests.ports import free_port
from tests.postgres import Postgres

ALWAYS = RestartPolicy(restarts_max=1 << 30, pause_ms_max=200)
START_S = 60.0
POLL_S = 0.02
LOG_CHARS = 2_000


class Door:
    """One address before several: each connection goes to the one that leads now, and ends when another does."""

    def __init__(self, address: str) -> None:
        self._host, port = address.rsplit(":", 1)
        self._port = int(port)
        self._to = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, self._port)

    def lead_to(self, address: str) -> None:
        if address != self._to:
            self._to = address
            for task in self._tasks:
                task.cancel()

    async def close(self) -> None:
        self.lead_to("")
        self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._to:
                host, port = self._to.rsplit(":", 1)
                onward, back = await asyncio.open_connection(host, int(port))
                try:
                    await _both_ways(reader, writer, onward, back)
                finally:
                    back.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _both_ways(
    a: asyncio.StreamReader, to_a: asyncio.StreamWriter, b: asyncio.StreamReader, to_b: asyncio.StreamWriter
) -> None:
    """Until either side ends."""
    ways = {asyncio.create_task(_one_way(a, to_b)), asyncio.create_task(_one_way(b, to_a))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


@dataclass
class KillWorld:
    """`planes`: control planes, with their settings. `http` is where a plane says whether it is ready."""

    settings: StackSettings
    planes: list[tuple[Child, StackSettings]]
    sidecar: Child
    client: Client
    admin: Admin
    session: aiohttp.ClientSession
    doors: dict[str, Door]
    reports: Door  # between the sidecar and whoever leads
    database: str = ""  # its address; "": SQLite
    leading: int = -1  # the plane that says it is ready; -1: none does
    has_reports: bool = True  # False: the sidecar's way to the control planes is cut

    async def watch(self) -> None:
        """Follow who leads, and let the doors lead there."""
        while True:
            self.leading = await self._ready_one()
            plane = self.planes[self.leading][1] if self.leading >= 0 else None
            for name, door in self.doors.items():
                door.lead_to(getattr(plane, name) if plane is not None else "")
            self.reports.lead_to(plane.xds if plane is not None and self.has_reports else "")
            await asyncio.sleep(POLL_S)

    async def _ready_one(self) -> int:
        for number, (_, settings) in enumerate(self.planes):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self.session.get(f"http://{settings.http}/readyz") as answer:
                    if answer.status == 200:
                        return number
        return -1

    async def is_steering(self) -> bool:
        """A control plane decides, and Envoy is on its stream with what is in force."""
        if self.leading < 0:
            return False
        with contextlib.suppress(Exception):
            proxies = await asyncio.wait_for(self.admin.proxies(), 2.0)
            return bool(proxies) and all(each.connected and each.accepted_routes for each in proxies)
        return False

    async def is_answering(self) -> bool:
        """Envoy has its routes and the sidecar tags: nobody is without a version."""
        replies = [await self.client.ask(f"probe-{n}") for n in range(5)]
        return all(reply.is_ok and reply.version for reply in replies)


def compiled(home: Path) -> None:
    """As an installation is, also where this process is told to leave no bytecode: its imports take a second more."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(home / "pyc")


async def kill(child: Child) -> None:
    """kill -9, also while it starts; one that was killed a moment ago is waited for."""
    await wait_for(lambda: child.exit_code is None, timeout_s=START_S, what=f"{child.spec.name} is started again")
    os.kill(child.pid, signal.SIGKILL)
    await child.wait_ended()


async def kill_postgres(postgres: Postgres) -> None:
    """kill -9 of the server; its sessions end when they notice. Then it is started again and reads its log."""
    await asyncio.to_thread(postgres.stop, signal.SIGKILL)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(postgres.start)


@contextlib.asynccontextmanager
async def kill_world(
    home: Path, manifest: Callable[[dict[str, str]], str], *, postgres: Postgres | None = None
) -> AsyncIterator[KillWorld]:
    """All of it, ready, with the manifest in force. `manifest` makes it of the versions' addresses."""
    async with contextlib.AsyncExitStack() as exits:
        versions = {name: ModelUpstream(name) for name in ("v1", "v2")}
        for each in versions.values():
            await each.start()
            exits.push_async_callback(each.stop)
        file = home / "service.yaml"
        file.write_text(manifest({name: each.address for name, each in versions.items()}))
        outside = StackSettings.ephemeral(home / "outside")
        inside, database = [outside], ""
        if postgres is not None:
            database = await asyncio.to_thread(postgres.address)
            inside = [StackSettings.ephemeral(home / f"plane-{n}", listen=outside.listen) for n in range(2)]
        try:
            yield await _start(exits, outside, inside, file, database)
        except AssertionError:
            for log in sorted((outside.state_dir / "logs").glob("*.log")):
                print(f"{log.name} ends: {log.read_text(errors='replace')[-LOG_CHARS:]}", file=sys.stderr)
            raise


async def _door(exits: contextlib.AsyncExitStack, address: str) -> Door:
    door = Door(address)
    await door.open()
    exits.push_async_callback(door.close)
    return door


async def _start(
    exits: contextlib.AsyncExitStack, outside: StackSettings, inside: list[StackSettings], manifest: Path, database: str
) -> KillWorld:
    names = ("xds", "admin") if database else ()
    doors = {name: await _door(exits, getattr(outside, name)) for name in names}
    address = f"127.0.0.1:{free_port()}"
    reports = await _door(exits, address)
    run = prepare(outside.state_dir)
    exits.callback(run.close)
    commands = ShippedCommands(envoy_binary.require().path)
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0))
    exits.push_async_callback(session.close)
    client, admin = Client(outside.listen), Admin(outside.admin)
    exits.push_async_callback(client.close)
    exits.push_async_callback(admin.close)
    first = _plane_spec(commands.controlplane(inside[0], run), 0, run.logs, database, manifest)
    planes = [(await _child(exits, first), inside[0])]
    sidecar = await _child(exits, commands.extproc(replace(outside, xds=address), run))
    world = KillWorld(outside, planes, sidecar, client, admin, session, doors, reports, database)
    watching = asyncio.create_task(world.watch())
    exits.callback(watching.cancel)
    await wait_for(lambda: world.leading == 0, timeout_s=START_S, what="a control plane leads")
    for number, each in list(enumerate(inside))[1:]:
        spec = _plane_spec(commands.controlplane(each, run), number, run.logs, database)
        planes.append((await _child(exits, spec), each))
    await wait_for(run.socket.exists, timeout_s=START_S, what="the sidecar listens")
    run.bootstrap.write_text(bootstrap_text(outside, run.socket))
    await _child(exits, commands.envoy(outside, run))
    await wait_for(world.is_steering, timeout_s=START_S, what="a control plane steers Envoy")
    await wait_for(world.is_answering, timeout_s=START_S, what="requests are answered and tagged")
    return world


def _plane_spec(spec: ChildSpec, number: int, logs: Path, database: str, manifest: Path | None = None) -> ChildSpec:
    again = (*spec.argv, *(("--store", database) if database else ()))
    argv = (*again, "--manifest", str(manifest)) if manifest is not None else again
    return replace(spec, name=f"plane-{number}", argv=argv, argv_again=again, log=logs / f"plane-{number}.log")


async def _child(exits: contextlib.AsyncExitStack, spec: ChildSpec) -> Child:
    child = Child(spec, policy=ALWAYS)
    await child.start()
    child.supervise()
    exits.push_async_callback(child.stop)
    return child
