"""Ways through a real Envoy of one worker, side by side: each lane is an Envoy of its own, and a sidecar if it asks one.

All lanes serve the same service with the same rollout and the same ten cohort rules, built by the shipped code and sent
over ADS; a lane that is barer than what ships has filters taken out of the listener, and nothing else is changed. The
model servers are a process of their own that all lanes share; only one lane is under load at a time.
"""

import asyncio
import contextlib
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import grpc
from envoy_data_plane.envoy.config.listener import v3 as listener_v3
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from controlplane.manifest.schema import ServiceSpec
from controlplane.security.server import SERVER_OPTIONS
from controlplane.snapshot.assemble import build
from controlplane.snapshot.bootstrap import BootstrapSettings, envoy_arguments, read_template, render
from controlplane.snapshot.filters import TAG_FILTER
from controlplane.snapshot.model import Gateway, RolloutRoute, ServiceRoute
from controlplane.snapshot.resource import EXTENSION, LISTENER, ROUTE, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.groups import GroupBook
from controlplane.xds.server import AdsServer
from tests.bench import go_lane
from tests.bench.cpu import cpu_ns, rss_bytes
from tests.bench.inside import reading_filter
from tests.e2e.path_world import ENVOY, free_port, policy_of, until
from tests.e2e.sidecar_process import NODE, SidecarProcess, keep_policy, short_directory

GO = "go"
VERSIONS = ("v1", "v2")
SALT = "bench-1"
WEIGHT_BP = 2_500
_STAT_PREFIX = "http.serinus."
TAGGED = _STAT_PREFIX + "ext_proc.tag.stream_msgs_received"
UNTAGGED = _STAT_PREFIX + "ext_proc.tag.failure_mode_allowed"
_START_S = 60.0


def _header(name: str, **test: object) -> dict[str, object]:
    return {"header": {"name": name, **test}}


# The users of the load meet none of them, so every request is held against all.
RULES: Sequence[dict[str, object]] = (
    {"name": "staff", "match": _header("x-team", exact="ml"), "pin": "candidate"},
    {"name": "quality", "match": _header("x-team", **{"in": ["qa", "sre", "support"]}), "pin": "candidate"},
    {"name": "paying", "match": _header("x-tier", **{"in": ["gold", "platinum"]}), "pin": "baseline"},
    {"name": "americas", "match": _header("x-region", prefix="us-"), "pin": "baseline"},
    {"name": "asia", "match": _header("x-region", prefix="ap-"), "exclude": True},
    {"name": "company", "match": _header("x-user-id", suffix="@example.com"), "pin": "candidate"},
    {"name": "testers", "match": _header("x-tester", present=True), "pin": "candidate"},
    {"name": "machines", "match": _header("user-agent", prefix="probe/"), "pin": "baseline"},
    {
        "name": "berlin",
        "match": {"all": [_header("x-region", exact="eu-central-1"), _header("x-tier", exact="bronze")]},
        "pin": "baseline",
    },
    {"name": "deletes", "match": {"method": {"exact": "DELETE"}}, "pin": "baseline"},
)


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """`transport`: of the sidecar; "" for none, GO for a server in Go in its place. `tags`: requests ask it. `logs`: it
    gets the access log.

    `shows_tags`: model servers get the headers that are otherwise taken from them.
    """

    name: str
    transport: str = ""
    tags: bool = False
    logs: bool = False
    datapath: str = "ext_proc"
    # Of which share of responses the body is observed; "" for none.
    observes: str = ""
    # A filter of Envoy's own that reads streams (`inside.py`); "" for none.
    reads: str = ""
    shows_tags: bool = False
    envoy_workers: int = 1
    # How long a request waits for its tag.
    timeout_ms: int = 50

    @property
    def asks(self) -> bool:
        """Its requests wait for the sidecar."""
        return self.tags and self.datapath != "native"


@dataclass
class Lane:
    """A lane that runs. `before` is what its processes had used when somebody last looked."""

    spec: LaneSpec
    port: int
    admin_port: int
    envoy: asyncio.subprocess.Process
    sidecar: SidecarProcess | go_lane.GoPeer | None
    session: aiohttp.ClientSession
    _stats: dict[str, int] = field(default_factory=dict)

    async def stats(self) -> dict[str, int]:
        """Envoy's own counters of tags, and the nanoseconds of CPU that the processes have used."""
        url, only = f"http://127.0.0.1:{self.admin_port}/stats", {"filter": f"^({re.escape(_STAT_PREFIX)}|access_logs)"}
        async with self.session.get(url, params=only) as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.split(": ", 1) for line in lines if ": " in line)
        found = {name: int(value) for name, value in pairs if value.isdecimal()}
        found["envoy_ns"] = cpu_ns(self.envoy.pid)
        found["sidecar_ns"] = cpu_ns(self.sidecar.pid) if self.sidecar else 0
        return found

    def sidecar_rss_bytes(self) -> int:
        return rss_bytes(self.sidecar.pid) if self.sidecar else 0


@contextlib.asynccontextmanager
async def lanes(
    specs: Sequence[LaneSpec],
    *,
    controlplane: str = "127.0.0.1:9",
    protocol: str = "http",
    upstream: str = "tests.bench.fast_upstream",
) -> AsyncIterator[list[Lane]]:
    """All of them up, and tagging where they tag. `controlplane`: where sidecars report to. `upstream`: the module that
    serves."""
    directory = short_directory()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        ports = await stack.enter_async_context(_upstreams(upstream))
        ads = AdsServer()
        ads.set_groups(GroupBook({spec.name: () for spec in specs}))
        server = grpc.aio.server(options=SERVER_OPTIONS)
        ads.add_to(server)
        xds_port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        site = _Site(directory, ads, xds_port, ports, session, controlplane, protocol)
        yield [await stack.enter_async_context(_lane(spec, site)) for spec in specs]


