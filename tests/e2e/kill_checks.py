"""What must be true after kills, read from the store and from what users saw: no step lost or done twice, no slot
counted twice, no hole in what a sidecar was told is safe, and every second that nobody reported marked as missing."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from controlplane.store.port import Record, StoredBatch
from serinus.v1 import outcomes_pb2


def journal_faults(name: str, records: Sequence[Record]) -> list[str]:
    """Of one rollout: each move follows the last, each step starts once and in its order, none went back."""
    moves = [record for record in records if record.moved]
    faults = []
    if [move.revision for move in moves] != list(range(moves[0].revision, moves[0].revision + len(moves))):
        faults.append(f"{name}: a move is lost or repeated: {[move.revision for move in moves]}")
    started = [json.loads(move.state)["phase"]["step_index"] for move in moves if move.code == "step_started"]
    if started != list(range(len(started))):
        faults.append(f"{name}: steps started as {started}")
    faults += [f"{name}: {move.code}: {move.text}" for move in moves if move.action == "rollback"]
    return faults


@dataclass
class Book:
    """Batches as they were found in the store, again and again: by number, and never another content."""

    rows: dict[tuple[str, int, int], list[tuple[int, int]]] = field(default_factory=dict)  # (slot, requests)
    contents: dict[tuple[str, int, int], int] = field(default_factory=dict)
    lost: int = 0
    untagged: int = 0
    changed: int = 0

    def take(self, batches: Iterable[StoredBatch]) -> None:
        for each in batches:
            place = each.sidecar, each.epoch, each.seq
            if place in self.contents:
                self.changed += self.contents[place] != hash(each.payload)
                continue
            self.contents[place] = hash(each.payload)
            batch = outcomes_pb2.Batch.FromString(each.payload)
            self.rows[place] = [(row.slot, row.requests) for row in batch.rows]
            if batch.HasField("proxy"):
                self.lost = max(self.lost, batch.proxy.logs_lost_total)
                self.untagged = max(self.untagged, batch.proxy.untagged_total)

    @property
    def requests_by_slot(self) -> Counter[int]:
        found: Counter[int] = Counter()
        for rows in self.rows.values():
            for slot, requests in rows:
                found[slot] += requests
        return found

    @property
    def row_count(self) -> int:
        return sum(map(len, self.rows.values()))

    def holes(self) -> list[str]:
        """Numbers that are missing between stored ones: their reports were sent before, and are gone."""
        by_epoch: dict[tuple[str, int], list[int]] = defaultdict(list)
        for sidecar, epoch, seq in self.contents:
            by_epoch[sidecar, epoch].append(seq)
        return [
            f"{sidecar}/{epoch}: nothing between {low} and {high}"
            for (sidecar, epoch), numbers in by_epoch.items()
            for low, high in pairwise([0, *sorted(numbers)])
            if high != low + 1
        ]


@dataclass(frozen=True)
class Missing:
    """Users' requests that no stored slot has."""

    sent: int
    stored: int
    seconds_before_kill_max: float  # of requests answered before a sidecar's kill, the worst of them


def missing(
    sent_s: Sequence[float],
    book: Book,
    sidecar_kills_s: Sequence[float],
    *,
    rate: float,
    unheard_s: Collection[float] = (),
) -> Missing:
    """Times are wall seconds. What was missing in the 10 s before a kill, as seconds of traffic; not of those in
    `unheard_s`, which take with them what nobody could hear."""
    stored, asked = book.requests_by_slot, Counter(math.floor(at_s) for at_s in sent_s)
    worst = 0.0
    for killed_s, before_s in zip(sidecar_kills_s, [0.0, *sidecar_kills_s], strict=False):
        if killed_s in unheard_s:
            continue
        first = max(math.floor(killed_s) - 10, math.ceil(before_s) + 6)
        seconds = range(first, math.floor(killed_s))
        short = sum(max(0, asked[second] - stored[second]) for second in seconds)
        within = sum(math.floor(at_s) == math.floor(killed_s) and at_s < killed_s for at_s in sent_s)
        short += max(0, within - stored[math.floor(killed_s)])
        worst = max(worst, short / rate)
    begun = math.floor(min(sent_s, default=0.0))  # what was asked before is nobody's subject
    return Missing(len(sent_s), sum(count for slot, count in stored.items() if slot >= begun), worst)
