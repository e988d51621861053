"""A real Envoy with the shipped sidecar as processes: handed over, killed, stopped, flooded, several at once.

ADS, model servers and client live in the test's event loop. `is_patient`: Envoy waits a second for an answer and five
for a health check, so that what it counts is of the sidecar, not of a machine with more to do than it can; otherwise
all is as shipped.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from controlplane.snapshot.bootstrap import BootstrapSettings, read_template
from controlplane.snapshot.model import Gateway
from serinus.contract.policy import ServicePolicy
from serinus.contract.workers import worker_sockets
from tests.e2e import path_world
from tests.e2e.path_upstream import serve_upstream
from tests.e2e.path_world import GROUP, World, at
from tests.e2e.sidecar_process import NODE, SidecarProcess, keep_policy, ledger, short_directory, stop_all
from tests.ports import free_port, free_ports
from tests.unit.extproc.controlplane import RecordingControlPlane, control_plane

UNTAGGED = "http.serinus.ext_proc.tag.failure_mode_allowed"
ANSWERED = "http.serinus.ext_proc.tag.stream_msgs_received"
WRITTEN, DROPPED = (f"access_logs.grpc_access_log.logs_{what}" for what in ("written", "dropped"))
USERS = tuple(f"user-{number}" for number in range(200))
WEIGHT_BP = 2_500
SETTLE_S = 20.0


@dataclass
class PolicyKeeper:
    """What the sidecar finds when it starts, in place of a control plane's stream."""

    run_dir: Path

    def enforce(self, policies: Iterable[ServicePolicy]) -> None:
        keep_policy(self.run_dir, tuple(policies))


@dataclass
class Heard:
    """The answers of a steady load: (user, version, milliseconds), and what went wrong."""

    answers: list[tuple[str, str | None, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def moved(self) -> set[str]:
        """Users that met two versions."""
        first: dict[str, str | None] = {}
        return {user for user, version, _ in self.answers if first.setdefault(user, version) != version}


@dataclass
class FailureWorld:
    world: World
    plane: RecordingControlPlane
    run_dir: Path
    flags: tuple[str, ...]
    workers: int = 1
    processes: list[SidecarProcess] = field(default_factory=list)

    async def start_sidecar(self) -> SidecarProcess:
        """One more on the same sockets, ready to serve: from now on Envoy's new connections are its."""
        process = SidecarProcess(
            self.run_dir, self.run_dir / "e.sock", free_ports(self.workers), *self.flags, workers=self.workers
        )
        self.processes.append(process)
        await process.start()
        return process

    @contextlib.asynccontextmanager
    async def load(self, rate: float) -> AsyncIterator[Heard]:
        """An open loop: a slow gateway does not slow the users down."""
        heard, running = Heard(), set[asyncio.Task[None]]()

        async def ask(user: str) -> None:
            began_s = time.monotonic()
            try:
                reply = await self.world.get({"x-user-id": user})
            except (aiohttp.ClientError, TimeoutError) as error:
                heard.failures.append(repr(error))
                return
            if reply.status != 200:
                heard.failures.append(f"{reply.status}: {reply.body}")
            heard.answers.append((user, reply.version, (time.monotonic() - began_s) * 1000))

        async def run() -> None:
            began_s = time.monotonic()
            for number in range(1_000_000):
                await asyncio.sleep(max(0.0, began_s + number / rate - time.monotonic()))
                task = asyncio.create_task(ask(USERS[number % len(USERS)]))
                running.add(task)
                task.add_done_callback(running.discard)

        runner = asyncio.create_task(run())
        try:
            yield heard
        finally:
            runner.cancel()
            await asyncio.gather(runner, *running, return_exceptions=True)

    async def written(self) -> int:
        """Log entries that Envoy made, with those it dropped itself."""
        return await self.world.stat(WRITTEN) + await self.world.stat(DROPPED)

    def received(self) -> int:
        """Log entries that reached any sidecar of ours, by the ledger they share."""
        return int(ledger(self.run_dir)["received"])

    async def until_logged(self, entries: int) -> None:
        """All of them were written and received. AssertionError with both numbers if that does not come true."""
        await self._settled(lambda written, received: written == received == entries, f"{entries} received")

    async def reported(self) -> int:
        """Requests whose outcomes the control plane has, once every sidecar is ended."""
        await stop_all(self.processes)
        return sum(row.requests for batch in self.plane.batches for row in batch.rows)

    async def until_settled(self) -> int:
        """Nothing comes any more: how many entries were written and never received."""
        last, since_s = (-1, -1), time.monotonic()
        deadline_s = since_s + SETTLE_S
        while time.monotonic() - since_s < 3.0:
            assert time.monotonic() < deadline_s, last
            now = (await self.written(), self.received())
            if now != last:
                last, since_s = now, time.monotonic()
            await asyncio.sleep(0.1)
        return last[0] - last[1]

    async def _settled(self, holds: object, what: str) -> None:
        assert callable(holds)
        deadline_s = time.monotonic() + SETTLE_S
        while not holds(written := await self.written(), received := self.received()):
            assert time.monotonic() < deadline_s, (
                f"not within {SETTLE_S} s: {what}; {written} written, {received} received"
            )
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def failure_world(
    *flags: str, workers: int = 1, is_patient: bool = True, rollout_bp: int = WEIGHT_BP
) -> AsyncIterator[FailureWorld]:
    """Envoy runs the service with a rollout at `rollout_bp`; no sidecar is started yet. `flags` are the sidecars'."""
    directory = short_directory()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        upstreams = {name: await serve_upstream(name, stack) for name in ("v1", "v2")}
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        bootstrap = BootstrapSettings(
            NODE,
            worker_sockets(str(directory / "e.sock"), workers),
            admin_port=free_port(),
            xds_port=free_port(),
            node_cluster=GROUP,
        )
        gateway = Gateway(listen_port=free_port(), ext_proc_message_timeout_ms=1_000 if is_patient else 50)
        here = World(gateway, upstreams, PolicyKeeper(directory), bootstrap, client)  # type: ignore[arg-type]
        await here.start_ads()
        stack.push_async_callback(path_world._stop_ads, here)
        template = path_world._patient(read_template()) if is_patient else read_template()
        here.envoy = await path_world._envoy(directory, bootstrap, stack, template)
        await here.publish(at(here.service(), rollout_bp))
        plane = await stack.enter_async_context(control_plane())
        addresses = ("--envoy-admin", f"127.0.0.1:{bootstrap.admin_port}", "--controlplane", f"127.0.0.1:{plane.port}")
        site = FailureWorld(here, plane, directory, (*flags, *addresses), workers)
        stack.push_async_callback(_stop, site)
        yield site


async def _stop(site: FailureWorld) -> None:
    await stop_all(site.processes)
    logs = (site.run_dir / "sidecar.log").read_text(errors="replace") if site.processes else ""
    print(logs[-4_000:])
