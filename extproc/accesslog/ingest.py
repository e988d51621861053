"""Log messages and observations in, outcomes into the slots and onto the dashboards. No I/O; the clock is a port.

Every entry that could be read counts as received, whatever it is of: Envoy's `logs_written` counts all of them too, and
the difference is what was lost.

An entry's line is read by itself: its shared half is looked up (`lane.py`), its own half split. Whatever is unusual
about it, the whole entry is read instead, the plain way; what comes out is the same.
"""

from collections.abc import Iterable, Sequence, Set

from extproc.accesslog.entry import Entry, outcome_of
from extproc.accesslog.join import Join, Joined
from extproc.accesslog.lane import FINISHED, HAS_FIRST_BYTE, OF_BASELINE, OF_CANDIDATE, RUNNING, Lane, Lanes, Request
from extproc.accesslog.native import placed
from extproc.accesslog.told import RequestLog
from extproc.accesslog.wire import BadLogMessageError, Skipped, entries_of, line_head, lines_of
from extproc.aggregate.window import SlotWindow
from extproc.clock import Clock
from extproc.cohort.policies import PolicyHolder
from extproc.outcome.observation import Observation
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.bucket import BUCKET_COUNT
from serinus.contract.logline import OWN, RUNNING_MS
from serinus.contract.metric import Measures

# By the length of a custom tag what it must begin with to be the line. Lines are 150-400 bytes; the method, which is
# the client's, may be anything: an entry with a longer line is read as a whole.
_HEADS = {len(head) + length: head for length in range(1_024) for head in (line_head(length),)}
_KEY_DIGITS = 16
RUNNING_US = RUNNING_MS * 1_000
# Of a line: its head, the shared half, and what is the request's own.
_VALUES = 2 + len(OWN)
_RAN_MS = 2 + OWN.index("ran_ms")
_MINUS = ord("-")


