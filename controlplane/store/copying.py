"""Everything of one store into another, empty one: backups of PostgreSQL, restores, and the way from SQLite to it."""

from collections.abc import Callable

from controlplane.store.port import INSTALLATION, Record, Store, StoredObject, StoreError

# A rollout writes at most a few records a second; reading them all takes milliseconds.
TRIES = 20
END_MS = 1 << 62


def copy_store(source: Store, target: Store, newest: Callable[[], int]) -> tuple[int, int]:
    """How many records and batches were copied; serials are dealt anew, in the same order.

    Objects and records are of one moment: between them `newest` has not changed. Batches are read last: those that came
    meanwhile are kept too, as after a restart. Raises StoreError.
    """
    # A process that was only started has made nothing but its own; what comes takes its place.
    if target.objects() or set(target.journals()) - {INSTALLATION}:
        raise StoreError("there is something already: nothing was changed", next_step="name an empty one")
    objects, records = _read(source, newest)
    target.apply(objects, records)
    for service in {each.name for each in objects if each.kind == "Service"}:
        target.save_points(source.points(service, 0, END_MS))
    return len(records), sum(target.save_batch(batch) for batch in source.batches(0))


def _read(source: Store, newest: Callable[[], int]) -> tuple[list[StoredObject], list[Record]]:
    for _ in range(TRIES):
        before = newest()
        objects = source.objects()
        records = [record for name in source.journals() for record in source.records(name)]
        if newest() == before:
            return objects, sorted(records, key=lambda record: record.serial)
    raise StoreError("the journal is written faster than it can be read", next_step="try again")
