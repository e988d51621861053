"""Each second: add what was received to the ledger and, as the one process of the sidecar that does so, ask Envoy.

Workers, and the two generations of a hand-over, share a run directory. Whoever holds the seat there asks; when its
process ends, however it ends, another takes the seat within a second. One that hangs keeps it: the control plane
notices that nothing new is read.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from extproc.proxystats.client import EnvoyAdmin, LedgerFile, ReaderSeat
from extproc.proxystats.ledger import Held, Ledger, Poll
from extproc.proxystats.parse import ProxyStats

# The ledger is held for less than a millisecond at a time by each of the others.
LOCK_TRIES = 3
LOCK_PAUSE_S = 0.02
# At the end there is no later: a second, so that a process that was stopped with the lock holds nobody up.
LAST_LOCK_TRIES = 50

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """Envoy's counters, the log entries missing up to now, and the moment before Envoy was asked."""

    stats: ProxyStats
    lost: int
    read_ms: int


class ProxyReader:
    """One process's share. `is_elsewhere`: another process held the seat at the last `read`."""

    def __init__(self, admin: str, run_dir: Path, now_ms: Callable[[], int], epoch: int) -> None:
        self._admin = EnvoyAdmin(admin)
        self._error = ""
        self._file = LedgerFile(run_dir)
        self._seat = ReaderSeat(run_dir)
        self._ledger: Ledger | None = None
        self._now_ms = now_ms
        self._epoch = epoch
        self._held = 0
        self.is_elsewhere = False

    def dropped(self, entries: int) -> None:
        """So many of those received will never be reported."""
        self._file.dropped += entries

    async def read(self, received: int, held: int = 0) -> Reading | None:
        """Call it each second with the log entries received since, and how many of all those received this process
        alone has. None: another process reads, or nobody can."""
        self._file.unsaved += received  # before anything is waited for: a drain may cancel this
        self._held = held
        self.is_elsewhere = not self._seat.take()
        read_ms = self._now_ms()
        stats = None if self.is_elsewhere else await self._stats()
        poll = Poll(read_ms, stats.logs_written, stats.uptime_s) if stats else None
        self._ledger = await self._add(poll, LOCK_TRIES) or self._ledger
        if stats is None or self._ledger is None:
            return None
        return Reading(stats, self._ledger.missing, read_ms)

    async def _stats(self) -> ProxyStats | None:
        stats = await self._admin.stats()
        if self._admin.error != self._error:
            self._error = self._admin.error
            _log.warning("Envoy's counters", extra={"reason": self._error or "readable again"})
        return stats

    async def _add(self, poll: Poll | None, tries: int) -> Ledger | None:
        held = Held(self._epoch, self._now_ms(), self._held)
        ledger = self._file.update(poll, held)
        for _ in range(tries - 1):
            if ledger is not None:
                break
            await asyncio.sleep(LOCK_PAUSE_S)
            ledger = self._file.update(poll, held)
        return ledger

    async def close(self) -> None:
        """What was held is by now acknowledged, or was `dropped`."""
        if self._file.unsaved or self._file.dropped or self._held:
            self._held = 0
            await self._add(None, LAST_LOCK_TRIES)
        self._seat.leave()
        await self._admin.close()
