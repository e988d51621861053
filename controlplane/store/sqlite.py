"""The store in one SQLite file: WAL, synchronous=FULL, so that what was recorded survives kill -9 and power loss."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from controlplane.store.port import NewerSchemaError, Record, StoredBatch, StoredObject, StoredPoint, StoreError

# Another process holding the file (a backup, a second control plane by mistake) is waited for this long.
BUSY_MS_MAX = 5_000

# Steps from each version of the schema to the next. One that was released is never edited: files have taken it.
MIGRATIONS = (
    """
CREATE TABLE objects (
  kind TEXT NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, baseline TEXT NOT NULL, applied_at_ms INTEGER NOT NULL,
  PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE journal (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, revision INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  moved INTEGER NOT NULL, state TEXT NOT NULL, action TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL,
  actor TEXT NOT NULL);
CREATE INDEX journal_rollout ON journal (rollout, serial);
CREATE TABLE batches (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, sidecar TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (sidecar, epoch, seq));
CREATE INDEX batches_at ON batches (at_ms);
""",
    """
CREATE TABLE points (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, version TEXT NOT NULL, at_ms INTEGER NOT NULL,
  span_ms INTEGER NOT NULL, data TEXT NOT NULL);
CREATE INDEX points_of ON points (service, at_ms);
CREATE INDEX points_at ON points (span_ms, at_ms);
""",
)
SCHEMA_VERSION = len(MIGRATIONS)
# The file in a control plane's state directory.
DATABASE = "serinus.db"
_PRUNE_HOLDS = """DELETE FROM journal WHERE NOT moved
  AND (rollout LIKE '@@%' OR (rollout NOT LIKE '@%' AND at_ms < ?))
  AND serial NOT IN (SELECT max(serial) FROM journal GROUP BY rollout)"""
_POINT = "service, version, at_ms, span_ms, data"
_RECORD = "rollout, revision, at_ms, moved, state, action, code, text, actor"


def migrate(db: sqlite3.Connection, steps: Sequence[str] = MIGRATIONS) -> None:
    """Bring a file to the newest schema, step by step, each whole or not at all. Raises NewerSchemaError."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise NewerSchemaError(
            f"the state was written by a newer version (schema {version}, this one knows {len(steps)})",
            next_step="start that version, or give --state another directory",
        )
    for number, step in enumerate(steps[version:], version + 1):
        try:
            db.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version={number}; COMMIT;")
        except sqlite3.Error:
            if db.in_transaction:
                db.rollback()
            raise


