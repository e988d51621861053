"""The file's schema goes forward step by step, and never half."""

import sqlite3
from pathlib import Path

import pytest

from controlplane.store.port import NewerSchemaError, Record, StoredObject, StoreError
from controlplane.store.sqlite import MIGRATIONS, SqliteStore, migrate

MORE = "ALTER TABLE objects ADD COLUMN owner TEXT NOT NULL DEFAULT '';"
BROKEN = "CREATE TABLE half (one INTEGER); CREATE TABLE half (one INTEGER);"


def opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def version(db: sqlite3.Connection) -> int:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    return int(found)


@pytest.mark.parametrize("begun", range(len(MIGRATIONS) + 1))
def test_a_file_of_each_older_schema_comes_to_the_newest_with_what_it_holds(tmp_path: Path, begun: int) -> None:
    db = opened(tmp_path / "s.db")
    migrate(db, MIGRATIONS[:begun])
    assert version(db) == begun
    if begun:
        db.execute("INSERT INTO objects VALUES ('Service', 'chat', '{}', 'v1', 7)")
    migrate(db, (*MIGRATIONS, MORE))
    assert version(db) == len(MIGRATIONS) + 1
    kept = db.execute("SELECT name, baseline, owner FROM objects").fetchall()
    assert kept == ([("chat", "v1", "")] if begun else [])
    db.close()


def test_a_step_that_fails_leaves_the_file_as_it_was_before_it(tmp_path: Path) -> None:
    db = opened(tmp_path / "s.db")
    with pytest.raises(sqlite3.OperationalError, match="half already exists"):
        migrate(db, (*MIGRATIONS, BROKEN))
    assert version(db) == len(MIGRATIONS)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    migrate(db, (*MIGRATIONS, MORE))
    assert version(db) == len(MIGRATIONS) + 1
    db.close()


def test_a_file_of_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    db = opened(tmp_path / "s.db")
    migrate(db, (*MIGRATIONS, MORE))
    before = db.execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(NewerSchemaError):
        migrate(db)
    assert db.execute("SELECT sql FROM sqlite_master").fetchall() == before
    db.close()


def test_the_store_opens_what_an_older_one_has_kept(tmp_path: Path) -> None:
    db = opened(tmp_path / "serinus.db")
    migrate(db, MIGRATIONS[:1])
    db.execute("INSERT INTO objects VALUES ('Service', 'chat', '{\"a\": 1}', 'v1', 7)")
    db.close()
    store = SqliteStore(tmp_path / "serinus.db")
    assert store.objects() == [StoredObject("Service", "chat", {"a": 1}, "v1", 7)]
    store.close()


def kept(path: Path, count: int) -> SqliteStore:
    """A store with so many records, each too large for one page of the file."""
    store = SqliteStore(path)
    for revision in range(1, count + 1):
        store.append(Record("r", revision, revision, True, "s" * 5_000, "hold", "code", f"text {revision}", "ada"))
    return store


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.77, 0.999])
def test_of_a_log_that_was_cut_anywhere_the_whole_writes_are_kept(tmp_path: Path, share: float) -> None:
    """The machine went down in the middle of a write: what is left of it is no record."""
    store = kept(tmp_path / "s.db", 20)
    files = {name: (tmp_path / name).read_bytes() for name in ("s.db", "s.db-wal")}
    store.close()
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "s.db").write_bytes(files["s.db"])
    (torn / "s.db-wal").write_bytes(files["s.db-wal"][: int(share * len(files["s.db-wal"]))])
    again = SqliteStore(torn / "s.db")
    records = again.records("r")
    assert [record.revision for record in records] == list(range(1, len(records) + 1))
    assert all(record.state == "s" * 5_000 for record in records)
    assert len(records) < 20
    assert share < 0.3 or records
    again.append(Record("r", 99, 99, True, "s", "hold", "code", "text", "ada"))
    assert again.records("r", 1)[0].revision == 99
    again.close()


def test_a_damaged_file_is_told_as_such_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    kept(path, 20).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8_192] + b"\xa5" * (len(whole) - 8_192))
    damaged = path.read_bytes()
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=r"cannot read the state: .*next: restore it from a backup"):
        store.latest()
    with pytest.raises(StoreError, match="cannot read the state"):
        store.records("r")
    store.close()
    assert path.read_bytes() == damaged
