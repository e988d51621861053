"""Log messages and observations in, outcomes into the slots and onto the dashboards. No I/O; the clock is a port.

Every entry that could be read counts as received, whatever it is of: Envoy's `logs_written` counts all of them too, and
the difference is what was lost.
"""

from collections.abc import Iterable

from extproc.accesslog.entry import Entry, outcome_of
from extproc.accesslog.join import Join, Joined
from extproc.accesslog.wire import BadLogMessageError, Skipped, entries_of
from extproc.aggregate import totals
from extproc.aggregate.window import SlotWindow
from extproc.clock import Clock
from extproc.cohort.policies import PolicyHolder
from extproc.outcome.observation import Observation
from extproc.telemetry.catalogue import Catalogue


class Ingest:
    """Mutable, single-threaded."""

    def __init__(self, *, policies: PolicyHolder, window: SlotWindow, catalogue: Catalogue, clock: Clock) -> None:
        self._policies = policies
        self._window = window
        self._catalogue = catalogue
        self._clock = clock
        self._join = Join()
        self._received = 0

    def take_received(self) -> int:
        """Entries received since the last call."""
        received, self._received = self._received, 0
        return received

    def access_logs(self, message: bytes) -> None:
        """One StreamAccessLogsMessage. One that cannot be read leaves its entries uncounted, that is: lost."""
        now_ms = self._clock.now_ms()
        entries = self._catalogue.log_entries
        try:
            for entry in entries_of(message):
                self._received += 1
                if isinstance(entry, Skipped):
                    entries.add((entry.why,))
                else:
                    entries.add(("counted",))
                    self._entry(entry, now_ms)
        except BadLogMessageError:
            entries.add(("malformed",))

    def _entry(self, entry: Entry, now_ms: int) -> None:
        if not self._policies.observes(entry.service):
            self._count(entry, None)
        elif not entry.may_have_body:
            self._join.forget(entry.request_id)
            self._count(entry, None)
        else:
            self._counted(self._join.entry(entry, now_ms))

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

    def _count(self, entry: Entry, observation: Observation | None) -> None:
        outcome = outcome_of(entry, observation)
        totals.count(self._catalogue, outcome, attempts=entry.attempts)
        self._window.add(outcome, self._policies.follow_up_ms(outcome.service))