class Ingest:
    """Mutable, single-threaded."""

    def __init__(
        self,
        *,
        policies: PolicyHolder,
        window: SlotWindow,
        catalogue: Catalogue,
        clock: Clock,
        log: RequestLog | None = None,
    ) -> None:
        self._policies = policies
        self._window = window
        self._catalogue = catalogue
        self._clock = clock
        self._log = log
        self._join = Join()
        self._lanes = Lanes(policies, window.cell)
        self._received = 0
        self._joined = 0

    def take_received(self) -> int:
        """Entries received since the last call."""
        received, self._received = self._received, 0
        return received

    def access_logs(self, message: bytes) -> None:
        """One StreamAccessLogsMessage. One that cannot be read leaves its entries uncounted, that is: lost."""
        now_ms = self._clock.now_ms()
        try:
            lines = lines_of(message)
        except BadLogMessageError:
            self._catalogue.log_entries.add(("malformed",))
            return
        self._received += len(lines)
        lanes, unread, skipped = self._lanes.known(), [], 0
        for index, line in enumerate(lines):
            try:
                values = line.split(b"\t")
                if len(values) != _VALUES or _HEADS.get(len(line)) != values[0]:
                    raise ValueError(line)
                if self._log is not None and self._log.wants(values[-1].decode()):
                    unread.append(index)  # the plain way, which tells it too
                    continue
                lane = lanes.get(values[1]) or self._lanes.open(values[1])
                if lane.skipped == RUNNING and _is_due(lane.follow_up_us, int(values[_RAN_MS]) * 1_000):
                    unread.append(index)
                elif lane.skipped:
                    self._catalogue.log_entries.add((lane.skipped,))
                    skipped += 1
                else:
                    self._line(lane, values, now_ms)
            except ValueError:
                unread.append(index)
        if counted := len(lines) - len(unread) - skipped:
            self._catalogue.log_entries.add(("counted",), counted)
        if self._joined:
            self._catalogue.observations.add(("joined",), self._joined)
            self._joined = 0
        if unread:
            self._whole(message, frozenset(unread), now_ms)

    def _line(self, lane: Lane, values: Sequence[bytes], now_ms: int) -> None:
        """One request by the own half of its line. Raises ValueError, and then nothing has been counted."""
        _, _, bucket, key, start, sent, headers, body, finished, _, request_id = values
        start_us, duration_us = int(start), int(sent)
        side, ttft_us = FINISHED if finished or lane.is_local else 0, None
        if first := body or headers:
            ttft_us = int(first)
            side += HAS_FIRST_BYTE
        key_hash = None
        if bucket:
            number = int(bucket)
            if not 0 <= number < BUCKET_COUNT or len(key) != _KEY_DIGITS or key[0] == _MINUS:
                raise ValueError(values)
            key_hash = int(key, 16)
            side += OF_CANDIDATE if number < lane.weight_bp else OF_BASELINE
        elif key:
            key_hash, number = placed(key)
            side += OF_CANDIDATE if number < lane.weight_bp else OF_BASELINE
        measures: Measures = ()
        if not lane.waits:
            if lane.is_observed:
                self._join.forget(request_id.decode())
            cell = lane.plain[side] or lane.plain_cell(side)
        else:
            seen = self._join.meet(name := request_id.decode())
            finished_us = int(finished) if finished else None
            if seen is None:
                request = Request(lane, side, start_us, duration_us, ttft_us, key_hash, finished_us, name)
                self._counted(self._join.entry(request, now_ms))
                return
            self._joined += seen.observable
            said = side, seen.said
            cell = lane.by_said.get(said) or lane.cell(side, seen)
            ttft_us, measures = seen.sizes(start_us, ttft_us, finished_us)
        if duration_us > lane.follow_up_us:
            self._window.late(cell, duration_us, ttft_us)
            return
        tally = self._window.count(cell, start_us, duration_us, ttft_us, key_hash)
        if measures and tally is not None:
            self._window.measure(cell, tally, start_us, key_hash, measures)

    def _whole(self, message: bytes, indices: Set[int], now_ms: int) -> None:
        """Entries whose line alone was not enough."""
        try:
            entries = list(entries_of(message))
        except BadLogMessageError:
            self._received -= len(indices)
            self._catalogue.log_entries.add(("malformed",))
            return
        for entry in (entry for index, entry in enumerate(entries) if index in indices):
            if isinstance(entry, Skipped):
                self._catalogue.log_entries.add((entry.why,))
                continue
            if entry.is_running:
                self._catalogue.log_entries.add((RUNNING,))
                self._runs(entry)
                continue
            self._catalogue.log_entries.add(("counted",))
            if not self._observes(entry):
                self._count(entry, None)
            elif entry.may_have_body:
                self._counted(self._join.entry(entry, now_ms))
            else:
                self._join.forget(entry.request_id)
                self._count(entry, None)

    def _observes(self, entry: Entry) -> bool:
        return self._policies.observes(entry.service, is_sampled=entry.is_sampled)

    def _runs(self, entry: Entry) -> None:
        """Envoy's entries of a request are `RUNNING_US` apart or a little more: one is the first behind its follow-up:
        that is the request's outcome; its end is late."""
        if not _is_due(self._policies.follow_up_ms(entry.service) * 1_000, entry.duration_us):
            return
        outcome = outcome_of(entry, None, is_observed=self._observes(entry))
        cell = self._window.cell(outcome, entry.attempts)
        self._window.count(cell, outcome.start_us, outcome.duration_us, outcome.ttft_us, outcome.key_hash)

    def observation(self, request_id: str, observation: Observation) -> None:
        """One observed response has ended."""
        if not observation.observable:
            self._catalogue.observations.add(("unobservable",))
        joined = self._join.observation(request_id, observation, self._clock.now_ms())
        if joined is not None:
            self._counted((joined,))

    def tick(self) -> None:
        """Let go of what has waited long enough. Call it a few times a second."""
        self._counted(self._join.expire(self._clock.now_ms()))
        self._orphans()

    def flush(self) -> None:
        """Count everything that waits: the process ends."""
        self._counted(self._join.flush())

    def _counted(self, ready: Iterable[Joined]) -> None:
        for joined in ready:
            observation = joined.observation
            if observation is None:
                self._catalogue.observations.add(("missing",))
            elif observation.observable:
                self._catalogue.observations.add(("joined",))
            self._count(joined.entry, observation)

    def _orphans(self) -> None:
        orphaned, self._join.orphaned = self._join.orphaned, 0
        if orphaned:
            self._catalogue.observations.add(("orphaned",), orphaned)

    def _count(self, request: Request | Entry, seen: Observation | None) -> None:
        if isinstance(request, Entry):
            follow_up_ms = self._policies.follow_up_ms(request.service)
            outcome = outcome_of(request, seen, is_observed=self._observes(request))
            self._window.add(outcome, follow_up_ms, attempts=request.attempts)
            if self._log is not None:
                self._log.told(request, outcome, self._clock.now_ms())
            return
        cell, window = request.lane.cell(request.side, seen), self._window
        start_us, duration_us, key_hash = request.start_us, request.duration_us, request.key_hash
        ttft_us = request.ttft_us
        measures: Measures = ()
        if seen is not None:
            ttft_us, measures = seen.sizes(start_us, ttft_us, request.finished_us)
        if duration_us > request.lane.follow_up_us:
            window.late(cell, duration_us, ttft_us)
            return
        tally = window.count(cell, start_us, duration_us, ttft_us, key_hash)
        if tally is not None:
            window.measure(cell, tally, start_us, key_hash, measures)


def _is_due(follow_up_us: int, ran_us: int) -> bool:
    """Whether it is the first entry of a request that still runs behind its follow-up."""
    return follow_up_us <= ran_us < follow_up_us + RUNNING_US
