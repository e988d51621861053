"""All streams of a connection: those that run, those that only the peer has yet to end, and how the last others ended.

Answered streams are kept apart: Envoy ends each by a reset, one round trip later, so they are as many as requests are
under way; they take no place from new ones, and past their bound the oldest is let go.
"""

from enum import Enum, auto

from extproc.h2.limits import Limits
from extproc.h2.stream import BY_BOTH, BY_PEER, BY_US, Stream


class Closed(Enum):
    """How a stream ended, as far as late frames on it are concerned."""

    ENDED = auto()
    RESET_BY_PEER = auto()
    RESET_BY_US = auto()


class StreamTable:
    """Mutable. `last_id`: the highest identifier that the peer has used."""

    __slots__ = ("_closed", "_closed_before", "_limits", "last_id", "lingering", "lingering_max", "live")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.lingering_max = limits.lingering_max
        self.live: dict[int, Stream] = {}
        self.lingering: dict[int, Stream] = {}
        self.last_id = 0
        # Two generations: the older is dropped when the newer is full.
        self._closed: dict[int, Closed] = {}
        self._closed_before: dict[int, Closed] = {}

    def find(self, stream_id: int) -> Stream | None:
        return self.live.get(stream_id) or self.lingering.get(stream_id)

    def end_by_peer(self, stream: Stream) -> None:
        """END_STREAM came."""
        stream.ended |= BY_PEER
        if stream.ended == BY_BOTH:
            self.close(stream, Closed.ENDED)

    def end_by_us(self, stream: Stream) -> Stream | None:
        """END_STREAM was sent. Returned is a stream that has lingered too long, to be reset."""
        stream.ended |= BY_US
        if stream.ended == BY_BOTH:
            self.close(stream, Closed.ENDED)
            return None
        stream_id, lingering = stream.id, self.lingering
        del self.live[stream_id]
        lingering[stream_id] = stream
        if len(lingering) <= self.lingering_max:
            return None
        return next(iter(lingering.values()))

    def close(self, stream: Stream, how: Closed) -> None:
        """Nothing comes or goes on it any more."""
        stream.ended = BY_BOTH
        if self.live.pop(stream.id, None) is None:
            self.lingering.pop(stream.id, None)
        self.remember(stream.id, how)

    def remember(self, stream_id: int, how: Closed) -> None:
        self._closed[stream_id] = how
        if len(self._closed) >= self._limits.closed_remembered_max:
            self._closed_before, self._closed = self._closed, {}

    def how_closed(self, stream_id: int) -> Closed | None:
        """None: so long ago that it was forgotten, or never used."""
        return self._closed.get(stream_id) or self._closed_before.get(stream_id)
