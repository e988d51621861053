"""Batches that the control plane has not acknowledged yet: numbered, bounded, replayable. Pure, no clock, no I/O.

A batch keeps its number for ever: after a reconnect the same bytes go out under the same number, and a repeat changes
nothing over there. When the queue is full the oldest goes and is counted: newer evidence is worth more, and the gap
is seen by its numbers.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# Ten minutes of one batch a second: a control plane that is away longer restarts its judgement anyway.
BATCHES_MAX = 600
# A batch is 0.1-100 KB; at the worst (100,000 keys a second) this is a minute.
BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """One encoded report, the number of slot rows in it, of what clients have told, and of log entries behind it."""

    seq: int
    payload: bytes
    row_count: int
    told_count: int = 0
    entries: int = 0


class ReportQueue:
    """Mutable, single-threaded."""

    def __init__(self, *, batches_max: int = BATCHES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._batches_max = batches_max
        self._bytes_max = bytes_max
        self._batches: OrderedDict[int, Batch] = OrderedDict()
        self._bytes = 0
        self._next_seq = 1
        self._sent_through = 0

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def entries(self) -> int:
        """Log entries that nobody else knows of."""
        return sum(batch.entries for batch in self._batches.values())

    def push(
        self, encode: Callable[[int], bytes], row_count: int, told_count: int = 0, entries: int = 0
    ) -> list[Batch]:
        """Number and keep a new batch. Returns those that were dropped to make room (never the new one)."""
        batch = Batch(self._next_seq, encode(self._next_seq), row_count, told_count, entries)
        self._next_seq += 1
        self._batches[batch.seq] = batch
        self._bytes += len(batch.payload)
        dropped = []
        while len(self._batches) > 1 and (len(self._batches) > self._batches_max or self._bytes > self._bytes_max):
            dropped.append(self._remove(next(iter(self._batches))))
        return dropped

    def _remove(self, seq: int) -> Batch:
        batch = self._batches.pop(seq)
        self._bytes -= len(batch.payload)
        return batch

    def next_unsent(self) -> Batch | None:
        """The next batch that this connection has not carried, in order of number; it counts as sent now."""
        for seq, batch in self._batches.items():
            if seq > self._sent_through:
                self._sent_through = seq
                return batch
        return None

    @property
    def has_unsent(self) -> bool:
        return bool(self._batches) and next(reversed(self._batches)) > self._sent_through

    @property
    def awaits_ack(self) -> bool:
        """Whether something that was sent on this connection is not acknowledged."""
        return bool(self._batches) and next(iter(self._batches)) <= self._sent_through

    def rewind(self) -> None:
        """A new connection: everything that is not acknowledged is to be sent again."""
        self._sent_through = 0

    def ack(self, seq: int) -> Batch | None:
        """This batch is durable over there. None: it was acknowledged or dropped before."""
        return self._remove(seq) if seq in self._batches else None
