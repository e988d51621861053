"""Load by wrk (Debian's package of that name): as many requests as connections take, each of another user."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("users.lua")
_MORE_S = 20.0


MISSING = "WRK IS NOT INSTALLED, and nothing of this was measured; next: apt-get install wrk"


def is_there() -> bool:
    return shutil.which("wrk") is not None


async def load(port: int, *, connections: int, duration_s: float) -> dict[str, Any]:
    """What wrk saw: requests, duration_us, failed, p50_us, p99_us. Whole seconds only."""
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", f"-c{connections}", f"-d{duration_s:.0f}s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}/"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(duration_s + _MORE_S):
        out, _ = await process.communicate()
    seen: dict[str, Any] = json.loads(out.decode().strip().rpartition("\n")[2])
    return seen
