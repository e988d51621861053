"""Asks Envoy's admin address for its counters, and keeps the ledger of log entries in a file that processes share.

The file is read, changed and replaced under a lock. The lock is never waited for: a stopped process may hold it, and
then what was received is added the next time.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from extproc.proxystats import ledger as ledgers
from extproc.proxystats.ledger import Held, Ledger, Poll
from extproc.proxystats.parse import STATS_FILTER, BadStatsError, ProxyStats, parse

# Envoy's main thread answers in 1-5 ms; past this the report goes out without its counters.
TIMEOUT_S = 0.5
# 5,000 clusters x 2 x 100 B.
ANSWER_BYTES_MAX = 4 * 1024 * 1024


class EnvoyAdmin:
    """One admin address. `stats` gives None, and `error` says why, when there is no usable answer."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}/stats"
        self._session: aiohttp.ClientSession | None = None
        self.error = ""

    async def stats(self) -> ProxyStats | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        try:
            async with self._session.get(self._url, params={"format": "json", "filter": STATS_FILTER}) as answer:
                if answer.status != 200:
                    raise BadStatsError(f"{self._url} answered {answer.status}")
                body = await answer.content.read(ANSWER_BYTES_MAX)
                while chunk := await answer.content.read(ANSWER_BYTES_MAX - len(body)):
                    body += chunk
            self.error = ""
            return parse(body)
        except (aiohttp.ClientError, TimeoutError, BadStatsError, OSError) as error:
            self.error = f"{self._url}: {str(error) or type(error).__name__}"
            return None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class ReaderSeat:
    """`reader.lock` in the run directory: held by one process for as long as it lives."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "reader.lock"
        self._descriptor = -1

    def take(self) -> bool:
        """True: this process has it, from now on or from before."""
        if self._descriptor >= 0:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class LedgerFile:
    """`ledger.json` in the run directory. `update` is short and does not wait for other processes.

    `unsaved`: log entries received that are not in the file yet, `dropped`: those that this process has given up. Add
    to them; an `update` empties both."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "ledger.json"
        self._lock = run_dir / "ledger.lock"
        self.unsaved = self.dropped = 0

    def update(self, poll: Poll | None, held: Held) -> Ledger | None:
        """Add what is unsaved, a poll if there was one, and what this process holds. None: another process held the
        lock; kept for later."""
        with self._locked() as is_locked:
            if not is_locked:
                return None
            ledger = ledgers.add_received(self._read(), self.unsaved)
            if poll is not None:
                ledger = ledgers.add_poll(ledger, poll)
            ledger = ledgers.hold(ledger, held, self.dropped)
            self._write(ledger)
        self.unsaved = self.dropped = 0
        return ledger

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def _read(self) -> Ledger:
        """The ledger; a missing or broken one starts anew, and then all that Envoy wrote so far counts as lost."""
        try:
            return ledgers.from_document(json.loads(self._path.read_bytes()))
        except (FileNotFoundError, ValueError):
            return Ledger()

    def _write(self, ledger: Ledger) -> None:
        fresh = self._path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(ledgers.to_document(ledger)))
        fresh.replace(self._path)