@contextlib.asynccontextmanager
async def _upstreams(module: str) -> AsyncIterator[list[int]]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, str(len(VERSIONS))), stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_S):
            ports: list[int] = json.loads(await process.stdout.readline())
        yield ports
    finally:
        process.stdin.close()
        await process.wait()


def service(ports: Sequence[int], datapath: str, protocol: str = "http", observes: str = "") -> ServiceRoute:
    """The service under load, in the middle of a rollout."""
    versions = [
        {"name": name, "endpoints": [f"127.0.0.1:{port}"], "health": {"path": "/health"}}
        for name, port in zip(VERSIONS, ports, strict=True)
    ]
    spec = {
        "protocol": protocol,
        "observe": {"body": bool(observes), "sample": observes or "100%"},
        "hosts": ["*"],
        "sticky": {"header": "x-user-id"},
        "datapath": datapath,
        "versions": versions,
        "baseline": "v1",
        "cohorts": [*RULES],
    }
    rollout = RolloutRoute("chat-v2", "v2", WEIGHT_BP)
    return ServiceRoute("chat", ServiceSpec.model_validate(spec), baseline="v1", salt=SALT, rollout=rollout)


@dataclass(frozen=True, slots=True)
class _Site:
    """What all lanes share. `controlplane`: where sidecars report to."""

    directory: Path
    ads: AdsServer
    xds_port: int
    upstream_ports: Sequence[int]
    session: aiohttp.ClientSession
    controlplane: str
    protocol: str


@contextlib.asynccontextmanager
async def _lane(spec: LaneSpec, site: _Site) -> AsyncIterator[Lane]:
    directory = site.directory / spec.name
    route = service(site.upstream_ports, spec.datapath, site.protocol, spec.observes)
    gateway = Gateway(listen_port=free_port(), ext_proc_message_timeout_ms=spec.timeout_ms)
    socket, admin_port = directory / "e.sock", free_port()
    async with contextlib.AsyncExitStack() as stack:
        sidecar: SidecarProcess | go_lane.GoPeer | None = None
        keep_policy(directory, [policy_of(route)])
        if spec.transport == GO:
            sidecar = go_lane.GoPeer(await go_lane.build(directory), socket)
        elif spec.transport:
            flags = ("--transport", spec.transport, "--envoy-admin", f"127.0.0.1:{admin_port}")
            sidecar = SidecarProcess(directory, socket, free_port(), *flags, "--controlplane", site.controlplane)
        if sidecar is not None:
            stack.push_async_callback(sidecar.stop)
            await sidecar.start()
        snapshot = _as_asked(build([route], gateway), spec)
        site.ads.publish(spec.name, snapshot)
        settings = BootstrapSettings(
            NODE, (str(socket),), node_cluster=spec.name, admin_port=admin_port, xds_port=site.xds_port
        )
        envoy = await stack.enter_async_context(_envoy(directory, settings, spec.envoy_workers))
        await until(lambda: site.ads.fleet(spec.name).has_accepted(snapshot), f"{spec.name}: Envoy runs it", _START_S)
        lane = Lane(spec, gateway.listen_port, admin_port, envoy, sidecar, site.session)
        await _until_tagging(lane)
        yield lane


@contextlib.asynccontextmanager
async def _envoy(
    directory: Path, settings: BootstrapSettings, workers: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    bootstrap = directory / "envoy.yaml"
    bootstrap.write_text(render(read_template(), settings))
    with (directory / "envoy.log").open("wb") as log:
        arguments = envoy_arguments(str(bootstrap), workers=workers, log_level="error")
        process = await asyncio.create_subprocess_exec(ENVOY, *arguments, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_tagging(lane: Lane) -> None:
    """Envoy's first health check of its sidecar, and of the model servers, is through."""
    async with asyncio.timeout(_START_S):
        while True:
            async with lane.session.get(f"http://127.0.0.1:{lane.port}/", headers={"x-user-id": "first"}) as answer:
                status = answer.status
            if status == 200 and (not lane.spec.asks or (await lane.stats()).get(TAGGED, 0) > 0):
                return
            await asyncio.sleep(0.1)


def _as_asked(snapshot: Snapshot, spec: LaneSpec) -> Snapshot:
    """The snapshot as shipped, without what the lane is to do without."""
    (listener,) = snapshot.of_type(LISTENER)
    types = dict(snapshot.types)
    types[LISTENER] = ResourceSet.of([resource(listener.name, LISTENER, _listener(listener.body, spec))])
    if not spec.tags:
        types[EXTENSION] = types[EXTENSION].without({TAG_FILTER})
    overlay = dict(snapshot.overlay)
    if spec.shows_tags:
        (routes,) = overlay[ROUTE]
        message = route_v3.RouteConfiguration.parse(routes.body)
        shown = bytes(replace(message, request_headers_to_remove=[]))
        overlay[ROUTE] = ResourceSet.of([resource(routes.name, ROUTE, shown)])
    return Snapshot(types, overlay)


def _listener(body: bytes, spec: LaneSpec) -> bytes:
    message = listener_v3.Listener.parse(body)
    config = message.filter_chains[0].filters[0].typed_config
    assert config is not None
    manager = hcm.HttpConnectionManager.parse(config.value)
    if not spec.tags:
        manager.http_filters = [each for each in manager.http_filters if each.name != TAG_FILTER]
    if not spec.logs:
        manager.access_log = []
    if spec.reads:
        manager.http_filters = [*manager.http_filters[:-1], reading_filter(spec.reads), manager.http_filters[-1]]
    config.value = bytes(manager)
    return bytes(message)
