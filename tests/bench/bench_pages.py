"""What the pages cost and how quick they are: a control plane of its own with 200 rollouts, a real Chromium, and a hundred
open pages.

The first paint is the browser's own figure, of a window that knows nothing of the page yet. An event is an operator's
pause: from its answer to the words on an open page. The hundred pages are streams that read what comes; of the control
plane's processor time, what the same rollouts cost without any page is taken away. Half of the pages show one rollout, the
others the list.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import grpc
import psutil

from serinus.v1 import admin_pb2, admin_pb2_grpc
from tests.bench.result import Column, Goal, Result, percentile
from tests.e2e.browser import browser
from tests.ports import free_port
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

ROLLOUTS, PAGES = 200, 100
PAINT_S_MAX, HEARD_S_MAX, CORE_SHARE_MAX = 1.0, 1.0, 0.10

_PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def manifest() -> str:
    parts = []
    for number in range(ROLLOUTS):
        name = f"s{number}"
        parts.append(SERVICE.replace("name: chat}", f"name: {name}}}").replace('hosts: ["*"]', f"hosts: [{name}.test]"))
        parts.append(ROLLOUT.replace("chat-v2", f"{name}-v2").replace("service: chat", f"service: {name}"))
    return "---\n".join(parts)


def run(*, rounds: int = 10, load_s: float = 20.0) -> Result:
    """`load_s`: how long the processor is watched, twice."""
    with tempfile.TemporaryDirectory(prefix="pages-") as home:
        ports = [f"127.0.0.1:{free_port()}" for _ in range(4)]
        admin, xds, http, listen = ports
        flags = ["--state", home, "--admin", admin, "--xds", xds, "--http", http, "--listen", listen]
        command = [str(Path(sys.executable).with_name("serinus")), "controlplane", *flags]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return asyncio.run(_measured(process.pid, admin, f"http://{http}", rounds, load_s))
        finally:
            process.terminate()
            process.wait(30)


async def _measured(pid: int, admin: str, url: str, rounds: int, load_s: float) -> Result:
    async with grpc.aio.insecure_channel(admin) as channel, aiohttp.ClientSession() as session:
        stub = admin_pb2_grpc.AdminStub(channel)
        file = admin_pb2.ManifestFile(name="all.yaml", text=manifest())
        await stub.Apply(admin_pb2.ApplyRequest(files=[file], actor="bench"), wait_for_ready=True)
        paints = {path: await asyncio.to_thread(_paints, url + path, rounds) for path in ("/", "/rollouts/s0-v2")}
        heard = await _heard(stub, session, url, rounds)
        alone = await _share(pid, load_s)
        streams = [asyncio.create_task(_read(session, url, number)) for number in range(PAGES)]
        await asyncio.sleep(2.0)
        watched = await _share(pid, load_s)
        for stream in streams:
            stream.cancel()
        sent = sum(await asyncio.gather(*streams, return_exceptions=False))
    more = max(0.0, watched - alone)
    rows = [
        _row(f"first paint of {path}, {ROLLOUTS} rollouts, s", statistics.median(found), max(found))
        for path, found in paints.items()
    ]
    rows.append(_row("an event reaches the open page, s", statistics.median(heard), max(heard)))
    rows.append(_row(f"{PAGES} open pages: share of a core; with all that the control plane does", more, watched))
    return Result(
        name="pages",
        title=f"Pages of the control plane, {ROLLOUTS} rollouts; {sent:,} bytes to {PAGES} pages in {load_s:g} s",
        columns=[Column("what", "what"), Column("p50", "median"), Column("most", "most")],
        rows=rows,
        goals=[
            Goal("first paint, worst", max(max(found) for found in paints.values()), PAINT_S_MAX, "s"),
            Goal("an event on the page, p99", percentile(heard, 0.99), HEARD_S_MAX, "s"),
            Goal(f"{PAGES} open pages", more, CORE_SHARE_MAX, "cores"),
        ],
    )


def _row(what: str, middle: float, most: float) -> dict[str, object]:
    return {"what": what, "p50": round(middle, 3), "most": round(most, 3)}


def _paints(url: str, rounds: int) -> list[float]:
    found = []
    with browser() as window:
        for _ in range(rounds):
            window.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
            window.open("about:blank")
            window.open(url)
            found.append(window.until(lambda: window.script(_PAINTED), "it is painted") / 1_000)
    return found


async def _heard(stub: admin_pb2_grpc.AdminStub, session: aiohttp.ClientSession, url: str, rounds: int) -> list[float]:
    found = []
    async with session.get(f"{url}/events?page=rollout&name=s1-v2") as answer:
        await answer.content.readuntil(b"\n\n")
        for number in range(rounds):
            call, word = (stub.Resume, b"preparing") if number % 2 else (stub.Pause, b"paused")
            began = time.monotonic()
            await call(admin_pb2.OperatorRequest(rollout="s1-v2", actor="bench"))
            while word not in await answer.content.readuntil(b"\n\n"):
                pass
            found.append(time.monotonic() - began)
            await asyncio.sleep(0.3)
    return found


async def _read(session: aiohttp.ClientSession, url: str, number: int) -> int:
    """Bytes that came."""
    path = "page=home" if number % 2 else "page=rollout&name=s0-v2"
    count = 0
    with contextlib.suppress(asyncio.CancelledError):
        async with session.get(f"{url}/events?{path}", timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for data in answer.content.iter_any():
                count += len(data)
    return count


async def _share(pid: int, load_s: float) -> float:
    """Of one core."""
    process = psutil.Process(pid)
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    await asyncio.sleep(load_s)
    return (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