class SqliteStore:
    """Opens or creates the file. Raises StoreError if it cannot, NewerSchemaError if a newer version wrote it."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The engine calls from one worker thread at a time, not always the one that opened the file.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS_MAX / 1000)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            migrate(self._db)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"cannot open the state in {path}: {error}", next_step="give --state a writable directory"
            ) from error

    def objects(self) -> list[StoredObject]:
        rows = self._read("SELECT kind, name, data, baseline, applied_at_ms FROM objects ORDER BY kind DESC, name")
        return [StoredObject(kind, name, json.loads(data), baseline, at) for kind, name, data, baseline, at in rows]

    def apply(self, objects: Sequence[StoredObject], records: Sequence[Record]) -> None:
        puts = [(o.kind, o.name, json.dumps(o.data), o.baseline, o.applied_at_ms) for o in objects]
        appends = [
            (r.rollout, r.revision, r.at_ms, r.moved, r.state, r.action, r.code, r.text, r.actor) for r in records
        ]

        def work() -> None:
            self._db.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", puts)
            self._db.executemany(f"INSERT INTO journal ({_RECORD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", appends)

        self._write(work)

    def append(self, record: Record, objects: Sequence[StoredObject] = ()) -> None:
        self.apply(objects, [record])

    def records(self, rollout: str, last: int | None = None) -> list[Record]:
        # -1: no limit. The index on (rollout, serial) is read from its end.
        where = "WHERE rollout = ? ORDER BY serial DESC LIMIT ?"
        return self._records(where, rollout, -1 if last is None else last)[::-1]

    def journals(self) -> list[str]:
        return [name for (name,) in self._read("SELECT DISTINCT rollout FROM journal ORDER BY rollout")]

    def latest(self) -> list[Record]:
        return self._records(
            "WHERE serial IN (SELECT max(serial) FROM journal WHERE moved GROUP BY rollout) ORDER BY serial"
        )

    def _records(self, where: str, *values: str | int) -> list[Record]:
        rows = self._read(f"SELECT {_RECORD}, serial FROM journal {where}", values)
        return [
            Record(rollout, revision, at_ms, bool(moved), state, action, code, text, actor, serial)
            for rollout, revision, at_ms, moved, state, action, code, text, actor, serial in rows
        ]

    def save_batch(self, batch: StoredBatch) -> bool:
        try:
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO batches (sidecar, epoch, seq, at_ms, payload) VALUES (?, ?, ?, ?, ?)",
                # An epoch is unsigned 64 bit, SQLite's integers are signed: text keeps it whole.
                (batch.sidecar, str(batch.epoch), batch.seq, batch.at_ms, batch.payload),
            )
        except sqlite3.Error as error:
            raise _cannot_write(error) from error
        return cursor.rowcount == 1

    def batches(self, since_ms: int) -> Iterator[StoredBatch]:
        sql = "SELECT sidecar, epoch, seq, at_ms, payload FROM batches WHERE at_ms >= ? ORDER BY serial"
        rows = self._read(sql, (since_ms,))
        for sidecar, epoch, seq, at_ms, payload in rows:
            yield StoredBatch(sidecar, int(epoch), seq, at_ms, payload)

    def prune_batches(self, before_ms: int) -> int:
        return self._delete("DELETE FROM batches WHERE at_ms < ?", before_ms)

    def prune_holds(self, before_ms: int) -> int:
        return self._delete(_PRUNE_HOLDS, before_ms)

    def save_points(self, points: Sequence[StoredPoint], gone: Sequence[StoredPoint] = ()) -> None:
        values = [(p.service, p.version, p.at_ms, p.span_ms, p.data) for p in points]

        def work() -> None:
            self._db.executemany("DELETE FROM points WHERE serial = ?", [(point.serial,) for point in gone])
            self._db.executemany(f"INSERT INTO points ({_POINT}) VALUES (?, ?, ?, ?, ?)", values)

        self._write(work)

    def points(self, service: str, since_ms: int, until_ms: int) -> list[StoredPoint]:
        where = "WHERE service = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, serial"
        return self._points(where, service, since_ms, until_ms)

    def old_points(self, span_ms: int, before_ms: int, count: int) -> list[StoredPoint]:
        where = "WHERE span_ms = ? AND at_ms < ? ORDER BY at_ms, serial LIMIT ?"
        return self._points(where, span_ms, before_ms, count)

    def _points(self, where: str, *values: str | int) -> list[StoredPoint]:
        return [StoredPoint(*row) for row in self._read(f"SELECT {_POINT}, serial FROM points {where}", values)]

    def prune_points(self, before_ms: int) -> int:
        return self._delete("DELETE FROM points WHERE at_ms < ?", before_ms)

    def _write(self, work: Callable[[], None]) -> None:
        """All of it, or nothing. Raises StoreError."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                work()
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _cannot_write(error) from error

    def _delete(self, sql: str, before_ms: int) -> int:
        try:
            return self._db.execute(sql, (before_ms,)).rowcount
        except sqlite3.Error as error:
            raise _cannot_write(error) from error

    def _read(self, sql: str, values: Sequence[str | int] = ()) -> Iterator[Any]:
        """The rows, one by one. Raises StoreError where the file is damaged, whether at once or on the way."""
        try:
            yield from self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot read the state: {error}", next_step="restore it from a backup (`serinus restore`)"
            ) from error

    def back_up(self, path: Path) -> None:
        """A copy as of one moment, while others write. Raises StoreError."""
        try:
            with contextlib.closing(sqlite3.connect(path)) as copy:
                self._db.backup(copy)
        except sqlite3.Error as error:
            raise _cannot_write(error) from error

    def close(self) -> None:
        self._db.close()


def _cannot_write(error: sqlite3.Error) -> StoreError:
    return StoreError(f"cannot write the state: {error}", next_step="check disk space and permissions")
