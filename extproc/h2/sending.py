"""What goes to the peer: frames in order, within the peer's windows; what has to wait, waits here, bounded.

An answer that fits (every one of ours, in practice) is nine pieces of bytes in a list. Everything that is sent while
one read is worked off leaves in one piece: `take`.
"""

from collections.abc import Callable, Iterable
from struct import Struct

from extproc.h2 import frames
from extproc.h2.errors import ConnectionFault, ErrorCode, StreamFault
from extproc.h2.hpack_encode import TABLE_SIZE_ZERO, encode
from extproc.h2.hpack_table import Field
from extproc.h2.limits import FRAME_BYTES_MAX, WINDOW_BYTES_DEFAULT, Limits
from extproc.h2.peer_settings import PeerSettings
from extproc.h2.stream import BY_US, Stream
from extproc.h2.stream_table import Closed, StreamTable
from extproc.h2.windows import is_beyond

_pack_id = Struct(">L").pack
_pack_prefix = Struct(">LB").pack


class HeaderBlock:
    """A HEADERS frame without its stream: built once, sent on many. Its block fits one frame."""

    __slots__ = ("block", "is_end", "prefix")

    def __init__(self, fields: Iterable[Field], *, is_end: bool) -> None:
        self.block = encode(fields)
        self.is_end = is_end
        flags = frames.END_HEADERS | (frames.END_STREAM if is_end else 0)
        self.prefix = frames.prefix(frames.HEADERS, flags, len(self.block))


class EndOfData(HeaderBlock):
    """An empty DATA frame with END_STREAM: the end of an answer that has no trailers."""

    __slots__ = ()

    def __init__(self) -> None:
        self.block = b""
        self.is_end = True
        self.prefix = frames.prefix(frames.DATA, frames.END_STREAM, 0)


class AtOnce:
    """How the layer above answers requests of one block whose data is whole in one frame: `data_of` gives the answer's
    data, or None if nothing has happened and the request shall take the usual way. `began` and `ended` stand round
    answers in a row: what the first gave, and how many there were. None of them may raise.
    """

    __slots__ = ("began", "data_of", "ended", "head", "trailers")

    def __init__(
        self,
        head: HeaderBlock,
        data_of: Callable[[bytes], bytes | None],
        trailers: HeaderBlock,
        *,
        began: Callable[[], float] = lambda: 0.0,
        ended: Callable[[float, int], None] = lambda _began, _count: None,
    ) -> None:
        self.head = head
        self.data_of = data_of
        self.trailers = trailers
        self.began = began
        self.ended = ended


class Queue:
    """What a stream has to send and may not yet: data, then trailers if it ends."""

    __slots__ = ("data", "trailers")

    def __init__(self) -> None:
        self.data = bytearray()
        self.trailers: HeaderBlock | None = None


