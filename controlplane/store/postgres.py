"""The store in PostgreSQL, for several control planes: one leads by a lease, the others read.

Every write carries the lease's epoch and checks it in its own transaction, on the row that a new leader has to change:
a leader that was away (stopped, cut off, its clock wrong) writes nothing more once another leads. The lease runs out by
the database's clock alone.

A write that broke off may or may not have been kept. Then this control plane leads no more: whoever leads next reads
first what is there, so nothing is done twice on a guess.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import astuple

import asyncpg

from controlplane.store.port import (
    NewerSchemaError,
    NotLeaderError,
    Record,
    StoredBatch,
    StoredObject,
    StoredPoint,
    StoreError,
)
from controlplane.store.schema import MIGRATE_LOCK, MIGRATIONS, SCHEMA_VERSION
from controlplane.store.session.client import Session, Work

# A leader that is gone is followed after this, and at the most one look of a follower later (`RENEW_S`).
LEASE_S = 5.0
RENEW_S = 1.0
BATCHES_AT_ONCE = 1_000
# A follower tells each second. Of one that was silent so long the proxies count as gone, as those of a broken stream.
TOLD_S_MAX = 5.0
_RECORD = "rollout, revision, at_ms, moved, state, action, code, text, actor"
_POINT = "service, version, at_ms, span_ms, data"
_OBJECTS = """SELECT kind, name, data, baseline, applied_at_ms FROM serinus_objects
  ORDER BY kind COLLATE "C" DESC, name COLLATE "C" """
_PUT = """INSERT INTO serinus_objects VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, name)
  DO UPDATE SET data = EXCLUDED.data, baseline = EXCLUDED.baseline, applied_at_ms = EXCLUDED.applied_at_ms"""
_APPEND = f"INSERT INTO serinus_journal ({_RECORD}, epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_KEEP = """INSERT INTO serinus_batches (sidecar, epoch, seq, at_ms, payload) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (sidecar, epoch, seq) DO NOTHING"""
_BATCHES = """SELECT serial, sidecar, epoch, seq, at_ms, payload FROM serinus_batches
  WHERE at_ms >= $1 AND serial > $2 ORDER BY serial LIMIT $3"""
_PRUNE_HOLDS = """DELETE FROM serinus_journal WHERE NOT moved
  AND (rollout LIKE '@@%' OR (rollout NOT LIKE '@%' AND at_ms < $1))
  AND serial NOT IN (SELECT max(serial) FROM serinus_journal GROUP BY rollout)"""
# Waits for a write under way (its FOR SHARE), and is waited for by the next one. Who leads on keeps its epoch.
_LEAD = """UPDATE serinus_lease SET holder = $1, expires_at = clock_timestamp() + make_interval(secs => $2),
  epoch = CASE WHEN holder = $1 AND epoch = $3 THEN epoch ELSE epoch + 1 END
  WHERE holder = $1 OR expires_at < clock_timestamp() RETURNING epoch"""
# What stands longer is of processes that are gone.
_TELL = """WITH gone AS (DELETE FROM serinus_planes WHERE at < clock_timestamp() - interval '1 hour' AND holder <> $1)
  INSERT INTO serinus_planes VALUES ($1, clock_timestamp(), $2)
  ON CONFLICT (holder) DO UPDATE SET at = EXCLUDED.at, seen = EXCLUDED.seen"""
_TOLD = """SELECT seen FROM serinus_planes
  WHERE holder <> $1 AND at > clock_timestamp() - make_interval(secs => $2) ORDER BY holder"""
_NONE = -1


class PostgresStore:
    """Opens the database and brings its schema up. Raises StoreError, NewerSchemaError; nothing has changed then.

    Leads nothing until `lead` says so. `lead` may be called beside the other methods, from another thread.
    """

    def __init__(self, address: str, *, lease_s: float = LEASE_S) -> None:
        self._holder = uuid.uuid4().hex
        self._lease_s = lease_s
        self._term = self._writes_as = _NONE
        # Two sessions: a long read must not keep the lease from being renewed.
        self._main, self._side = Session(address), Session(address, call_s_max=lease_s)
        try:
            self._main.run(_migrate)
        except BaseException:
            self.close()
            raise

    # --- leadership ---

    def lead(self) -> int | None:
        known = self._term
        found = self._side.run(lambda c: c.fetchval(_LEAD, self._holder, self._lease_s, known))
        if found == known != self._term:
            # A write broke off meanwhile: only a new term may stand, and the next call gets it.
            return None
        self._term = _NONE if found is None else int(found)
        return None if found is None else self._term

    def write_as(self, term: int) -> None:
        self._writes_as = term

    def newest(self) -> int:
        found = self._side.run(lambda c: c.fetchval("SELECT max(serial) FROM serinus_journal"))
        return found or 0

    def tell(self, text: str) -> None:
        self._side.run(lambda c: c.execute(_TELL, self._holder, text))

    def told(self) -> list[str]:
        rows = self._side.run(lambda c: c.fetch(_TOLD, self._holder, TOLD_S_MAX))
        return [text for (text,) in rows]

    def resign(self) -> None:
        term, self._term, self._writes_as = self._term, _NONE, _NONE
        self._side.run(lambda c: c.execute("DELETE FROM serinus_planes WHERE holder = $1", self._holder))
        if term != _NONE:
            free = "UPDATE serinus_lease SET expires_at = '-infinity' WHERE holder = $1 AND epoch = $2"
            self._side.run(lambda c: c.execute(free, self._holder, term))

    def _write(self, work: Work[str]) -> str:
        term = self._writes_as

        async def fenced(connection: asyncpg.Connection) -> str | None:
            async with connection.transaction():
                if await connection.fetchval("SELECT 1 FROM serinus_lease WHERE epoch = $1 FOR SHARE", term) is None:
                    return None
                return await work(connection)

        try:
            done = self._main.run(fenced) if term != _NONE else None
        except StoreError:
            if self._main.is_broken:
                self._term = self._writes_as = _NONE
            raise
        if done is None:
            self._writes_as = _NONE
            raise NotLeaderError(
                "this control plane does not lead; nothing was changed", next_step="ask the one that leads"
            )
        return done

    # --- Store ---

    def objects(self) -> list[StoredObject]:
        rows = self._main.run(lambda c: c.fetch(_OBJECTS))
        return [StoredObject(kind, name, json.loads(data), baseline, at) for kind, name, data, baseline, at in rows]

    def apply(self, objects: Sequence[StoredObject], records: Sequence[Record]) -> None:
        puts = [(o.kind, o.name, json.dumps(o.data), o.baseline, o.applied_at_ms) for o in objects]
        appends = [(*_plain(record), self._writes_as) for record in records]

        async def work(connection: asyncpg.Connection) -> str:
            if puts:
                await connection.executemany(_PUT, puts)
            if appends:
                await connection.executemany(_APPEND, appends)
            return "done"

        self._write(work)

    def append(self, record: Record, objects: Sequence[StoredObject] = ()) -> None:
        self.apply(objects, [record])

    def records(self, rollout: str, last: int | None = None) -> list[Record]:
        # LIMIT NULL: no limit.
        return self._records("WHERE rollout = $1 ORDER BY serial DESC LIMIT $2", rollout, last)[::-1]

    def journals(self) -> list[str]:
        names = self._main.run(lambda c: c.fetch("SELECT DISTINCT rollout FROM serinus_journal"))
        return sorted(name for (name,) in names)

    def latest(self) -> list[Record]:
        return self._records(
            "WHERE serial IN (SELECT max(serial) FROM serinus_journal WHERE moved GROUP BY rollout) ORDER BY serial"
        )

    def _records(self, where: str, *values: str | int | None) -> list[Record]:
        sql = f"SELECT {_RECORD}, serial FROM serinus_journal {where}"
        return [Record(*row) for row in self._main.run(lambda c: c.fetch(sql, *values))]

    def save_batch(self, batch: StoredBatch) -> bool:
        values = (batch.sidecar, str(batch.epoch), batch.seq, batch.at_ms, batch.payload)
        return self._write(lambda c: c.execute(_KEEP, *values)) == "INSERT 0 1"

    def batches(self, since_ms: int) -> Iterator[StoredBatch]:
        serial = 0
        while rows := self._page(since_ms, serial):
            for _, sidecar, epoch, seq, at_ms, payload in rows:
                yield StoredBatch(sidecar, int(epoch), seq, at_ms, payload)
            serial = rows[-1]["serial"]

    def _page(self, since_ms: int, after: int) -> list[asyncpg.Record]:
        return self._main.run(lambda c: c.fetch(_BATCHES, since_ms, after, BATCHES_AT_ONCE))

    def prune_batches(self, before_ms: int) -> int:
        done = self._write(lambda c: c.execute("DELETE FROM serinus_batches WHERE at_ms < $1", before_ms))
        return int(done.removeprefix("DELETE "))

    def prune_holds(self, before_ms: int) -> int:
        done = self._write(lambda c: c.execute(_PRUNE_HOLDS, before_ms))
        return int(done.removeprefix("DELETE "))

    def save_points(self, points: Sequence[StoredPoint], gone: Sequence[StoredPoint] = ()) -> None:
        values = [(p.service, p.version, p.at_ms, p.span_ms, p.data) for p in points]

        async def work(connection: asyncpg.Connection) -> str:
            serials = [point.serial for point in gone]
            await connection.execute("DELETE FROM serinus_points WHERE serial = ANY($1::bigint[])", serials)
            if values:
                await connection.executemany(
                    f"INSERT INTO serinus_points ({_POINT}) VALUES ($1, $2, $3, $4, $5)", values
                )
            return "done"

        self._write(work)

    def points(self, service: str, since_ms: int, until_ms: int) -> list[StoredPoint]:
        where = "WHERE service = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms, serial"
        return self._points(where, service, since_ms, until_ms)

    def old_points(self, span_ms: int, before_ms: int, count: int) -> list[StoredPoint]:
        where = "WHERE span_ms = $1 AND at_ms < $2 ORDER BY at_ms, serial LIMIT $3"
        return self._points(where, span_ms, before_ms, count)

    def _points(self, where: str, *values: str | int) -> list[StoredPoint]:
        sql = f"SELECT {_POINT}, serial FROM serinus_points {where}"
        return [StoredPoint(*row) for row in self._main.run(lambda c: c.fetch(sql, *values))]

    def prune_points(self, before_ms: int) -> int:
        done = self._write(lambda c: c.execute("DELETE FROM serinus_points WHERE at_ms < $1", before_ms))
        return int(done.removeprefix("DELETE "))

    def close(self) -> None:
        self._main.close()
        self._side.close()


def _plain(record: Record) -> tuple[object, ...]:
    """Its columns. PostgreSQL's text cannot hold NUL, which a person's reason may."""
    return tuple(v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in astuple(record)[:-1])


async def _migrate(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATE_LOCK)
        known = await connection.fetchval("SELECT to_regclass('serinus_schema') IS NOT NULL")
        version = await connection.fetchval("SELECT version FROM serinus_schema") if known else 0
        if version > SCHEMA_VERSION:
            raise NewerSchemaError(
                f"the database was written by a newer version (schema {version}, this one knows {SCHEMA_VERSION})",
                next_step="start that version, or give --store another database",
            )
        if not known:
            await connection.execute("CREATE TABLE serinus_schema (version bigint NOT NULL)")
            await connection.execute("INSERT INTO serinus_schema VALUES (0)")
        for step in MIGRATIONS[version:]:
            await connection.execute(step)
        await connection.execute("UPDATE serinus_schema SET version = $1", SCHEMA_VERSION)
