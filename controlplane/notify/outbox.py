"""What one receiver is still to be told, in order, and when it is tried again. Mutable, bounded, no clock.

The first is tried until it is taken, refused or too old: receivers read a rollout's story in its order. So a receiver
that is away costs its own notices their punctuality, and nobody else's.
"""

from collections import deque

from controlplane.engine.hooks.calls import HookReply
from controlplane.notify.notice import Notice

# Two things of each of a thousand rollouts that one apply begins, some 2 MB; who is further behind misses the oldest.
WAITING_MAX = 2_048
# Ids that were put here before, taken or not.
KNOWN_MAX = 4_096
# What happened so long ago is read in the journal.
AGE_MS_MAX = 6 * 3_600_000
BACKOFF_S_MAX = 300.0


class Outbox:
    def __init__(self) -> None:
        self._waiting: deque[Notice] = deque()
        self._known: dict[str, None] = {}
        self.calls = 0  # of the first, without success

    def put(self, notice: Notice) -> Notice | None:
        """Returns the one that had to go for it. One that was put before changes nothing."""
        if notice.id in self._known:
            return None
        self._known[notice.id] = None
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._waiting.append(notice)
        if len(self._waiting) <= WAITING_MAX:
            return None
        # The first may be under way.
        dropped = self._waiting[1]
        del self._waiting[1]
        return dropped

    @property
    def first(self) -> Notice | None:
        return self._waiting[0] if self._waiting else None

    @property
    def waiting(self) -> tuple[Notice, ...]:
        return tuple(self._waiting)

    def done(self) -> None:
        """The first was taken, or is given up."""
        self._waiting.popleft()
        self.calls = 0

    def failed(self, jitter: float) -> float:
        """The first was not taken: the seconds to wait. `jitter`, 0 to 1, keeps many from coming back as one."""
        self.calls += 1
        return backoff_s(self.calls) * (0.5 + jitter / 2)

    def is_too_old(self, now_ms: int) -> bool:
        return self.first is not None and now_ms - self.first.at_ms > AGE_MS_MAX


def backoff_s(call: int) -> float:
    """At most, between a call that brought nothing, the first being 1, and the next."""
    return min(BACKOFF_S_MAX, 2.0 ** min(call - 1, 10))


def is_refused(reply: HookReply) -> bool:
    """Sending it again would change nothing: a refusal for good, or a redirect, which is not followed with a body that
    was signed for somebody else."""
    return not reply.is_yes and (reply.is_final or 300 <= reply.status < 400)
