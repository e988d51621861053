"""The outside of the telemetry: /metrics, /healthz, /readyz over HTTP, and JSON lines on stderr.

`reuse_port` lets a new process listen beside the one it replaces; scrapes go to either until the old one is gone.
/healthz: the process runs. /readyz: it serves Envoy and has a cohort policy; 503 with the reason otherwise.
"""

import json
import logging
import ssl
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from extproc.telemetry.tables import Counter, Table

# Fields that a log record always has; everything else on it came in through `extra` and is written out.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TableCollector:
    """Renders tables at scrape time."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables

    def collect(self) -> Iterable[Metric]:
        for table in self._tables:
            yield _counter_family(table) if isinstance(table, Counter) else _histogram_family(table)


def _counter_family(table: Counter) -> Metric:
    metric = table.metric
    family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
    for labels, value in table.values.items():
        family.add_metric(labels, value)
    if not metric.labels and not table.values:
        family.add_metric((), 0)
    return family


def _histogram_family(table: Table) -> Metric:
    assert not isinstance(table, Counter)
    metric = table.metric
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    edges = [*map(repr, metric.buckets_s), "+Inf"]
    for labels, bins in table.values.items():
        family.add_metric(labels, list(zip(edges, accumulate(bins.counts), strict=True)), bins.sum_s)
    return family


class HttpExporter:
    """The HTTP side. `ready` returns "" when ready, else why not."""

    def __init__(self, tables: Sequence[Table], ready: Callable[[], str]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(TableCollector(tables))
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int, certificate: tuple[Path, Path] | None = None) -> None:
        """Listen, with TLS if a certificate and its key (PEM) are given. Raises OSError when it cannot."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        context = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
        await web.TCPSite(self._runner, host, port, ssl_context=context, reuse_port=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        why_not = self._ready()
        return web.Response(text=f"{why_not or 'ok'}\n", status=503 if why_not else 200)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, event, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send all logs to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
