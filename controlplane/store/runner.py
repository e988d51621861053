"""The store's one worker thread: its methods block, so they run off the event loop, one at a time and in order."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from controlplane.telemetry.catalogue import STORE_WRITE
from controlplane.telemetry.exporter import Exporter

T = TypeVar("T")


class StoreRunner:
    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result, after all that was asked for before it."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        try:
            return await loop.run_in_executor(self._worker, function, *arguments)
        finally:
            self._exporter.observe(STORE_WRITE, loop.time() - before)

    def close(self) -> None:
        """Waits for what is under way."""
        self._worker.shutdown(wait=True)
