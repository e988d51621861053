"""A real OpenTelemetry collector (rotel) that hands on what it gets to a receiver of the test."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from aiohttp import ClientSession, web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from controlplane.local.addresses import free_addresses
from tests import skips
from tests.e2e.harness import wait_for


def binary() -> str:
    """Its path; without one the test is skipped."""
    spec = find_spec("rotel")
    agent = Path(spec.origin).parent / "rotel-agent" if spec is not None and spec.origin is not None else None
    found = shutil.which(str(agent)) if agent is not None else None
    if found is None:
        skips.skip("rotel is missing", next_step="pip install rotel: it has wheels for Linux on x86-64")
    return found


@dataclass
class Received:
    """What came out of the collector. `services`: the names of resources."""

    spans: dict[bytes, Span] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)

    async def traces(self, request: web.Request) -> web.Response:
        for of in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            self.services |= {each.value.string_value for each in of.resource.attributes if each.key == "service.name"}
            for scope in of.scope_spans:
                self.spans |= {span.span_id: span for span in scope.spans}
        return web.Response(content_type="application/x-protobuf")

    async def metered(self, request: web.Request) -> web.Response:
        for of in ExportMetricsServiceRequest.FromString(await request.read()).resource_metrics:
            for scope in of.scope_metrics:
                self.metrics |= {metric.name: metric for metric in scope.metrics}
        return web.Response(content_type="application/x-protobuf")

    @property
    def names(self) -> set[str]:
        return {span.name for span in self.spans.values()}


async def _listens(address: str) -> bool:
    with contextlib.suppress(OSError):
        async with ClientSession() as session, session.get(f"http://{address}/"):
            return True
    return False


@contextlib.asynccontextmanager
async def running(program: str, directory: Path) -> AsyncIterator[tuple[str, Received]]:
    """The address that it listens at for OTLP over HTTP, and what it hands on."""
    http, grpc, out = free_addresses(3)
    received = Received()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/v1/traces", received.traces)
    app.router.add_post("/v1/metrics", received.metered)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = out.rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()
    flags = ["start", "--otlp-http-endpoint", http, "--otlp-grpc-endpoint", grpc, "--batch-timeout", "100ms"]
    flags += ["--exporter", "otlp", "--otlp-exporter-endpoint", f"http://{out}", "--otlp-exporter-protocol", "http"]
    with (directory / "rotel.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, *flags, stdout=log, stderr=log)
    try:
        await wait_for(lambda: _listens(http), timeout_s=30, what="rotel listens")
        yield f"http://{http}", received
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        await runner.cleanup()