class Sender:
    """Mutable; one per connection. What is sent on a stream that is over is dropped, and False is returned."""

    __slots__ = (
        *("_blocked", "_limits", "_queued_bytes", "_streams"),
        *("initial_window_bytes", "is_update_due", "out", "settings", "window"),
    )

    def __init__(self, limits: Limits, streams: StreamTable) -> None:
        self._limits = limits
        self._streams = streams
        # What `take` gives, in pieces.
        self.out: list[bytes] = []
        # What the connection may send.
        self.window = WINDOW_BYTES_DEFAULT
        self._queued_bytes = 0
        # Streams that have a window of their own and wait for the connection's.
        self._blocked: dict[int, Stream] = {}
        # The next header block begins with the size of our table.
        self.is_update_due = False
        self.settings = PeerSettings()
        # What a new stream may send.
        self.initial_window_bytes = WINDOW_BYTES_DEFAULT

    def take(self) -> bytes:
        """Everything that is to be sent now."""
        out = self.out
        if not out:
            return b""
        data = b"".join(out)
        out.clear()
        return data

    def frame(self, data: bytes) -> None:
        """A whole frame that no window holds back."""
        self.out.append(data)

    def answer(self, stream: Stream, head: HeaderBlock, data: bytes, trailers: HeaderBlock) -> bool:
        """Head, data and end at once."""
        size = len(data)
        if (
            size > stream.send_window
            or size > self.window
            or size > FRAME_BYTES_MAX
            or self.is_update_due
            or stream.ended
        ):
            return self.headers(stream, head) and self.data(stream, data) and self.headers(stream, trailers)
        self.window -= size
        stream_id = _pack_id(stream.id)
        data_prefix = _pack_prefix(size << 8, 0)
        self.out += (
            *(head.prefix, stream_id, head.block, data_prefix, stream_id, data),
            *(trailers.prefix, stream_id, trailers.block),
        )
        # As `end_by_us`, of a stream that the peer has not ended.
        streams, stream.ended = self._streams, BY_US
        del streams.live[stream.id]
        streams.lingering[stream.id] = stream
        if len(streams.lingering) > streams.lingering_max:
            overdue = next(iter(streams.lingering.values()))
            self.reset(overdue, ErrorCode.NO_ERROR)  # RFC 9113 8.1: asks the peer to stop sending, without error
        return True

    def headers(self, stream: Stream, headers: HeaderBlock) -> bool:
        """Head or trailers. Trailers wait behind data that waits."""
        if stream.ended & BY_US:
            return False
        if stream.queue is not None:
            stream.queue.trailers = headers
            return True
        if self.is_update_due and headers.block:
            self.is_update_due = False
            flags = headers.prefix[4]
            self.out.append(frames.frame(frames.HEADERS, flags, stream.id, TABLE_SIZE_ZERO + headers.block))
        else:
            self.out += (headers.prefix, _pack_id(stream.id), headers.block)
        stream.is_served = True
        if headers.is_end:
            overdue = self._streams.end_by_us(stream)
            if overdue is not None:
                self.reset(overdue, ErrorCode.NO_ERROR)
        return True

    def data(self, stream: Stream, data: bytes) -> bool:
        """Some data. False also when too much would wait: the stream is reset then."""
        if stream.ended & BY_US:
            return False
        if self._queued_bytes + len(data) > self._limits.queued_bytes_max:
            self.reset(stream, ErrorCode.ENHANCE_YOUR_CALM)
            return False
        if stream.queue is None:
            stream.queue = Queue()
        stream.queue.data += data
        self._queued_bytes += len(data)
        self._flush(stream)
        return True

    def reset(self, stream: Stream, code: int) -> None:
        """RST_STREAM, of a stream that is not over."""
        self.forget(stream)
        self._streams.close(stream, Closed.RESET_BY_US)
        self.out.append(frames.rst_stream(stream.id, code))

    def forget(self, stream: Stream) -> None:
        """What waits on a stream will not be sent."""
        if stream.queue is not None:
            self._queued_bytes -= len(stream.queue.data)
            self._blocked.pop(stream.id, None)
            stream.queue = None

    def widen(self, increment: int) -> None:
        """WINDOW_UPDATE of the connection. Raises ConnectionFault."""
        self.window += increment
        if is_beyond(self.window):
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window grew beyond 2^31-1")
        while self._blocked and self.window > 0:
            self._flush(next(iter(self._blocked.values())))

    def widen_stream(self, stream: Stream, increment: int) -> None:
        """WINDOW_UPDATE of a stream. Raises StreamFault."""
        stream.send_window += increment
        if is_beyond(stream.send_window):
            raise StreamFault(stream.id, ErrorCode.FLOW_CONTROL_ERROR, "the stream's window grew beyond 2^31-1")
        if stream.queue is not None:
            self._flush(stream)

    def apply(self, settings: PeerSettings) -> None:
        """SETTINGS of the peer: the windows of all streams move by the difference (RFC 9113 6.9.2). Raises
        ConnectionFault."""
        difference = settings.initial_window_bytes - self.initial_window_bytes
        self.settings = settings
        self.initial_window_bytes = settings.initial_window_bytes
        self.is_update_due = self.is_update_due or settings.has_shrunk_table
        if difference == 0:
            return
        for stream in tuple(self._streams.live.values()):
            stream.send_window += difference
            if is_beyond(stream.send_window):
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS let a window grow beyond 2^31-1")
            if stream.queue is not None:
                self._flush(stream)

    def _flush(self, stream: Stream) -> None:
        queue: Queue = stream.queue
        while queue.data:
            count = min(len(queue.data), FRAME_BYTES_MAX, stream.send_window, self.window)
            if count <= 0:
                if stream.send_window > 0:
                    self._blocked[stream.id] = stream
                else:
                    self._blocked.pop(stream.id, None)
                return
            self.out.append(frames.frame(frames.DATA, 0, stream.id, bytes(queue.data[:count])))
            del queue.data[:count]
            stream.send_window -= count
            self.window -= count
            self._queued_bytes -= count
        self._blocked.pop(stream.id, None)
        stream.queue = None
        if queue.trailers is not None:
            self.headers(stream, queue.trailers)
