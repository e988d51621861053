"""What each version did, minute by minute, for people who look back: counts and bins, which add up exactly.

Of rows into points of a minute, and of sixty of those into one of an hour. No verdict rests on it. What comes late is
one more point of the same minute; readers add up. A process that is killed takes at most the open minute and
`LATE_S` with it. Pure.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.ingest.rows import Row
from serinus.contract.edge import BIN_COUNT, lower_edge
from serinus.contract.metric import ERRORS, FINISH_LENGTH, LATENCY, TOKENS_IN, TOKENS_OUT, TPOT, TTFT

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
# A sidecar reports a slot some seconds after its end (the follow-up); most of a minute comes with its first point.
LATE_S = 30
# Most of a minute has come by then: a rule need not wait for its last requests.
SETTLED_S = 10
# Minutes that were not taken yet, of all services together: a leader takes every 15 s.
OPEN_MAX = 10_000
KEPT = (TTFT, LATENCY, TPOT, TOKENS_IN, TOKENS_OUT)
SHARES = (ERRORS, FINISH_LENGTH)


def upper_of(number: int) -> int:
    """The first value above a bin; of the last bin its lowest, since it has no end."""
    return lower_edge(min(number + 1, BIN_COUNT - 1))


def middle_of(number: int) -> float:
    """What an observation of a bin counts as."""
    return (lower_edge(number) + upper_of(number)) / 2


@dataclass(slots=True)
class Counts:
    """`shares`: metric -> [observed, bad]. `bins`: metric -> bin -> observations (`serinus.contract.edge`)."""

    requests: int = 0
    shares: dict[str, list[int]] = field(default_factory=dict)
    bins: dict[str, dict[int, int]] = field(default_factory=dict)

    def add(self, other: "Counts") -> None:
        self.requests += other.requests
        for metric, (observed, bad) in other.shares.items():
            self._share(metric, observed, bad)
        for metric, bins in other.bins.items():
            self._bins(metric, bins)

    def add_row(self, row: Row) -> None:
        self.requests += row.requests
        for metric in SHARES:
            if (count := row.metrics.get(metric)) is not None:
                self._share(metric, count.observed, count.bad)
        for metric in KEPT:
            if (found := row.histograms.get(metric)) is not None:
                self._bins(metric, found.bins)

    def _share(self, metric: str, observed: int, bad: int) -> None:
        share = self.shares.setdefault(metric, [0, 0])
        share[0] += observed
        share[1] += bad

    def _bins(self, metric: str, bins: Mapping[int, int]) -> None:
        mine = self.bins.setdefault(metric, {})
        for number, count in bins.items():
            mine[number] = mine.get(number, 0) + count

    def share(self, metric: str) -> float | None:
        """Of the observed requests, those that were bad; None without any."""
        observed, bad = self.shares.get(metric, (0, 0))
        return bad / observed if observed else None

    def quantile(self, metric: str, part: float) -> float | None:
        """In the metric's unit, within 5 %: the middle of the bin in which it lies. None without observations."""
        bins = self.bins.get(metric, {})
        wanted, seen = part * sum(bins.values()), 0
        for number in sorted(bins):
            seen += bins[number]
            if bins[number] and seen >= wanted:
                return middle_of(number)
        return None


@dataclass(frozen=True, slots=True)
class Point:
    """`counts` of one version in the `span_ms` that begin at `at_ms`."""

    service: str
    version: str
    at_ms: int
    span_ms: int
    counts: Counts


class HistoryBook:
    """Mutable. The minutes that are open."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, int], Counts] = {}
        # Of each version the newest that was taken, for who asks what is now.
        self._newest: dict[tuple[str, str], Point] = {}

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            key = (row.service, row.version, row.slot // 60 * MINUTE_MS)
            if key not in self._open and len(self._open) >= OPEN_MAX:
                continue
            self._open.setdefault(key, Counts()).add_row(row)

    def take(self, now_ms: int) -> list[Point]:
        """The minutes that ended `LATE_S` ago or earlier; they are forgotten here."""
        due = [key for key in self._open if key[2] + MINUTE_MS + LATE_S * 1_000 <= now_ms]
        taken = [Point(*key, MINUTE_MS, self._open.pop(key)) for key in sorted(due)]
        self._newest = {key: point for key, point in self._newest.items() if point.at_ms >= now_ms - 3 * MINUTE_MS}
        self._newest |= {(point.service, point.version): point for point in taken}
        return taken

    def newest(self, service: str, version: str, now_ms: int) -> Counts | None:
        """Of the last minute that ended `SETTLED_S` ago or earlier; None if nothing came in it."""
        at_ms = (now_ms - SETTLED_S * 1_000) // MINUTE_MS * MINUTE_MS - MINUTE_MS
        if (counts := self._open.get((service, version, at_ms))) is not None:
            return counts
        point = self._newest.get((service, version))
        return point.counts if point is not None and point.at_ms == at_ms else None

    def put_back(self, points: Iterable[Point]) -> None:
        """They could not be kept: tried again with the next."""
        for point in points:
            key = (point.service, point.version, point.at_ms)
            if key in self._open or len(self._open) < OPEN_MAX:
                self._open.setdefault(key, Counts()).add(point.counts)


def merged(points: Iterable[Point], span_ms: int) -> list[Point]:
    """Added up by spans of the clock (UTC), oldest first, a version after the other."""
    found: dict[tuple[int, str, str], Counts] = {}
    for point in points:
        key = (point.at_ms // span_ms * span_ms, point.service, point.version)
        found.setdefault(key, Counts()).add(point.counts)
    return [
        Point(service, version, at_ms, span_ms, counts) for (at_ms, service, version), counts in sorted(found.items())
    ]


def packed(counts: Counts) -> str:
    """As the store keeps them; some 400 bytes for a busy minute."""
    bins = {metric: [list(item) for item in sorted(of.items())] for metric, of in counts.bins.items()}
    kept = {"n": counts.requests, "s": counts.shares, "b": bins}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


def unpacked(text: str) -> Counts:
    """Raises ValueError where it is none of `packed`."""
    try:
        kept = json.loads(text)
        shares = {str(metric): [int(observed), int(bad)] for metric, (observed, bad) in kept["s"].items()}
        bins = {str(metric): {int(place): int(n) for place, n in of} for metric, of in kept["b"].items()}
        return Counts(int(kept["n"]), shares, bins)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no point of the history: {error!r}") from None


def versions_of(points: Sequence[Point]) -> tuple[str, ...]:
    """In the order in which they came."""
    return tuple(dict.fromkeys(point.version for point in points))
