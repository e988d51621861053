"""Asks many others, each at its own pace and one question at a time, so many at once: nothing waits for an answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

LOOK_S = 0.5


class Paced(Generic[K, T]):
    """`every_ms`: of what is asked, between the beginnings of two questions. `ask` never raises but for a fault of
    ours, which is logged; what was asked then has no answer, and is asked again in its time. More than `at_once` wait
    their turn."""

    def __init__(
        self,
        ask: Callable[[K, T], Awaitable[None]],
        every_ms: Callable[[T], int],
        now_ms: Callable[[], int],
        *,
        at_once: int,
        log: logging.Logger,
    ) -> None:
        self._ask, self._every_ms, self._now_ms, self._log = ask, every_ms, now_ms, log
        self._asked_ms: dict[K, int] = {}
        self._tasks: dict[K, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(at_once)

    async def run(self, wanted: Callable[[], Mapping[K, T]]) -> None:
        """Until cancelled. `wanted` is called at each look."""
        try:
            while True:
                try:
                    self.look(wanted())
                except Exception:
                    self._log.exception("nobody can be asked for now")
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def look(self, wanted: Mapping[K, T]) -> None:
        """Ask what is due of these; of others nothing is remembered."""
        now_ms = self._now_ms()
        self._asked_ms = {key: at_ms for key, at_ms in self._asked_ms.items() if key in wanted}
        for key, what in wanted.items():
            every_ms = self._every_ms(what)
            is_due = not 0 <= now_ms - self._asked_ms.get(key, -every_ms) < every_ms
            if is_due and key not in self._tasks:
                self._asked_ms[key] = now_ms
                self._tasks[key] = asyncio.create_task(self._one(key, what))

    async def _one(self, key: K, what: T) -> None:
        try:
            async with self._gate:
                await self._ask(key, what)
        except Exception:
            self._log.exception("%s cannot be asked", key)
        finally:
            del self._tasks[key]
