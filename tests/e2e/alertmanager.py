"""A real Alertmanager of Debian's package: what it was told, telling it, and where its webhook goes."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from controlplane.local.addresses import free_addresses
from tests import skips
from tests.e2e.harness import wait_for

# Debian's name; others call it by its own, and build the templates in.
DEBIANS, OTHERS = "prometheus-alertmanager", "alertmanager"
TEMPLATES = Path("/usr/share/prometheus/alertmanager/default.tmpl")


def binary() -> str:
    """Its path; without one the test is skipped."""
    found = shutil.which(DEBIANS) if TEMPLATES.exists() else None
    found = found or shutil.which(OTHERS)
    if found is None:
        skips.skip("Alertmanager is missing", next_step="install Debian's package prometheus-alertmanager")
    return found


@dataclass(frozen=True)
class Alertmanager:
    """Its HTTP API, by a session that its owner closes."""

    url: str
    session: aiohttp.ClientSession

    async def names(self) -> set[str]:
        """Of the alerts that fire."""
        async with self.session.get("/api/v2/alerts", params={"active": "true"}) as answer:
            return {alert["labels"]["alertname"] for alert in await answer.json()}

    async def alert(self, labels: Mapping[str, str], annotations: Mapping[str, str], *, fires: bool) -> None:
        """As Prometheus tells it."""
        now = datetime.now(UTC)
        row: dict[str, Any] = {"labels": labels, "annotations": annotations}
        # Without an end it fires until resolve_timeout; with one that is over it is resolved.
        row |= {} if fires else {"endsAt": (now - timedelta(seconds=1)).isoformat()}
        async with self.session.post("/api/v2/alerts", json=[row]) as answer:
            assert answer.status == 200, await answer.text()


@contextlib.asynccontextmanager
async def running(program: str, directory: Path, webhook: str) -> AsyncIterator[Alertmanager]:
    """Everything goes to the webhook, as soon as it may."""
    (address,) = free_addresses(1)
    quick = {"group_by": ["..."], "group_wait": "100ms", "group_interval": "500ms", "repeat_interval": "1h"}
    receiver = {"name": "all", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
    config = directory / "alertmanager.yml"
    config.write_text(json.dumps({"route": {"receiver": "all", **quick}, "receivers": [receiver]}))
    command = [program, f"--config.file={config}", f"--storage.path={directory / 'am'}", "--cluster.listen-address="]
    with (directory / "alertmanager.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, f"--web.listen-address={address}", stdout=log, stderr=log
        )
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            await wait_for(lambda: _is_ready(session), timeout_s=30, what="Alertmanager is ready")
            yield Alertmanager(f"http://{address}", session)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _is_ready(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
