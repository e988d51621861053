import asyncio
import json
import logging
import shutil
import subprocess

import aiohttp
from prometheus_client import CollectorRegistry, generate_latest

from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.exporter import HttpExporter, JsonFormatter, TableCollector
from extproc.telemetry.tables import Histogram
from tests import skips
from tests.ports import free_port


async def fetch(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


def test_metrics_health_and_readiness_over_http() -> None:
    async def story() -> None:
        catalogue, port, reasons = Catalogue(), free_port(), ["no policy"]
        catalogue.outcomes.add(("chat", "v1", "everyone", "ok", ""))
        catalogue.durations.observe(0.015, ("chat", "v1"))
        exporter = HttpExporter(catalogue.tables(), lambda: reasons[0])
        await exporter.start("127.0.0.1", port)
        try:
            assert await fetch(port, "/healthz") == (200, "ok\n")
            assert await fetch(port, "/readyz") == (503, "no policy\n")
            reasons[0] = ""
            assert await fetch(port, "/readyz") == (200, "ok\n")
            status, text = await fetch(port, "/metrics")
        finally:
            await exporter.stop()
        assert status == 200
        for line in (
            'serinus_outcomes_total{cohort="everyone",error_class="",outcome="ok",service="chat",version="v1"} 1.0',
            'serinus_request_duration_seconds_bucket{le="0.01",service="chat",version="v1"} 0.0',
            'serinus_request_duration_seconds_bucket{le="0.02",service="chat",version="v1"} 1.0',
            'serinus_request_duration_seconds_bucket{le="+Inf",service="chat",version="v1"} 1.0',
            'serinus_request_duration_seconds_sum{service="chat",version="v1"} 0.015',
            "serinus_lost_log_entries_total 0.0",
        ):
            assert line in text.splitlines()

    asyncio.run(story())


def test_promtool_has_nothing_to_say_about_any_metric() -> None:
    found = shutil.which("promtool")
    if found is None:
        skips.skip("promtool is missing", next_step="install Debian's package prometheus")
    tables = Catalogue().tables()
    for table in tables:
        labels = tuple("x" for _ in table.metric.labels)
        if isinstance(table, Histogram):
            table.observe(0.01, labels)
        else:
            table.add(labels)
    registry = CollectorRegistry()
    registry.register(TableCollector(tables))
    text = generate_latest(registry)
    done = subprocess.run([found, "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_a_new_process_can_listen_beside_the_one_it_replaces() -> None:
    async def story() -> None:
        port = free_port()
        first, second = (HttpExporter(Catalogue().tables(), lambda: "") for _ in range(2))
        await first.start("127.0.0.1", port)
        await second.start("127.0.0.1", port)
        await first.stop()
        assert await fetch(port, "/healthz") == (200, "ok\n")
        await second.stop()

    asyncio.run(story())


def test_a_log_line_is_one_json_object() -> None:
    record = logging.makeLogRecord(
        {"levelno": logging.WARNING, "levelname": "WARNING", "msg": "away", "address": "a:1"}
    )
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["event"], line["address"]) == ("warning", "away", "a:1")
    assert line["time"].endswith("Z")
