"""Whether the candidate's servers log more of a pattern than the baseline's, for the requests that each got. Pure.

An event is a second in which a pattern was found: one failure writes many lines. Exposure are requests. So the rates
are compared as `evidence/rates.py` says, at every look, and what is found is noted; it moves no rollout. What was
logged before the control plane started, or while another led, is not known.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controlplane.evidence.diagnostics.annotation import Annotation, Cause, Effect
from controlplane.evidence.rates import RateCounts, RateEvidence, RatePlan
from controlplane.signals.book import SignalBook
from controlplane.signals.logs.book import VersionLogs
from controlplane.telemetry.metric import Metric
from controlplane.telemetry.server_logs import SERVER_LOG_LINES, SERVER_LOG_SKIPPED, SERVER_LOG_SOURCES

# As other notes: a wrong one costs a glance. Of all patterns of a rollout together.
ALPHA_NOTE = 0.01
# Between two looks at the same rollout: requests are told ten seconds after their start, a slot more is little.
EVERY_MS = 10_000

Counts = tuple[int, int]  # of the baseline, of the candidate


@dataclass(frozen=True, slots=True)
class _Seen:
    """`seconds`: by pattern."""

    at_ms: int
    requests: Counts
    seconds: Mapping[str, Counts]


class LogRates:
    """Of one rollout, of the patterns that both its versions have. Mutable, no clock."""

    def __init__(self) -> None:
        self._evidence = RateEvidence(())
        self._first = self._last = _Seen(0, (0, 0), {})
        self._looked_ms = 0

    def is_due(self, now_ms: int) -> bool:
        """Whether a look would do anything."""
        return now_ms - self._looked_ms >= EVERY_MS

    def look(self, baseline: VersionLogs, candidate: VersionLogs, requests: Counts, now_ms: int) -> None:
        """`requests`: how many both versions have had so far."""
        if not self.is_due(now_ms):
            return
        self._looked_ms = now_ms
        if not candidate.seconds or not baseline.seconds:
            return
        both = sorted(baseline.seconds.keys() & candidate.seconds.keys())
        seen = _Seen(now_ms, requests, {name: (baseline.seconds[name], candidate.seconds[name]) for name in both})
        if seen.seconds.keys() != self._first.seconds.keys():
            self._first = self._last = seen
            self._evidence = RateEvidence([RatePlan(name, tolerated_factor=1.0, margin_factor=2.0) for name in both])
            self._evidence.begin_step(now_ms // 1_000)
            return
        more = _less(requests, self._last.requests)
        # Without a request on both sides there is nothing to compare; what was logged waits for them.
        if all(more):
            rows = [_row(_less(seen.seconds[name], self._last.seconds[name]), more) for name in both]
            self._evidence.fold(now_ms // 1_000, rows)
            self._last = seen

    def annotations(self) -> tuple[Annotation, ...]:
        """Of the patterns that the candidate's servers log more often."""
        names = list(self._first.seconds)
        needed = -math.log(ALPHA_NOTE / max(len(names), 1))
        found = zip(names, self._evidence.worse_log_e().tolist(), strict=True)
        return tuple(self._annotation(name, log_e, needed) for name, log_e in found if log_e >= needed)

    def _annotation(self, name: str, log_e: float, needed: float) -> Annotation:
        seconds = _less(self._last.seconds[name], self._first.seconds[name])
        requests = _less(self._last.requests, self._first.requests)
        sentence = (
            f"logs: the candidate's servers wrote {name} in {seconds[1]} seconds for {requests[1]} requests, the "
            f"baseline's in {seconds[0]} for {requests[0]} (evidence {log_e:.1f}, ln)"
        )
        return Annotation("log-rates", name, Cause.CANDIDATE_CHANGED, Effect.NOTE, log_e / needed, sentence)


def log_series(book: SignalBook, now_ms: int) -> Iterator[tuple[Metric, float, tuple[str, ...]]]:
    """Every sample of every version whose logs are followed."""
    for names in book.logs.versions():
        seen = book.logs.of(*names, now_ms)
        yield SERVER_LOG_SOURCES, seen.followed, (*names, "followed")
        yield SERVER_LOG_SOURCES, seen.sources - seen.followed, (*names, "missing")
        yield SERVER_LOG_SKIPPED, seen.skipped_bytes, names
        for pattern, lines in seen.lines.items():
            yield SERVER_LOG_LINES, lines, (*names, pattern)


def _less(now: Counts, before: Counts) -> Counts:
    return max(now[0] - before[0], 0), max(now[1] - before[1], 0)


def _row(events: Counts, requests: Counts) -> RateCounts:
    return RateCounts(events[0], float(requests[0]), events[1], float(requests[1]))
