"""When the sidecar has fallen behind, and what it answers then: "continue", at once and without a tag. Pure.

Envoy waits 50 ms for an answer and then goes on without one. Past that an answer is work for nothing, and every answer
behind it is late too; so a loop that cannot keep up answers the rest cheaply until it has caught up, and the requests
that come after that are tagged again. Nothing is queued here; what waits, waits in the socket, which is bounded.

The loop is asked to beat each `BEAT_S` as soon as `STRIDE` streams come within `STRIDE_S`, for as long as so many come.
It is behind when it has worked for `BEHIND_S` without one beat on time and has opened `BACKLOG` streams in that time:
both, since a machine that gave us no CPU for a moment is no backlog of ours, and what waited is answered in time once
we run again. Observations and log entries are never shed.
"""

from extproc.processing import codec
from extproc.processing.session import ProcessSession, Reply
from extproc.telemetry.tables import Counter

# Requests come in reads of some milliseconds of work each when there are too many of them.
BEAT_S = 0.005
# A beat that is later than this was kept waiting; timers are exact to a millisecond.
LATE_S = 0.005
# Half of what Envoy waits: a request may have waited in the socket for as long again before it was read.
BEHIND_S = 0.025
# 15-25 ms of work, at 15-25 us a request.
BACKLOG = 1_000
# 6,400 a second: with fewer nothing can wait for long, and a timer that wakes the process costs more than a request.
STRIDE, STRIDE_S = 64, 0.01
# Fewer in one late beat: it was not we who kept the loop busy.
BUSY = 100

# ProcessingRequest.request_headers is field 2, of wire type 2. Envoy writes fields in order, this one first.
_REQUEST_HEADERS = b"\x12"
_PASS = Reply(codec.CONTINUE, is_done=True)


class Overload:
    """Mutable. Times are any monotonic seconds."""

    __slots__ = ("_opened_at_beat", "_since_s", "opened")

    def __init__(self, now_s: float = 0.0) -> None:
        self.caught_up(now_s)

    def caught_up(self, now_s: float) -> None:
        """Nothing waits."""
        self._since_s = now_s
        # Streams: to be counted by whoever opens them. Beyond `BACKLOG` of them ask `look`.
        self.opened = self._opened_at_beat = 0

    def is_calm(self, now_s: float) -> bool:
        """Asked at each `STRIDE` while nobody beats. False: beats are needed from now on."""
        if now_s - self._since_s < STRIDE_S:
            return False
        self.caught_up(now_s)
        return True

    def look(self, now_s: float) -> bool:
        """Whether we are behind, in the middle of the work: one turn of the loop may last for long."""
        return self.opened >= BACKLOG and now_s - self._since_s > BEHIND_S

    def beat(self, *, due_s: float, now_s: float) -> bool:
        """The loop has come round. False: few streams were opened since the last beat, and beats may stop."""
        count = self.opened - self._opened_at_beat
        if now_s - due_s <= LATE_S or count < BUSY:
            self.caught_up(now_s)
        else:
            self._opened_at_beat = self.opened
        return count >= BUSY


class ShedSession:
    """A stream that came while we are behind. Only a request that waits for its tag is shed."""

    __slots__ = ("_requests", "_session")

    def __init__(self, session: ProcessSession, requests: Counter) -> None:
        self._session = session
        self._requests = requests

    def receive(self, message: bytes) -> Reply:
        if message[:1] == _REQUEST_HEADERS:
            self._requests.add(("shed",))
            return _PASS
        return self._session.receive(message)

    def close(self) -> None:
        self._session.close()
