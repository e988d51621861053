"""A real Envoy between a client and two model servers, with our ADS server and the parts of our sidecar beside it.

Everything but Envoy lives in the test's event loop. Ports are found by binding port 0; Envoy is spawned from the main
thread (it ends with the thread that made it) and ended by its pid.
"""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import grpc

from controlplane.clock import SystemClock
from controlplane.manifest.schema import ServiceSpec
from controlplane.security.ca import issue_client, issue_server, make_authority
from controlplane.security.server import SERVER_OPTIONS, server_credentials
from controlplane.settings import TlsFiles
from controlplane.snapshot.assemble import build
from controlplane.snapshot.bootstrap import BootstrapSettings, ClientTls, envoy_arguments, read_template, render
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.model import Gateway, RolloutRoute, ServiceRoute
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.groups import GroupBook
from controlplane.xds.server import AdsServer
from serinus.contract.policy import CohortRule, ServicePolicy, TokenPolicy
from serinus.contract.weight import WEIGHT_TOTAL_BP
from tests.e2e.path_sidecar import PathSidecar
from tests.e2e.path_upstream import Upstream, serve_upstream
from tests.e2e.sidecar_process import short_directory
from tests.ports import free_port
from tests.waiting import until

ENVOY = Path(sys.executable).parent / "envoy"
SALT = "r1"
# The proxy group: Envoy's node.cluster.
GROUP = "tests"
DEADLINE_S = 20.0
# Far above what a request waits for the sidecar; the test's event loop runs both.
CLUSTER_LINGER_S = 1.5


@dataclass(frozen=True)
class Reply:
    status: int
    version: str | None
    headers: Mapping[str, str]
    body: str


@dataclass
class World:
    """The running parts. `services` are what was published last."""

    gateway: Gateway
    upstreams: dict[str, Upstream]
    sidecar: PathSidecar
    bootstrap: BootstrapSettings
    client: aiohttp.ClientSession
    ads: AdsServer = field(default_factory=AdsServer)
    ads_server: Any = None
    server_tls: TlsFiles | None = None
    envoy: asyncio.subprocess.Process | None = None

    def service(self, **spec: Any) -> ServiceRoute:
        """The service `chat` with versions v1 and v2 on the upstreams, sticky by x-user-id and through the sidecar, unless
        told otherwise.
        """
        versions = [
            {"name": name, "endpoints": [f"127.0.0.1:{upstream.port}"], "health": {"path": "/health"}}
            for name, upstream in self.upstreams.items()
        ]
        values = {
            "protocol": "http",
            "hosts": ["*"],
            "sticky": {"header": "x-user-id"},
            "datapath": "ext_proc",
            "versions": versions,
            "baseline": "v1",
            **spec,
        }
        return ServiceRoute("chat", ServiceSpec.model_validate(values), baseline="v1", salt=SALT)

    async def start_ads(self) -> None:
        """A control plane on the port that Envoy's bootstrap names; nothing is published yet."""
        self.ads = AdsServer(cluster_linger_s=CLUSTER_LINGER_S)
        self.ads.set_groups(GroupBook({GROUP: ()}))
        self.ads_server = grpc.aio.server(options=SERVER_OPTIONS)
        self.ads.add_to(self.ads_server)
        address = f"{self.bootstrap.xds_host}:{self.bootstrap.xds_port}"
        if self.server_tls is None:
            self.ads_server.add_insecure_port(address)
        else:
            self.ads_server.add_secure_port(address, server_credentials(self.server_tls))
        await self.ads_server.start()

    async def publish(self, *services: ServiceRoute) -> Snapshot:
        """Publishes, and waits until Envoy runs it and the sidecar has the policy."""
        snapshot = build(services, self.gateway)
        self.sidecar.enforce([policy_of(service) for service in services])
        self.ads.publish(GROUP, snapshot)
        await until(lambda: self.ads.fleet(GROUP).has_accepted(snapshot), f"Envoy accepts {snapshot.version}")
        return snapshot

    async def get(self, headers: Mapping[str, str] | Sequence[tuple[str, str]] = (), path: str = "/") -> Reply:
        url = f"http://127.0.0.1:{self.gateway.listen_port}{path}"
        async with self.client.get(url, headers=dict(headers)) as response:
            version = response.headers.get("x-serinus-version")
            return Reply(response.status, version, response.headers, await response.text())

    async def versions_of(self, users: Sequence[str], header: str = "x-user-id") -> dict[str, str | None]:
        """Which version each user gets, with 8 requests in flight."""
        gate = asyncio.Semaphore(8)

        async def one(user: str) -> str | None:
            async with gate:
                reply = await self.get({header: user})
                assert reply.status == 200, reply
                return reply.version

        return dict(zip(users, await asyncio.gather(*map(one, users)), strict=True))

    async def stat(self, name: str) -> int:
        """One of Envoy's own counters or gauges."""
        url = f"http://127.0.0.1:{self.bootstrap.admin_port}/stats"
        try:
            async with self.client.get(url, params={"filter": f"^{name}$"}) as response:
                text = await response.text()
        except aiohttp.ClientConnectorError:  # Envoy is about to start
            return 0
        return int(text.split(": ")[1]) if text.strip() else 0

    async def until_tagging(self) -> None:
        """Waits until Envoy's health check has found the sidecar."""
        await self.until_stat("cluster.sidecar.membership_healthy", 1)

    async def until_untagged(self) -> None:
        """Waits until Envoy's health check has noticed that the sidecar is away."""
        await self.until_stat("cluster.sidecar.membership_healthy", 0)

    async def until_stat(self, name: str, value: int) -> None:
        """Waits until a gauge has a value."""
        await self._until(name, lambda now: now == value, f"not {value}")

    async def until_counted(self, name: str) -> None:
        """Waits until a counter has counted anything: it may count on between two looks."""
        await self._until(name, lambda now: now > 0, "nothing was counted")

    async def _until(self, name: str, holds: Callable[[int], bool], otherwise: str) -> None:
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while not holds(now := await self.stat(name)):
            assert asyncio.get_running_loop().time() < deadline, f"{name} is {now}: {otherwise}"
            await asyncio.sleep(0.02)


