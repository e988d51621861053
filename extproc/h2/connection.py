"""The server side of one HTTP/2 connection (RFC 9113): bytes in, events out, bytes to send beside them. No I/O.

`receive(data, now_s)` yields each event as soon as its frame was read and goes on when the next one is asked for: work
the events off one by one, then send `output()`. An answer that is given to an event stands before whatever the peer
sent behind it, so a stream is reset "before it was answered" only if it was.

A request that is whole and whose answer is at hand makes no event (`sending.AtOnce`): it is answered in its turn.

This file is dispatch: what a frame means stands in `stream_frames` and `control`. How bytes are cut into reads changes
nothing. A fault ends its stream or the connection, as RFC 9113 says for each.
"""

from collections.abc import Iterator

from extproc.h2 import frames
from extproc.h2.control import ControlFrames
from extproc.h2.errors import ConnectionFault, ErrorCode, StreamFault
from extproc.h2.events import ConnectionFailed, Event
from extproc.h2.field_blocks import FieldBlocks
from extproc.h2.floods import FloodGuard
from extproc.h2.limits import DEFAULT, FRAME_BYTES_MAX, WINDOW_BYTES_DEFAULT, Limits
from extproc.h2.peer_settings import ours
from extproc.h2.sending import Sender
from extproc.h2.stream import BY_BOTH, Stream
from extproc.h2.stream_frames import StreamFrames
from extproc.h2.stream_table import StreamTable

# A head's first word is length and type: of a frame that is too long it is at least this.
_TOO_LONG = FRAME_BYTES_MAX + 1 << 8
# What Envoy's requests begin and end with.
_PLAIN = (frames.HEADERS, frames.RST_STREAM)


class Connection:
    """Mutable. `send` is how to answer, `output` takes what is to be sent, `streams` is who there is."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.streams = StreamTable(limits)
        self.send = Sender(limits, self.streams)
        self.output = self.send.take
        self.is_over = False
        self._floods = FloodGuard(limits)
        self._blocks = FieldBlocks(limits)
        control = ControlFrames(self.streams, self.send, self._blocks, self._floods)
        streamed = StreamFrames(
            limits, self.streams, self.send, blocks=self._blocks, floods=self._floods, control=control
        )
        self._control = control
        self._stream_frames = streamed
        self._rest = b""
        self._is_greeted = False
        self._on = (
            streamed.on_data,
            streamed.on_headers,
            control.on_priority,
            control.on_rst_stream,
            control.on_settings,
            control.on_push_promise,
            control.on_ping,
            control.on_goaway,
            control.on_window_update,
            streamed.on_continuation,
            *[control.on_unknown] * (256 - frames.CONTINUATION - 1),
        )
        self.send.frame(frames.settings(ours(limits)))
        if limits.connection_window_bytes > WINDOW_BYTES_DEFAULT:
            self.send.frame(frames.window_update(0, limits.connection_window_bytes - WINDOW_BYTES_DEFAULT))

    @property
    def is_greeted(self) -> bool:
        """The peer speaks HTTP/2."""
        return self._is_greeted

    def drain(self) -> None:
        """Tells the peer to open no more streams here (RFC 9113 6.8). Those it has opened until it reads that, and
        those that run, are served; `Drained` says when no more can come."""
        if not self.is_over:
            self._control.drain()

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Ends a stream before its time. No event follows."""
        if stream.ended != BY_BOTH:
            self.send.reset(stream, code)

    def work_off(self, data: bytes) -> int:
        """How many bytes of a read were worked off without any event: `receive` wants what is left. It does the same
        itself; asked first, it is not needed for nearly any of Envoy's reads."""
        if self._rest or not self._is_greeted or self.is_over or self._blocks.unfinished is not None:
            return 0
        return self._stream_frames.work_off(data, 0)

    def receive(self, data: bytes, now_s: float) -> Iterator[Event]:
        """Works `data` off; ask for every event. `now_s` is any monotonic time."""
        if self.is_over:
            return
        if now_s >= self._floods.until_s:
            self._floods.refill(now_s)
        if self._rest:
            data = self._rest + data
        on, unpack, blocks, work_off = self._on, frames.unpack_head, self._blocks, self._stream_frames.work_off
        end = len(data)
        try:
            position = 0 if self._is_greeted else self._greeting(data)
            if position < 0:
                self._rest = data
                return
            while end - position >= 9:
                word, flags, stream_id = unpack(data, position)
                payload_end = position + 9 + (word >> 8)
                if payload_end > end or word >= _TOO_LONG:
                    if word >= _TOO_LONG:
                        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "frame longer than MAX_FRAME_SIZE")
                    break
                kind = word & 0xFF
                if blocks.unfinished is not None and kind != frames.CONTINUATION:
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "frame inside a header block")
                if kind in _PLAIN and (worked_off := work_off(data, position)) != position:
                    position = worked_off
                    continue
                try:
                    event = on[kind](flags, stream_id & 0x7FFF_FFFF, data[position + 9 : payload_end])
                except StreamFault as fault:
                    event = self._stream_frames.failed(fault)
                position = payload_end
                if event is not None:
                    yield event
            self._rest = data[position:]
        except ConnectionFault as fault:
            self.is_over = True
            self._rest = b""
            self.send.frame(frames.goaway(self.streams.last_id, fault.code, fault.reason.encode()))
            yield ConnectionFailed(fault.code, fault.reason)

    def _greeting(self, data: bytes) -> int:
        """RFC 9113 3.4. The position behind the preface, -1 while it or the head of the first frame is not whole."""
        preface = frames.PREFACE
        if data[: len(preface)] != preface[: len(data)]:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "no HTTP/2 preface")
        if len(data) < len(preface) + frames.HEAD_BYTES:
            return -1
        word, flags, _ = frames.unpack_head(data, len(preface))
        if word & 0xFF != frames.SETTINGS or flags & frames.ACK:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        self._is_greeted = True
        return len(preface)
