"""Meets an access-log entry with the observation of the same response, by request id, whichever comes first.

The entry is the truth about how a request ended; the observation only adds what the body said. So an entry waits at
most `WAIT_MS` and is then counted without it. An observation waits longer: the log entry is written when the client has
read everything, which may be long after the upstream's last byte. No clock; both tables are bounded: the oldest goes.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from extproc.accesslog.entry import Entry
from extproc.accesslog.lane import Request
from extproc.outcome.observation import Observation

# The end of the body reaches the sidecar before the entry does (flushed each 0.1 s): a second is ten times that.
WAIT_MS = 1_000
OBSERVATION_WAIT_MS = 60_000
# At 5,000 requests a second one second of waiting entries; ~1 KB each.
ENTRIES_MAX = 5_000
# Responses whose client still reads: bounded by Envoy's own connections. ~0.3 KB each.
OBSERVATIONS_MAX = 20_000


@dataclass(slots=True)
class Joined:
    """An entry that is ready to be counted; `observation` None: none came in time."""

    entry: Entry | Request
    observation: Observation | None


class Join:
    """Mutable, single-threaded. `orphaned` counts observations whose entry never came."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[int, Entry | Request]] = OrderedDict()
        # In order too, as dictionaries are, and twice as quick. To find the oldest is to pass the places of those that
        # left before it: some 10 us at the bound.
        self._observations: dict[str, tuple[int, Observation]] = {}
        self.orphaned = 0

    def entry(self, entry: Entry | Request, now_ms: int) -> Iterator[Joined]:
        """An entry that wants an observation. Yields what is ready now: it, or an older one that had to make room."""
        held = self._observations.pop(entry.request_id, None)
        if held is not None:
            yield Joined(entry, held[1])
            return
        twin = self._entries.pop(entry.request_id, None)
        if twin is not None:
            yield Joined(twin[1], None)
        self._entries[entry.request_id] = (now_ms + WAIT_MS, entry)
        if len(self._entries) > ENTRIES_MAX:
            yield Joined(self._entries.popitem(last=False)[1][1], None)

    def observation(self, request_id: str, observation: Observation, now_ms: int) -> Joined | None:
        """A response that ended. The entry that waited for it, if it did."""
        held = self._entries.pop(request_id, None)
        if held is not None:
            return Joined(held[1], observation)
        self._observations[request_id] = (now_ms + OBSERVATION_WAIT_MS, observation)
        if len(self._observations) > OBSERVATIONS_MAX:
            del self._observations[next(iter(self._observations))]
            self.orphaned += 1
        return None

    def meet(self, request_id: str) -> Observation | None:
        """The observation of an entry that came after it, if there is one; nobody else gets it."""
        held = self._observations.pop(request_id, None)
        return held[1] if held is not None else None

    def forget(self, request_id: str) -> None:
        """The request was counted without waiting: its observation, if there is one, is of no use."""
        self._observations.pop(request_id, None)

    def expire(self, now_ms: int) -> Iterator[Joined]:
        """Entries that have waited long enough; old observations go silently, counted."""
        while self._entries and next(iter(self._entries.values()))[0] <= now_ms:
            yield Joined(self._entries.popitem(last=False)[1][1], None)
        due = list(takewhile(lambda each: self._observations[each][0] <= now_ms, self._observations))
        for request_id in due:
            del self._observations[request_id]
        self.orphaned += len(due)

    def flush(self) -> Iterator[Joined]:
        """Every waiting entry, at the end of the process."""
        while self._entries:
            yield Joined(self._entries.popitem(last=False)[1][1], None)
