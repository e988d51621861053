"""Waiting for what another task, thread or process does."""

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], bool], what: str = "", deadline_s: float = 20.0) -> None:
    """Looks every 10 ms. Raises AssertionError, with `what`, when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    while not condition():
        assert loop.time() < deadline, f"not within {deadline_s} s: {what or condition}"
        await asyncio.sleep(0.01)


def eventually(condition: Callable[[], bool], *, what: str, timeout_s: float = 30.0) -> None:
    """The same for tests without an event loop."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.01)
