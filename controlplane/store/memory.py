"""The store in memory: the shipped fake, for tests and simulation. Same contract as SQLite, without durability."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from controlplane.store.port import Record, StoredBatch, StoredObject, StoredPoint


class MemoryStore:
    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], StoredObject] = {}
        self._records: list[Record] = []
        self._serial = 0
        self._batches: dict[tuple[str, int, int], StoredBatch] = {}
        self._points: list[StoredPoint] = []
        self._points_kept = 0

    def objects(self) -> list[StoredObject]:
        return list(self._objects.values())

    def apply(self, objects: Sequence[StoredObject], records: Sequence[Record]) -> None:
        for record in records:
            self._append(record)
        for stored in objects:
            self._objects[(stored.kind, stored.name)] = stored

    def append(self, record: Record, objects: Sequence[StoredObject] = ()) -> None:
        self.apply(objects, [record])

    def _append(self, record: Record) -> None:
        self._serial += 1
        self._records.append(replace(record, serial=self._serial))

    def records(self, rollout: str, last: int | None = None) -> list[Record]:
        found = [record for record in self._records if record.rollout == rollout]
        return found if last is None else found[len(found) - min(last, len(found)) :]

    def journals(self) -> list[str]:
        return sorted({record.rollout for record in self._records})

    def latest(self) -> list[Record]:
        return list({record.rollout: record for record in self._records if record.moved}.values())

    def save_batch(self, batch: StoredBatch) -> bool:
        key = (batch.sidecar, batch.epoch, batch.seq)
        if key in self._batches:
            return False
        self._batches[key] = batch
        return True

    def batches(self, since_ms: int) -> Iterator[StoredBatch]:
        return iter([batch for batch in self._batches.values() if batch.at_ms >= since_ms])

    def prune_batches(self, before_ms: int) -> int:
        old = [key for key, batch in self._batches.items() if batch.at_ms < before_ms]
        for key in old:
            del self._batches[key]
        return len(old)

    def prune_holds(self, before_ms: int) -> int:
        newest = set({record.rollout: record.serial for record in self._records}.values())
        kept = [
            record
            for record in self._records
            if record.moved or record.serial in newest or not _is_old(record, before_ms)
        ]
        count, self._records = len(self._records) - len(kept), kept
        return count

    def save_points(self, points: Sequence[StoredPoint], gone: Sequence[StoredPoint] = ()) -> None:
        serials = {point.serial for point in gone}
        self._points = [point for point in self._points if point.serial not in serials]
        for point in points:
            self._points_kept += 1
            self._points.append(replace(point, serial=self._points_kept))

    def points(self, service: str, since_ms: int, until_ms: int) -> list[StoredPoint]:
        return self._found(lambda point: point.service == service and since_ms <= point.at_ms < until_ms)

    def old_points(self, span_ms: int, before_ms: int, count: int) -> list[StoredPoint]:
        return self._found(lambda point: point.span_ms == span_ms and point.at_ms < before_ms)[:count]

    def _found(self, chosen: Callable[[StoredPoint], bool]) -> list[StoredPoint]:
        return sorted(filter(chosen, self._points), key=lambda point: (point.at_ms, point.serial))

    def prune_points(self, before_ms: int) -> int:
        kept = [point for point in self._points if point.at_ms >= before_ms]
        count, self._points = len(self._points) - len(kept), kept
        return count

    def close(self) -> None:
        """Nothing to close."""


def _is_old(record: Record, before_ms: int) -> bool:
    """Of a journal of which the newest counts; or of a rollout's, by its time."""
    if record.rollout.startswith("@"):
        return record.rollout.startswith("@@")
    return record.at_ms < before_ms
