"""Real processes to break: a control plane, Envoys of one group that share its listener's address, and steady users.

Users keep their connections, so they stay on the Envoy that ran when they came; every answer that is not the model's 200
is a loss. Nothing here knows the sidecar: without one Envoy splits users by their own key.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from controlplane.snapshot.bootstrap import BootstrapSettings, envoy_arguments, read_template, render
from controlplane.snapshot.mode import Mode
from serinus.v1 import admin_pb2
from tests.e2e.harness import Admin, wait_for
from tests.e2e.path_world import ENVOY
from tests.e2e.upstream import ModelUpstream
from tests.ports import free_port

USERS = 4
_PAUSE_S = 0.01
_STOP_S = 10.0


@dataclass
class Process:
    """A child of this test. What it says goes to a file beside its other files."""

    command: list[str]
    log: Path
    _child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(*self.command, stdout=log, stderr=log)

    def signal(self, number: int) -> None:
        assert self._child is not None
        self._child.send_signal(number)

    async def kill(self) -> None:
        """At once, as the kernel does it; also when it is stopped."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()

    async def stop(self) -> None:
        if self._child is None or self._child.returncode is not None:
            return
        self._child.send_signal(signal.SIGCONT)
        self._child.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), _STOP_S)
        await self.kill()


@dataclass
class Users:
    """Steady requests of different users. `lost`: in words, each answer that was not the model's."""

    address: str
    requests: int = 0
    lost: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        ends = asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            tasks = []
            for number in range(USERS):
                session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=1, keepalive_timeout=600),
                    timeout=aiohttp.ClientTimeout(total=10),
                )
                await stack.enter_async_context(session)
                await self._ask(session, f"first-{number}")
                tasks.append(asyncio.create_task(self._run(session, number, ends)))
            try:
                yield
            finally:
                ends.set()
                await asyncio.gather(*tasks)

    async def _run(self, session: aiohttp.ClientSession, number: int, ends: asyncio.Event) -> None:
        count = 0
        while not ends.is_set():
            count += 1
            await self._ask(session, f"user-{number}-{count}")
            await asyncio.sleep(_PAUSE_S)

    async def _ask(self, session: aiohttp.ClientSession, user: str) -> None:
        self.requests += 1
        try:
            async with session.get(f"http://{self.address}/", headers={"x-user-id": user}) as answer:
                await answer.read()
                version = answer.headers.get("x-serinus-version", "")
                if answer.status != 200:
                    self.lost.append(f"{answer.status} of {version!r}")
                self.versions.add(version)
        except (aiohttp.ClientError, TimeoutError) as error:
            self.lost.append(repr(error))


@dataclass
class FaultWorld:
    """One control plane, any number of Envoys of the group `default`, two versions of a model."""

    directory: Path
    proxy_timeout_s: float
    upstreams: list[ModelUpstream] = field(default_factory=lambda: [ModelUpstream("v1"), ModelUpstream("v2")])
    admin_address: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    xds_port: int = field(default_factory=free_port)
    listen: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    envoys: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        command = [os.path.join(os.path.dirname(sys.executable), "serinus"), "controlplane"]
        flags = {
            "--state": str(self.directory / "state"),
            "--admin": self.admin_address,
            "--xds": f"127.0.0.1:{self.xds_port}",
            "--http": f"127.0.0.1:{free_port()}",
            "--listen": self.listen,
            "--proxy-timeout": str(self.proxy_timeout_s),
        }
        self.control = Process(
            [*command, *(word for pair in flags.items() for word in pair)], self.directory / "cp.log"
        )

    async def envoy(self, node: str, *, mode: Mode = Mode.DELTA, without: str = "") -> Process:
        """Starts one. `without`: the name of an extension that it does not have, as an older Envoy would not."""
        settings = BootstrapSettings(
            node, (str(self.directory / "no-sidecar"),), admin_port=free_port(), xds_port=self.xds_port, xds_mode=mode
        )
        bootstrap = self.directory / f"{node}.yaml"
        bootstrap.write_text(render(read_template(), settings))
        arguments = envoy_arguments(str(bootstrap), workers=1, log_level="error")
        command = [str(ENVOY), *arguments, *(["--disable-extensions", without] if without else [])]
        process = self.envoys[node] = Process(command, self.directory / f"{node}.log")
        await process.start()
        return process

    def service(self, *versions: str, baseline: str, more: str = "") -> str:
        """A manifest. `more`: YAML flow text that is added to the last version."""
        rows = [
            f'{{name: {name}, endpoints: ["{self.upstreams[int(name[1:]) % 2 - 1].address}"]'
            f"{', ' + more if more and name == versions[-1] else ''}}}"
            for name in versions
        ]
        return (
            "apiVersion: serinus/v1\nkind: Service\nmetadata: {name: chat}\nspec:\n  protocol: http\n"
            f'  hosts: ["*"]\n  sticky: {{header: x-user-id}}\n  versions: [{", ".join(rows)}]\n  baseline: {baseline}\n'
        )

    async def proxy(self, admin: Admin, node: str) -> admin_pb2.ProxyView | None:
        """None: it is not there, or the control plane does not answer."""
        return next((each for each in await admin.proxies() if each.node == node), None)

    async def until_up_to_date(self, admin: Admin, *nodes: str, timeout_s: float = 30.0) -> None:
        async def all_are() -> bool:
            states = {each.node: each.state for each in await admin.proxies()}
            return all(states.get(node) == "up to date" for node in nodes)

        await wait_for(all_are, timeout_s=timeout_s, what=f"{nodes} are up to date")


@contextlib.asynccontextmanager
async def fault_world(directory: Path, *, proxy_timeout_s: float = 30.0) -> AsyncIterator[tuple[FaultWorld, Admin]]:
    world = FaultWorld(directory, proxy_timeout_s)
    for upstream in world.upstreams:
        await upstream.start()
    await world.control.start()
    admin = Admin(world.admin_address)
    try:
        await admin.proxies()
        yield world, admin
    finally:
        await admin.close()
        for process in (*world.envoys.values(), world.control):
            await process.stop()
        for upstream in world.upstreams:
            await upstream.stop()
