"""The file's schema goes forward step by step, and never half."""

import sqlite3
from pathlib import Path

import pytest

from controlplane.store.port import NewerSchemaError, StoredObject
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
