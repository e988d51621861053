"""Reads the servers again and again into a `SignalBook`, beside everything else: nothing waits for it.

At most AT_ONCE requests at a time, rounds some EVERY_S apart with jitter (several control planes do not meet), no
retry: the next round is the retry. A fault of one source is that source's silence.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from controlplane.signals.book import SignalBook
from controlplane.signals.client import ScrapeClient
from controlplane.signals.exposition import reading_of
from controlplane.signals.processes import readings
from controlplane.signals.signal import Reading
from controlplane.signals.targets import Target

log = logging.getLogger("serinus.signals")

EVERY_S = 7.5
JITTER = 1 / 3  # of that, either way: 5 to 10 s
# 256 hosts that do not answer within 2 s take 8 s: with the pause less than what makes a reading stale.
AT_ONCE = 64


class SignalRunner:
    """`targets` is asked before each round: manifests change."""

    def __init__(
        self,
        book: SignalBook,
        targets: Callable[[], Sequence[Target]],
        now_ms: Callable[[], int],
        every_s: float = EVERY_S,
    ) -> None:
        self._book, self._targets, self._now_ms, self._every_s = book, targets, now_ms, every_s

    async def run(self) -> None:
        """Until cancelled."""
        async with ScrapeClient() as client:
            while True:
                try:
                    await self.round(client)
                except Exception:
                    log.exception("a round of server metrics failed")
                await asyncio.sleep(self._every_s * (1 + random.uniform(-JITTER, JITTER)))

    async def round(self, client: ScrapeClient) -> None:
        """Every source once."""
        targets = self._targets()
        self._book.follow([target.place for target in targets])
        ports = {target.port for target in targets if target.port is not None}
        local = await asyncio.to_thread(readings, ports) if ports else {}
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._one(client, gate, target, local) for target in targets))

    async def _one(
        self, client: ScrapeClient, gate: asyncio.Semaphore, target: Target, local: dict[int, Reading]
    ) -> None:
        text = None
        if target.url:
            async with gate:
                text = await client.text(target.url)
        told = reading_of(text, target.labels) if text else {}
        # What the system says of the process is of all its workers; its own words often of one.
        seen = local.get(target.port, {}) if target.port is not None else {}
        self._book.add(target.place, {**told, **seen}, self._now_ms())
