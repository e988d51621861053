"""Asks what services lean on, each probe at its own pace, beside everything else: nothing waits for an answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from controlplane.manifest.probe import Probe
from controlplane.signals.probes.book import Answer, Key, ProbeBook

log = logging.getLogger("serinus.probes")

LOOK_S = 0.5
# Of all services together; more wait their turn.
AT_ONCE = 64

Ask = Callable[[Probe, dict[str, str]], Awaitable[Answer]]


class Credential(Protocol):
    """The header of a probe, or why there is none."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def fault(self) -> str: ...


class ProbeRunner:
    """`probes` is asked at each look: manifests change. `credential` blocks."""

    def __init__(
        self,
        book: ProbeBook,
        probes: Callable[[], Mapping[Key, Probe]],
        now_ms: Callable[[], int],
        *,
        ask: Ask,
        credential: Callable[[Probe], Credential],
    ) -> None:
        self._book, self._probes, self._now_ms = book, probes, now_ms
        self._ask, self._credential = ask, credential
        self._asked_ms: dict[Key, int] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    self.look()
                except Exception:
                    log.exception("dependencies cannot be asked for now")
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def look(self) -> None:
        """Ask what is due."""
        now_ms, probes = self._now_ms(), self._probes()
        self._book.follow(probes)
        self._asked_ms = {key: at_ms for key, at_ms in self._asked_ms.items() if key in probes}
        for key, probe in probes.items():
            is_due = not 0 <= now_ms - self._asked_ms.get(key, -probe.every_ms) < probe.every_ms
            if is_due and key not in self._tasks:
                self._asked_ms[key] = now_ms
                self._tasks[key] = asyncio.create_task(self._one(key, probe))

    async def _one(self, key: Key, probe: Probe) -> None:
        try:
            credential = await asyncio.to_thread(self._credential, probe)
            answer = Answer(credential.fault)
            if not credential.fault:
                async with self._gate:
                    answer = await self._ask(probe, dict(credential.headers))
            self._book.add(key, answer, self._now_ms())
        except Exception:
            # It is unknown then, and is asked again in its time.
            log.exception("a dependency cannot be asked", extra={"fields": {"service": key[0], "probe": key[1]}})
        finally:
            del self._tasks[key]