def policy_of(service: ServiceRoute) -> ServicePolicy:
    """The cohort policy that goes to the sidecars along with a route, as the engine makes it."""
    candidate = service.rollout.candidate if service.rollout else ""
    cohorts = tuple(
        CohortRule(
            cohort.name,
            cohort.condition(service.name),
            cohort.version(baseline=service.baseline, candidate=candidate),
        )
        for cohort in service.spec.cohorts
    )
    tokens = service.spec.tokens
    return ServicePolicy(
        service.name,
        service.salt,
        service.baseline,
        service.spec.sticky,
        cohorts,
        service.spec.observe.is_on,
        observe_sampled=service.spec.observe.sample_bp < WEIGHT_TOTAL_BP,
        tokens=TokenPolicy(tokens.key_file, (service.baseline, candidate)) if tokens and candidate else None,
    )


def at(service: ServiceRoute, weight_bp: int, *, pins: bool = True) -> ServiceRoute:
    """The service with a rollout of v2 at a weight."""
    return replace(service, rollout=RolloutRoute("chat-v2", "v2", weight_bp, pins))


@contextlib.asynccontextmanager
async def world(
    *,
    has_tls: bool = False,
    xds_host: str = "127.0.0.1",
    mode: Mode = Mode.DELTA,
    transport: str = "own",
    workers: int = 2,
) -> AsyncIterator[World]:
    """Everything started, nothing published. A request waits 3 s for the sidecar: all share one event loop.

    `transport`: the sidecar's. `has_tls`: Envoy and the control plane have certificates of one CA; the control plane's
    is for 127.0.0.1. `workers`: Envoy's.
    """
    directory = short_directory()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        upstreams = {name: await serve_upstream(name, stack) for name in ("v1", "v2")}
        client = await stack.enter_async_context(aiohttp.ClientSession())
        sidecar = PathSidecar(directory / "extproc.sock", transport)
        await sidecar.start()
        stack.push_async_callback(sidecar.stop)
        gateway = Gateway(listen_port=free_port(), ext_proc_message_timeout_ms=3_000)
        settings = BootstrapSettings(
            "test-1",
            (str(sidecar.socket),),
            admin_port=free_port(),
            xds_host=xds_host,
            xds_port=free_port(),
            node_cluster=GROUP,
            xds_mode=mode,
            tls=ClientTls(*(str(directory / f"envoy.{kind}") for kind in ("ca", "cert", "key"))) if has_tls else None,
        )
        here = World(gateway, upstreams, sidecar, settings, client)
        if has_tls:
            here.server_tls = _certificates(directory)
        await here.start_ads()
        stack.push_async_callback(_stop_ads, here)
        here.envoy = await _envoy(directory, settings, stack, _patient(read_template()), workers)
        yield here


def _certificates(directory: Path) -> TlsFiles:
    """Envoy's files and the control plane's, which are returned."""
    now_ms = SystemClock().now_ms()
    authority = make_authority(now_ms=now_ms, days=1)
    issued = {
        "envoy": issue_client(authority, "envoy", now_ms=now_ms),
        "server": issue_server(authority, hosts=[], now_ms=now_ms),
    }
    for party, leaf in issued.items():
        (directory / f"{party}.ca").write_bytes(authority.issued.cert_pem)
        (directory / f"{party}.cert").write_bytes(leaf.cert_pem)
        (directory / f"{party}.key").write_bytes(leaf.key_pem)
        (directory / f"{party}.key").chmod(0o600)
    return TlsFiles(*(directory / f"server.{kind}" for kind in ("ca", "cert", "key")))


async def _stop_ads(here: World) -> None:
    await here.ads_server.stop(None)


def _patient(template: str) -> str:
    """The sidecar shares its event loop with everything else here: a busy machine must not make it look dead."""
    assert template.count("timeout: 0.5s") == 1
    return template.replace("timeout: 0.5s", "timeout: 5s")


async def _envoy(
    directory: Path, settings: BootstrapSettings, stack: contextlib.AsyncExitStack, template: str, workers: int = 2
) -> asyncio.subprocess.Process:
    bootstrap = directory / "bootstrap.yaml"
    bootstrap.write_text(render(template, settings))
    log = stack.enter_context((directory / "envoy.log").open("wb"))
    process = await asyncio.create_subprocess_exec(
        ENVOY, *envoy_arguments(str(bootstrap), workers=workers), stdout=log, stderr=log
    )
    stack.callback(lambda: print((directory / "envoy.log").read_text(errors="replace")[-4_000:]))
    stack.push_async_callback(_end, process)
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(5):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
