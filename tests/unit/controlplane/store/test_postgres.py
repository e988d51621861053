"""PostgreSQL as the store of several control planes: who leads writes, and nobody else; against a real server."""

import signal
from collections.abc import Iterator

import pytest

from controlplane.store.port import NewerSchemaError, NotLeaderError, Record, StoredBatch, StoredObject, StoreError
from controlplane.store.postgres import PostgresStore
from controlplane.store.schema import SCHEMA_VERSION
from tests.postgres import execute, postgres
from tests.waiting import eventually


def record(revision: int) -> Record:
    return Record("r", revision, 1000 + revision, True, f"state {revision}", "hold", "code", "text", "ada")


@pytest.fixture
def address() -> str:
    return postgres().address()


@pytest.fixture
def twins(address: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    one, two = PostgresStore(address, lease_s=0.3), PostgresStore(address, lease_s=30)
    yield one, two
    one.close()
    two.close()


def lead(store: PostgresStore) -> int:
    term = store.lead()
    assert term is not None
    store.write_as(term)
    return term


def test_of_two_control_planes_one_leads_and_the_other_reads(address: str) -> None:
    one, two = PostgresStore(address), PostgresStore(address)
    first = lead(one)
    assert two.lead() is None
    assert one.lead() == first
    one.append(record(1))
    assert two.records("r") == one.records("r") != []
    with pytest.raises(NotLeaderError, match="does not lead; nothing was changed"):
        two.append(record(2))
    one.resign()
    assert lead(two) > first
    one.close()
    two.close()


def test_a_leader_that_was_away_too_long_writes_nothing_more(twins: tuple[PostgresStore, PostgresStore]) -> None:
    stale, leader = twins
    old = lead(stale)
    stale.append(record(1))
    eventually(lambda: leader.lead() is not None, what="the lease to run out")
    with pytest.raises(NotLeaderError):
        leader.append(record(7))
    term = lead(leader)
    assert term > old
    with pytest.raises(NotLeaderError):
        stale.append(record(2), [StoredObject("Service", "chat", {}, "v2", 5)])
    stale.write_as(old)
    with pytest.raises(NotLeaderError):
        stale.save_batch(StoredBatch("edge-1", 1, 1, 1000, b"x"))
    stale.write_as(old)
    with pytest.raises(NotLeaderError):
        stale.prune_batches(9999)
    leader.append(record(2))
    assert [r.revision for r in leader.records("r")] == [1, 2]
    assert leader.objects() == []
    assert stale.lead() is None


def test_a_lost_database_is_told_and_met_again_in_a_new_term(address: str) -> None:
    server = postgres()
    store = PostgresStore(address)
    term = lead(store)
    store.append(record(1))
    server.stop(signal.SIGQUIT)
    try:
        with pytest.raises(StoreError, match=r"127\.0\.0\.1"):
            store.append(record(2))
        with pytest.raises(StoreError, match="cannot reach the database"):
            store.lead()
    finally:
        server.start()
    # Nobody knows of the write that broke off until the journal was read again.
    with pytest.raises(NotLeaderError):
        store.append(record(3))
    assert [r.revision for r in store.records("r")] == [1]
    assert lead(store) > term
    store.append(record(2))
    store.close()


def test_a_newer_schema_is_refused_and_nothing_is_changed(address: str) -> None:
    PostgresStore(address).close()
    execute(address, "UPDATE serinus_schema SET version = 99")
    execute(address, "DROP TABLE serinus_batches")
    with pytest.raises(NewerSchemaError, match=f"schema 99, this one knows {SCHEMA_VERSION}"):
        PostgresStore(address)
    with pytest.raises(NewerSchemaError):
        PostgresStore(address)


def test_a_full_disk_is_told_and_the_leader_goes_on_afterwards(address: str) -> None:
    store = PostgresStore(address)
    term = lead(store)
    execute(
        address,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON serinus_journal EXECUTE FUNCTION full_disk()",
    )
    with pytest.raises(StoreError, match="DiskFullError no space left on device; next: check"):
        store.append(record(1), [StoredObject("Service", "chat", {}, "v2", 5)])
    assert store.objects() == []
    execute(address, "DROP TRIGGER full_disk ON serinus_journal")
    assert store.lead() == term
    store.append(record(1))
    assert [r.revision for r in store.records("r")] == [1]
    store.close()


def test_a_text_with_a_null_character_is_kept_without_it(address: str) -> None:
    store = PostgresStore(address)
    lead(store)
    store.append(Record("r", 1, 1, True, "s", "hold", "code", "a\0b", "ada"))
    assert store.records("r")[0].text == "a\ufffdb"
    store.close()


def test_what_each_tells_is_heard_by_the_others_until_it_is_old(address: str) -> None:
    stores = [PostgresStore(address, lease_s=60) for _ in range(3)]
    try:
        for number, store in enumerate(stores):
            store.tell(f"old {number}")
            store.tell(f"new {number}")
        assert sorted(stores[0].told()) == ["new 1", "new 2"]
        execute(address, "UPDATE serinus_planes SET at = at - interval '6 seconds' WHERE seen = 'new 1'")
        assert stores[0].told() == ["new 2"]
        execute(address, "UPDATE serinus_planes SET at = at - interval '2 hours' WHERE seen = 'new 1'")
        stores[0].tell("newer")
        stores[1].tell("back")
        assert sorted(stores[2].told()) == ["back", "newer"]
    finally:
        for store in stores:
            store.close()
