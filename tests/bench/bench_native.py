"""What a native service costs over bare Envoy: both in one Envoy with one worker, in turns, with the same access log.

*Bare* is a listener with a router and nothing else: one route to one version, with the metadata of the native route, so
that its log lines are as long. *Native* is the product's own listener and routes: early removal of our headers, tagging
turned off, noting, two cohorts, hash, weights, two response headers. Upstream is a second Envoy that answers at once;
the entries go over the socket to a sidecar's transport that lets them drop, in both cases. The client is h2load.

A pair is a run of each, one after the other, the order changing from pair to pair. Throughput shares the machine's cores
with client and upstream; the CPU time of Envoy's worker thread does not, so it is the sharper figure.
"""

import asyncio
import contextlib
import json
import re
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener_v3
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from controlplane.snapshot.assemble import build
from controlplane.snapshot.encoding import milliseconds, packed
from controlplane.snapshot.filters import access_log, http_filters
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.resource import LISTENER, Resource, ResourceSet, resource
from controlplane.snapshot.route import build_routes
from tests.bench.result import Column, Goal, Result, percentile
from tests.e2e.path_world import ENVOY, GROUP, World, at, free_port, policy_of, until, world

PAIRS = 14
REQUESTS, CONNECTIONS = 12_000, 16
LOST_MAX = 0.03
_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_USER = "x-user-id: 6547fa0b-ce36-43b2-82fe-8dd0d3f19fad"
_COHORTS = [
    {"name": "staff", "match": {"header": {"name": "x-team", "exact": "ml"}}, "pin": "candidate"},
    {"name": "gold", "match": {"header": {"name": "x-tier", "in": ["gold", "platinum"]}}, "pin": "baseline"},
]


@dataclass(frozen=True)
class Run:
    """Requests a second, and microseconds of the worker's CPU a request."""

    rate: float
    cpu_us: float


def run(pairs: int = PAIRS) -> Result:
    """Medians over the pairs, and of the ratios within pairs."""
    found = asyncio.run(_measured(pairs))
    bare, native = zip(*found, strict=True)
    rows = [_row("bare", bare), _row("native", native)]
    lost = [1 - two.rate / one.rate for one, two in found]
    more = [two.cpu_us / one.cpu_us - 1 for one, two in found]
    return Result(
        name="native",
        title=f"Native data path beside bare Envoy, one worker, {CONNECTIONS} connections, {pairs} pairs",
        columns=[
            Column("path", "path"),
            Column("rate", "requests/s, median"),
            Column("cpu_us", "worker CPU us/request"),
        ],
        rows=rows,
        reading=[
            f"throughput of native over bare, within pairs: median {_percent(1 - statistics.median(lost))}, "
            f"quartiles {_percent(1 - percentile(lost, 0.75))} to {_percent(1 - percentile(lost, 0.25))}",
            f"worker CPU of native over bare, within pairs: median +{_percent(statistics.median(more))}, "
            f"quartiles {_percent(percentile(more, 0.25))} to {_percent(percentile(more, 0.75))}",
        ],
        goals=[Goal("throughput lost to bare Envoy, median of the pairs", statistics.median(lost), LOST_MAX, "")],
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _row(path: str, runs: tuple[Run, ...]) -> dict[str, Any]:
    rate, cpu_us = (statistics.median(getattr(each, name) for each in runs) for name in ("rate", "cpu_us"))
    return {"path": path, "rate": round(rate), "cpu_us": round(cpu_us, 1)}


async def _measured(pairs: int) -> list[tuple[Run, Run]]:
    async with world(workers=1) as here, _upstream() as port:
        here.sidecar.access_logs = _drop  # type: ignore[method-assign]
        ports = {"bare": free_port(), "native": here.gateway.listen_port}
        await _publish(here, _service(here, port), ports["bare"])
        for each in ports.values():
            await _run(here, each)
        found = []
        for number in range(pairs):
            order = ["bare", "native"] if number % 2 else ["native", "bare"]
            runs = {name: await _run(here, ports[name]) for name in order}
            found.append((runs["bare"], runs["native"]))
        return found


def _drop(_message: bytes) -> None:
    pass


def _service(here: World, port: int) -> ServiceRoute:
    versions = [{"name": name, "endpoints": [f"127.0.0.1:{port}"]} for name in ("v1", "v2")]
    return at(here.service(versions=versions, datapath="native", cohorts=_COHORTS), 2_500)


async def _publish(here: World, service: ServiceRoute, bare_port: int) -> None:
    snapshot = build([service], here.gateway)
    listeners = ResourceSet.of((*snapshot.of_type(LISTENER), _bare_listener(service, bare_port)))
    snapshot = replace(snapshot, types={**snapshot.types, LISTENER: listeners})
    here.sidecar.enforce([policy_of(service)])
    here.ads.publish(GROUP, snapshot)
    await until(lambda: here.ads.fleet(GROUP).has_accepted(snapshot), "Envoy accepts both listeners")
    await here.until_tagging()


def _bare_listener(service: ServiceRoute, port: int) -> Resource:
    native = next(route_v3.Route.parse(route) for route in build_routes(service) if b"/native/everyone" in route)
    route = route_v3.Route(
        match=route_v3.RouteMatch(prefix="/"),
        route=route_v3.RouteAction(cluster=f"{service.name}/v1", timeout=milliseconds(0)),
        metadata=native.metadata,
    )
    manager = hcm.HttpConnectionManager(
        stat_prefix="bare",
        use_remote_address=True,
        generate_request_id=True,
        route_config=route_v3.RouteConfiguration(
            name="bare", virtual_hosts=[route_v3.VirtualHost(name="bare", domains=["*"], routes=[route])]
        ),
        http_filters=http_filters()[-1:],
        access_log=[access_log()],
    )
    message = listener_v3.Listener(
        name="bare",
        address=core.Address(socket_address=core.SocketAddress(address="127.0.0.1", port_value=port)),
        filter_chains=[
            listener_v3.FilterChain(filters=[listener_v3.Filter(name="http", typed_config=packed(manager, _HCM))])
        ],
    )
    return resource("bare", LISTENER, bytes(message), {f"{service.name}/v1"})


async def _run(here: World, port: int) -> Run:
    assert here.envoy is not None
    command = ("h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-n{REQUESTS}", "-H", _USER, f"http://127.0.0.1:{port}/")
    before_ns = _worker_ns(here.envoy.pid)
    client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output = (await client.communicate())[0].decode()
    spent_ns = _worker_ns(here.envoy.pid) - before_ns
    good, rate = re.search(r"(\d+) 2xx", output), re.search(r"finished in [^,]+, ([0-9.]+) req/s", output)
    assert good, output
    assert rate, output
    assert int(good[1]) == REQUESTS, output
    return Run(float(rate[1]), spent_ns / REQUESTS / 1_000)


def _worker_ns(pid: int) -> int:
    """CPU time of Envoy's worker threads."""
    tasks = [task for task in Path(f"/proc/{pid}/task").iterdir() if (task / "comm").read_text().startswith("wrk:")]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


@contextlib.asynccontextmanager
async def _upstream() -> AsyncIterator[int]:
    """An Envoy that answers everything itself."""
    port, directory = free_port(), Path(tempfile.mkdtemp(prefix="sbn-"))
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": f"type.googleapis.com/{_HCM}",
        "stat_prefix": "upstream",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]},
        "http_filters": [{"name": "router", "typed_config": router}],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    config = directory / "upstream.json"
    config.write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    arguments = ("-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    process = await asyncio.create_subprocess_exec(ENVOY, *arguments)
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(directory)
