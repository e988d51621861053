"""Asks what services lean on, each probe at its own pace, beside everything else: nothing waits for an answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from controlplane.manifest.probe import Probe
from controlplane.signals.pace.runner import Paced
from controlplane.signals.probes.book import Answer, Key, ProbeBook

log = logging.getLogger("serinus.probes")

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
        self._paced = Paced(self._one, lambda probe: probe.every_ms, now_ms, at_once=AT_ONCE, log=log)

    async def run(self) -> None:
        """Until cancelled."""
        await self._paced.run(self._wanted)

    def look(self) -> None:
        """Ask what is due."""
        self._paced.look(self._wanted())

    def _wanted(self) -> Mapping[Key, Probe]:
        probes = self._probes()
        self._book.follow(probes)
        return probes

    async def _one(self, key: Key, probe: Probe) -> None:
        credential = await asyncio.to_thread(self._credential, probe)
        answer = Answer(credential.fault)
        if not credential.fault:
            answer = await self._ask(probe, dict(credential.headers))
        self._book.add(key, answer, self._now_ms())
