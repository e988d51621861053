"""What the control plane keeps: objects, the journal of decisions, and the sidecars' batches.

Every method is atomic and durable when it returns. Methods block; the engine calls them off the event loop, one at a
time. Where several control planes share a store (`Lease`), only the one that leads can write.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from controlplane.errors import SerinusError

# The journal of what an installation made for itself when it first started: the key that signs the ids of requests. The
# newest record counts. No call reads it.
INSTALLATION = "@installation"


class StoreError(SerinusError):
    """The store cannot be read or written."""

    code = "store"


class NewerSchemaError(StoreError):
    """The database was written by a newer version."""

    code = "store_newer"


class NotLeaderError(StoreError):
    """This control plane does not lead, or no more: nothing was written."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A manifest as applied. `data` is the plain spec; `baseline` is a service's version in force, else ""."""

    kind: str
    name: str
    data: dict[str, Any]
    baseline: str
    applied_at_ms: int


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a rollout's journal. `state` is its codec text after the event; `serial` orders all records.

    `moved` False is a decision that changed nothing but its reason (a hold).
    """

    rollout: str
    revision: int
    at_ms: int
    moved: bool
    state: str
    action: str
    code: str
    text: str
    actor: str
    serial: int = 0


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One report of a sidecar, as it came. Named by (sidecar, epoch, seq)."""

    sidecar: str
    epoch: int
    seq: int
    at_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """What one version of a service did in `span_ms` from `at_ms` on; `data` is the text of `ingest.history`. Several
    of the same time add up. `serial` is dealt by the store."""

    service: str
    version: str
    at_ms: int
    span_ms: int
    data: str
    serial: int = 0


class Store(Protocol):
    def objects(self) -> list[StoredObject]: ...

    def apply(self, objects: Sequence[StoredObject], records: Sequence[Record]) -> None:
        """Put objects (by kind and name) and append records, all or nothing."""

    def append(self, record: Record, objects: Sequence[StoredObject] = ()) -> None:
        """Append one record, and the objects that change with it, all or nothing."""

    def records(self, rollout: str, last: int | None = None) -> list[Record]:
        """A rollout's journal, or its `last` newest records; oldest first."""

    def journals(self) -> list[str]:
        """The names under which there are records."""

    def latest(self) -> list[Record]:
        """The newest moved record of every rollout."""

    def save_batch(self, batch: StoredBatch) -> bool:
        """Keep a batch; False if it was kept before (then nothing changed)."""

    def batches(self, since_ms: int) -> Iterator[StoredBatch]:
        """Kept batches that came at or after a time, in the order they came."""

    def prune_batches(self, before_ms: int) -> int:
        """Drop batches older than a time; how many went."""

    def prune_holds(self, before_ms: int) -> int:
        """Drop records of rollouts older than a time that moved nothing, but the newest of each; how many went.

        Journals whose name begins with `@` are no rollout's: they stay whole. Of those that begin with `@@` the newest
        record says all: the others go, whenever they came.
        """

    def save_points(self, points: Sequence[StoredPoint], gone: Sequence[StoredPoint] = ()) -> None:
        """Keep points, and drop others in the same transaction."""

    def points(self, service: str, since_ms: int, until_ms: int) -> list[StoredPoint]:
        """Of a service, those that began in a time; oldest first."""

    def old_points(self, span_ms: int, before_ms: int, count: int) -> list[StoredPoint]:
        """At most so many points of a span that began before a time; oldest first."""

    def prune_points(self, before_ms: int) -> int:
        """Drop points that began before a time; how many went."""

    def close(self) -> None: ...


class Lease(Protocol):
    """Leadership of a store that several control planes share. Each write of the store is fenced by it."""

    def lead(self) -> int | None:
        """Take the lease if it is free, or renew it: the term that this one leads, or None. Raises StoreError.

        A new term may write after `write_as`, once what is stored was read anew.
        """

    def write_as(self, term: int) -> None:
        """From now on writes are of this term. In terms that are over nothing is written: NotLeaderError."""

    def newest(self) -> int:
        """Another number than before once an apply, an act or a decision was recorded, by whomever."""

    def tell(self, text: str) -> None:
        """What this control plane sees, for the others; the newest counts. Needs no lease."""

    def told(self) -> list[str]:
        """What the others told in the last seconds, the newest of each."""

    def resign(self) -> None:
        """Give the lease back, so that another need not wait until it runs out; what was told holds no more."""
