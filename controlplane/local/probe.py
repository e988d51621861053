"""Waiting until a process is ready, and talking to Envoy's admin address. Everything is bounded in time."""

import asyncio
import contextlib
import json
import time

import aiohttp

from controlplane.local.errors import StackError
from controlplane.local.logs import tail
from controlplane.local.processes import Child, describe_exit
from controlplane.security.listen import parse_listen

POLL_INTERVAL_S = 0.05
REQUEST_TIMEOUT_S = 2.0


class Probe:
    """HTTP questions to the stack's own processes, on loopback, without proxies or redirects."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S))

    async def close(self) -> None:
        await self._session.close()

    async def until_ready(self, child: Child, address: str, path: str, *, timeout_ms: int) -> None:
        """Polls until 200. Raises StackError if the process ends first, or the time is over."""
        deadline = time.monotonic() + timeout_ms / 1000
        last = "no answer"
        while True:
            if child.exit_code is not None:
                raise StackError(
                    f"{child.spec.name} ({address}) {describe_exit(child.exit_code)} before it was ready"
                    f"{tail(child.spec.log)}",
                    next_step=f"read {child.spec.log}",
                )
            said = await self._ask(f"http://{address}{path}")
            if said == "":
                return
            last = said or last
            if time.monotonic() > deadline:
                raise StackError(
                    f"{child.spec.name} is not ready after {timeout_ms / 1000:g} s: http://{address}{path} says {last}"
                    f"{tail(child.spec.log)}",
                    next_step=f"read {child.spec.log}",
                )
            await asyncio.sleep(POLL_INTERVAL_S)

    async def until_accepts(self, child: Child, address: str, *, timeout_ms: int) -> None:
        """Polls until a TCP connection is accepted. Raises StackError."""
        at = parse_listen(address, flag=child.spec.name)
        host, port = at.host, at.port
        deadline = time.monotonic() + timeout_ms / 1000
        while time.monotonic() < deadline and child.exit_code is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                return
            await asyncio.sleep(POLL_INTERVAL_S)
        raise StackError(
            f"{child.spec.name} does not listen on {address}{tail(child.spec.log)}", next_step=f"read {child.spec.log}"
        )

    async def drain_envoy(self, admin: str, *, timeout_ms: int) -> int:
        """Tell clients to go, and wait for the requests in flight. Returns how many are left at the end of the time."""
        deadline = time.monotonic() + timeout_ms / 1000
        try:
            async with self._session.post(f"http://{admin}/drain_listeners?graceful&skip_exit"):
                pass
            while left := await self._requests_in_flight(admin):
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(POLL_INTERVAL_S)
        except (aiohttp.ClientError, TimeoutError):
            return 0  # Envoy is gone or stuck: there is nothing to wait for
        return left

    async def _requests_in_flight(self, admin: str) -> int:
        url = f"http://{admin}/stats?format=json&filter=^http%5C..*%5C.downstream_rq_active$"
        async with self._session.get(url) as answer:
            stats = json.loads(await answer.text())["stats"]
        return sum(int(row["value"]) for row in stats if "name" in row and not row["name"].startswith("http.admin."))

    async def _ask(self, url: str) -> str | None:
        """ "" for 200; else what was said; None for no answer."""
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                text = (await answer.text(errors="replace")).strip()[:200]
                return "" if answer.status == 200 else f"{answer.status} {text}".strip()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
