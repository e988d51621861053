"""A store copied is the store: what another control plane reads from it is the same."""

import itertools
from pathlib import Path

import pytest

from controlplane.store.copying import copy_store
from controlplane.store.memory import MemoryStore
from controlplane.store.port import INSTALLATION, Record, StoredBatch, StoredObject, StoredPoint, StoreError
from controlplane.store.sqlite import SqliteStore


def filled() -> MemoryStore:
    store = MemoryStore()
    store.apply([StoredObject("Service", "chat", {"b": 1, "a": 2}, "v1", 5)], [])
    for revision, name in enumerate(["r", "audit", "r", "s"]):
        store.append(Record(name, revision, revision, name != "audit", "state", "hold", "code", "text", "ada"))
    store.save_points([StoredPoint("chat", "v1", 60_000, 60_000, "{}"), StoredPoint("gone", "v1", 0, 60_000, "{}")])
    store.save_batch(StoredBatch("edge-1", 2**64 - 1, 1, 1000, b"x"))
    return store


def test_everything_is_copied_in_its_order(tmp_path: Path) -> None:
    source, target = filled(), SqliteStore(tmp_path / "copy.db")
    assert copy_store(source, target, lambda: 0) == (4, 1)
    assert target.objects() == source.objects()
    assert target.latest() == source.latest()
    assert [target.records(name) for name in target.journals()] == [source.records(n) for n in source.journals()]
    assert list(target.batches(0)) == list(source.batches(0))
    assert [point.at_ms for point in target.points("chat", 0, 1 << 50)] == [60_000]
    assert target.points("gone", 0, 1 << 50) == [], "of services that are no more nothing is taken along"
    target.close()


def test_nothing_goes_where_something_is() -> None:
    with pytest.raises(StoreError, match="there is something already"):
        copy_store(filled(), filled(), lambda: 0)


def test_what_a_process_made_for_itself_when_it_started_gives_way() -> None:
    source, target = filled(), MemoryStore()
    for store, key in ((source, "theirs"), (target, "ours")):
        store.append(Record(INSTALLATION, 0, 1, False, key, "made", "feedback_key", "made for ids", ""))
    copy_store(source, target, lambda: 0)
    assert target.records(INSTALLATION, 1)[0].state == "theirs"


def test_a_journal_that_never_rests_is_refused() -> None:
    target = MemoryStore()
    with pytest.raises(StoreError, match="faster than it can be read"):
        copy_store(filled(), target, itertools.count().__next__)
    assert target.objects() == []
