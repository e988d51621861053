"""A store that may die on either side of a write, refuse it, or be fenced by a lease; and SQLite files that may tear.

The lease is a model of `store/postgres.py`: the same answers to the same calls, a clock of its own. The files are real:
a crash in the middle of a write leaves SQLite's log cut at any byte of what that write had added, the last of it
perhaps scrambled.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from controlplane.store.memory import MemoryStore
from controlplane.store.port import NotLeaderError, Record, StoredBatch, StoreError
from controlplane.store.sqlite import DATABASE, SqliteStore
from tests.sim.weather import Weather

LEASE_MS = 5_000
SECTOR_BYTES = 512
_FILES = Path("/dev/shm")
Done = TypeVar("Done")


class CrashError(Exception):
    """The process is gone."""


class Files:
    """A SQLite store in a directory of its own."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._root = Path(tempfile.mkdtemp(prefix="serinus-sim-", dir=_FILES if _FILES.is_dir() else None))
        self._life = 0
        self.store = SqliteStore(self._home / DATABASE)

    @property
    def _home(self) -> Path:
        return self._root / str(self._life)

    def _log(self) -> bytes:
        return (self._home / f"{DATABASE}-wal").read_bytes()

    def tear(self, write: Callable[[], object], *, from_start: bool) -> int:
        """The process dies in that write. How many bytes of it are missing or wrong."""
        before = 0 if from_start else len(self._log())
        write()
        log = self._log()
        kept = self._weather.random.randint(min(before, len(log)), len(log))
        scrambled = min(kept - before, SECTOR_BYTES) if self._weather.random.random() < 0.5 else 0
        left = log[: kept - scrambled] + self._weather.random.randbytes(scrambled)
        database = (self._home / DATABASE).read_bytes()
        self.store.close()
        self._life += 1
        self._home.mkdir()
        (self._home / DATABASE).write_bytes(database)
        (self._home / f"{DATABASE}-wal").write_bytes(left)
        self.store = SqliteStore(self._home / DATABASE)
        return len(log) - kept + scrambled

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self._root)


@dataclass
class Lease:
    term: int = 0
    holder: int = -1
    expires_ms: int = 0

    def lead(self, holder: int, known: int | None, now_ms: int) -> int | None:
        if holder != self.holder and now_ms <= self.expires_ms:
            return None
        if not (holder == self.holder and known == self.term):
            self.term += 1
        self.holder, self.expires_ms = holder, now_ms + LEASE_MS
        return self.term


@dataclass
class Disk:
    """`terms` are those of all records, as they were written. `decoy` names a fault that is put in on purpose."""

    weather: Weather
    decoy: str = ""
    crash_share: float = 0.0
    full_share: float = 0.0
    lease: Lease | None = None
    files: Files | None = None
    memory: MemoryStore = field(default_factory=MemoryStore)
    terms: list[int] = field(default_factory=list)

    @property
    def store(self) -> MemoryStore | SqliteStore:
        return self.files.store if self.files is not None else self.memory

    def append(self, record: Record, term: int) -> None:
        self._write(lambda: self.store.append(record), term)
        self.terms.append(term)
        self._crash("crash after a write")

    def save_batch(self, batch: StoredBatch, term: int) -> bool:
        is_new = self._write(lambda: self.store.save_batch(batch), term)
        self._crash("crash after a write")
        return is_new

    def _crash(self, when: str) -> None:
        if self.weather.comes(self.crash_share, when):
            raise CrashError

    def _write(self, write: Callable[[], Done], term: int) -> Done:
        self._crash("crash before a write")
        if self.weather.comes(self.full_share, "full disk"):
            raise StoreError("cannot write the state: database or disk is full")
        if self.lease is not None and term != self.lease.term and self.decoy != "unfenced":
            self.weather.met["write of an old term refused"] += 1
            raise NotLeaderError("this control plane does not lead; nothing was changed")
        if self.files is not None and self.weather.comes(self.crash_share):
            self._tear(self.files, write)
        return write()

    def _tear(self, files: Files, write: Callable[[], object]) -> None:
        if files.tear(write, from_start=self.decoy == "unsynced"):
            self.weather.met["torn write"] += 1
        raise CrashError
