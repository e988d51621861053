"""One contract, three stores: what is kept in memory for tests is what SQLite and PostgreSQL keep on disk."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane.rollout.model import (
    Aborted,
    Observing,
    Paused,
    Phase,
    Preparing,
    Promoted,
    Publishing,
    RolledBack,
    RollingBack,
)
from controlplane.store.journal import decode, encode
from controlplane.store.memory import MemoryStore
from controlplane.store.port import NewerSchemaError, Record, Store, StoredBatch, StoredObject, StoredPoint, StoreError
from controlplane.store.postgres import PostgresStore
from controlplane.store.sqlite import MIGRATIONS, SqliteStore
from tests.postgres import postgres
from tests.unit.controlplane.rollout.facts import rollout, spec


def leading_postgres() -> PostgresStore:
    kept = PostgresStore(postgres().address())
    term = kept.lead()
    assert term is not None
    kept.write_as(term)
    return kept


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    makers: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SqliteStore(tmp_path / "state" / "serinus.db"),
        "postgres": leading_postgres,
    }
    kept = makers[request.param]()
    yield kept
    kept.close()


def record(name: str = "r", revision: int = 1, *, moved: bool = True) -> Record:
    return Record(name, revision, 1000 + revision, moved, f"state {revision}", "hold", "code", "text", "ada")


def test_objects_are_replaced_by_kind_and_name(store: Store) -> None:
    store.apply([StoredObject("Service", "chat", {"a": 1}, "v1", 5), StoredObject("Rollout", "chat", {}, "", 5)], [])
    store.apply([StoredObject("Service", "chat", {"a": 2}, "v2", 6)], [])
    assert sorted(store.objects(), key=lambda o: o.kind) == [
        StoredObject("Rollout", "chat", {}, "", 5),
        StoredObject("Service", "chat", {"a": 2}, "v2", 6),
    ]


def test_the_latest_record_is_the_last_that_moved(store: Store) -> None:
    store.append(record(revision=1))
    store.append(record(revision=2))
    store.append(record(revision=2, moved=False))
    store.append(record("other", 1))
    assert [(r.rollout, r.revision, r.moved) for r in store.latest()] == [("r", 2, True), ("other", 1, True)]
    assert [(r.revision, r.moved) for r in store.records("r")] == [(1, True), (2, True), (2, False)]
    assert [r.serial for r in store.records("r")] == [1, 2, 3]


def test_the_newest_records_of_a_journal_are_read_oldest_first(store: Store) -> None:
    for revision in (1, 2, 3):
        store.append(record(revision=revision))
        store.append(record("other", revision))
    assert [r.revision for r in store.records("r", 2)] == [2, 3]
    assert [r.revision for r in store.records("r", 9)] == [1, 2, 3]
    assert store.records("r", 0) == []
    assert store.records("none", 2) == []


def test_a_batch_is_kept_once(store: Store) -> None:
    batch = StoredBatch("edge-1", 2**64 - 1, 1, 1000, b"x")
    assert store.save_batch(batch) is True
    assert store.save_batch(StoredBatch("edge-1", 2**64 - 1, 1, 2000, b"other")) is False
    assert store.save_batch(StoredBatch("edge-1", 2**64 - 1, 2, 2000, b"y")) is True
    assert list(store.batches(0)) == [batch, StoredBatch("edge-1", 2**64 - 1, 2, 2000, b"y")]
    assert store.prune_batches(1500) == 1
    assert [b.seq for b in store.batches(0)] == [2]


def test_old_holds_go_and_what_explains_a_rollout_stays(store: Store) -> None:
    for revision, moved in ((1, True), (2, False), (3, False), (4, True), (5, False)):
        store.append(record(revision=revision, moved=moved))
    store.append(record("held", 1, moved=False))
    store.append(record("@audit", 1, moved=False))
    store.append(record("@audit", 2, moved=False))
    assert store.prune_holds(1003) == 1
    assert [r.revision for r in store.records("r")] == [1, 3, 4, 5]
    assert store.prune_holds(9999) == 1
    assert [r.revision for r in store.records("r")] == [1, 4, 5]
    assert [r.serial for r in store.records("r")] == [1, 4, 5]
    assert len(store.records("held")) == 1
    assert len(store.records("@audit")) == 2
    store.append(record(revision=6))
    assert [r.serial for r in store.records("r", 1)] == [9]


def test_of_a_journal_that_begins_with_two_signs_the_newest_record_stays(store: Store) -> None:
    for revision in (1, 2, 3):
        store.append(record("@@notify", revision, moved=False))
    store.append(record("@audit", 1, moved=False))
    assert store.prune_holds(0) == 2
    assert [each.revision for each in store.records("@@notify")] == [3]
    assert len(store.records("@audit")) == 1


def test_the_journal_can_be_read_while_batches_are(store: Store) -> None:
    for seq in range(3):
        store.save_batch(StoredBatch("edge-1", 7, seq, 1000, b"x"))
    seen = 0
    for batch in store.batches(0):
        seen += 1
        assert batch.payload == b"x"
        assert store.records("r") == []
    assert seen == 3


def test_sqlite_keeps_what_was_appended_when_the_process_is_gone(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "serinus.db")
    first.append(record(), [StoredObject("Service", "chat", {"ü": [1]}, "v2", 5)])
    # Not closed: a killed process closes nothing.
    second = SqliteStore(tmp_path / "serinus.db")
    assert [r.text for r in second.records("r")] == ["text"]
    assert second.objects()[0].baseline == "v2"
    first.close()
    second.close()


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_an_apply_is_all_or_nothing(store: Store) -> None:
    bad = Record("r", 1, 1, True, None, "hold", "code", "text", "ada")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"cannot write the state|the database .* failed"):
        store.apply([StoredObject("Service", "chat", {}, "v1", 5)], [bad])
    assert store.objects() == []
    store.append(record())
    assert len(store.records("r")) == 1


def test_a_newer_schema_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "serinus.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(NewerSchemaError, match=f"schema 99, this one knows {len(MIGRATIONS)}"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "serinus.db"
    path.write_text("not a database, and long enough to be read as one" * 10)
    with pytest.raises(StoreError, match="cannot open the state"):
        SqliteStore(path)


@pytest.mark.parametrize(
    "phase",
    [
        Preparing(5),
        Publishing(1, 5, waived=True),
        Observing(2, 6, dwell_waived=True),
        Paused(Publishing(1, 5), 7, "ada", "why"),
        RollingBack("worse", aborted=True, since_ms=9),
        RolledBack("worse", 9),
        Aborted("by ada", 9),
        Promoted(9),
    ],
)
def test_a_state_comes_back_from_the_journal_as_it_was(phase: Phase) -> None:
    state = rollout(phase)
    assert decode("chat-v2", spec(), encode(state)) == state


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', '{"format": 1, "phase": {"kind": "nope"}}', "[]"])
def test_a_journal_that_cannot_be_read_is_a_typed_error(text: str) -> None:
    with pytest.raises(StoreError, match="journal of rollout chat-v2"):
        decode("chat-v2", spec(), text)


def point(at_ms: int, *, service: str = "chat", span_ms: int = 60_000, data: str = "{}") -> StoredPoint:
    return StoredPoint(service, "v1", at_ms, span_ms, data)


def test_points_are_those_of_a_service_and_a_time_oldest_first(store: Store) -> None:
    store.save_points([point(120_000, data="b"), point(60_000, data="a"), point(60_000, service="other")])
    store.save_points([point(60_000, data="late")])
    assert [each.data for each in store.points("chat", 60_000, 180_000)] == ["a", "late", "b"]
    assert [each.data for each in store.points("chat", 60_001, 120_000)] == []
    assert [each.data for each in store.points("chat", 0, 120_000)] == ["a", "late"]


def test_points_are_thinned_in_one_transaction(store: Store) -> None:
    store.save_points([point(60_000 * number) for number in range(5)])
    store.save_points([point(0, span_ms=3_600_000)])
    old = store.old_points(60_000, 180_000, 2)
    assert [each.at_ms for each in old] == [0, 60_000]
    store.save_points([point(0, span_ms=3_600_000, data="hour")], old)
    assert [(each.at_ms, each.span_ms) for each in store.points("chat", 0, 1 << 50)] == [
        (0, 3_600_000),
        (0, 3_600_000),
        (120_000, 60_000),
        (180_000, 60_000),
        (240_000, 60_000),
    ]


def test_points_that_are_too_old_leave(store: Store) -> None:
    store.save_points([point(60_000 * number) for number in range(5)])
    assert store.prune_points(120_000) == 2
    assert [each.at_ms for each in store.points("chat", 0, 1 << 50)] == [120_000, 180_000, 240_000]
