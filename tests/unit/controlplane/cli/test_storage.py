"""`serinus backup` and `restore`: the same state again, from SQLite and from PostgreSQL; nothing is overwritten."""

import stat
from pathlib import Path

from typer.testing import CliRunner, Result

from controlplane.cli.app import app
from controlplane.store.port import Record, Store, StoredBatch, StoredObject
from controlplane.store.postgres import PostgresStore
from controlplane.store.sqlite import SqliteStore
from tests.postgres import postgres


def serinus(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def fill(store: Store) -> None:
    store.apply([StoredObject("Service", "chat", {"b": 1, "a": 2}, "v1", 5)], [])
    store.append(Record("r", 1, 1, True, "state", "hold", "code", "text", "ada"))
    store.save_batch(StoredBatch("edge-1", 7, 1, 1000, b"x"))


def kept(store: Store) -> tuple[object, ...]:
    found = store.objects(), store.records("r"), list(store.batches(0))
    store.close()
    return found


def test_a_backup_while_the_control_plane_runs_is_restored_elsewhere(tmp_path: Path) -> None:
    running = SqliteStore(tmp_path / "a" / "serinus.db")
    fill(running)
    assert serinus("backup", tmp_path / "today.db", "--state", tmp_path / "a").exit_code == 0
    assert stat.S_IMODE((tmp_path / "today.db").stat().st_mode) == 0o600
    assert serinus("restore", tmp_path / "today.db", "--state", tmp_path / "b").exit_code == 0
    assert kept(SqliteStore(tmp_path / "b" / "serinus.db")) == kept(running)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "today.db"]


def test_from_sqlite_to_postgresql_and_back(tmp_path: Path) -> None:
    address = postgres().address()
    running = SqliteStore(tmp_path / "a" / "serinus.db")
    fill(running)
    serinus("backup", tmp_path / "one.db", "--state", tmp_path / "a")
    assert serinus("restore", tmp_path / "one.db", "--store", address).exit_code == 0
    again = serinus("restore", tmp_path / "one.db", "--store", address)
    assert again.exit_code == 1
    assert "there is something already: nothing was changed" in again.output
    assert serinus("backup", tmp_path / "two.db", "--store", address).exit_code == 0
    assert kept(SqliteStore(tmp_path / "two.db")) == kept(PostgresStore(address)) == kept(running)


def test_nothing_is_overwritten_and_no_half_backup_is_left(tmp_path: Path) -> None:
    (tmp_path / "today.db").write_text("mine")
    SqliteStore(tmp_path / "serinus.db").close()
    refused = serinus("backup", tmp_path / "today.db", "--state", tmp_path)
    assert refused.exit_code == 1
    assert "exists: nothing was changed" in refused.output
    assert serinus("restore", tmp_path / "today.db", "--state", tmp_path).exit_code == 1
    damaged = serinus("restore", tmp_path / "today.db", "--state", tmp_path / "b")
    assert damaged.exit_code == 1
    assert "file is not a database" in damaged.output
    assert list((tmp_path / "b").iterdir()) == []
    assert serinus("backup", tmp_path / "none.db", "--state", tmp_path / "b").exit_code == 1
    assert serinus("restore", tmp_path / "none.db", "--state", tmp_path / "b").exit_code == 1
    assert (tmp_path / "today.db").read_text() == "mine"


def test_a_database_that_a_control_plane_leads_on_is_not_restored_into(tmp_path: Path) -> None:
    address = postgres().address()
    SqliteStore(tmp_path / "one.db").close()
    leader = PostgresStore(address)
    assert leader.lead() is not None
    refused = serinus("restore", tmp_path / "one.db", "--store", address)
    assert refused.exit_code == 1
    assert "a control plane leads on this database" in refused.output
    leader.close()
