"""A real Prometheus of Debian's package, scraping what a test runs, and what it answers to queries."""

import asyncio
import contextlib
import json
import math
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from controlplane.local.addresses import free_addresses
from tests import skips
from tests.e2e.harness import wait_for

SCRAPE_S = 1


def binary() -> str:
    """Its path; without one the test is skipped."""
    found = shutil.which("prometheus")
    if found is None:
        skips.skip("prometheus is missing", next_step="install Debian's package prometheus")
    return found


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP API, by a session that its owner closes."""

    session: aiohttp.ClientSession

    async def answers(self, expression: str, begin_s: float, end_s: float) -> list[Mapping[str, str]]:
        """Labels of the series with at least one number in that time. AssertionError for what it refuses."""
        asked = {"query": expression, "start": f"{begin_s}", "end": f"{end_s}", "step": f"{SCRAPE_S}s"}
        async with self.session.post("/api/v1/query_range", data=asked) as answer:
            said = await answer.json()
        assert said["status"] == "success", f"{expression}: {said}"
        series = said["data"]["result"]
        return [each["metric"] for each in series if any(math.isfinite(float(value)) for _, value in each["values"])]


@contextlib.asynccontextmanager
async def scraping(program: str, directory: Path, jobs: Mapping[str, str], rules: Path) -> AsyncIterator[Prometheus]:
    """`jobs`: name -> HOST:PORT. It answers when the block begins and has ended when the block has."""
    (address,) = free_addresses(1)
    scrapes = [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in jobs.items()]
    every = {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S}s", "evaluation_interval": "1s"}
    config = directory / "prometheus.yml"
    config.write_text(json.dumps({"global": every, "rule_files": [str(rules)], "scrape_configs": scrapes}))
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}"]
    with (directory / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, f"--web.listen-address={address}", stdout=log, stderr=log
        )
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            await wait_for(lambda: _is_ready(session), timeout_s=60, what="Prometheus is ready")
            yield Prometheus(session)
    finally:
        # Nothing of it is kept: its orderly end would write blocks for a second.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _is_ready(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
