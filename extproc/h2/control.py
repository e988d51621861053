"""Frames that carry no request: PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, and ours to drain.

Each method takes (flags, stream identifier, payload) and returns the event, if any. Faults are as RFC 9113 says for the
type. Beyond it stands one rule of RFC 7540 that h2spec asks for: a stream may not depend on itself.
"""

from extproc.h2 import frames
from extproc.h2.errors import ConnectionFault, ErrorCode, StreamFault
from extproc.h2.events import Drained, Event, PeerLeaves, StreamReset
from extproc.h2.field_blocks import FieldBlocks
from extproc.h2.floods import Flood, FloodGuard
from extproc.h2.limits import STREAM_ID_MAX
from extproc.h2.sending import Sender
from extproc.h2.stream_table import Closed, StreamTable

_DRAIN_PING = b"draining"


class ControlFrames:
    """Mutable; one per connection."""

    __slots__ = ("_blocks", "_floods", "_is_acknowledged", "_is_draining", "_sender", "_streams", "goaway_id")

    def __init__(self, streams: StreamTable, sender: Sender, blocks: FieldBlocks, floods: FloodGuard) -> None:
        self._streams = streams
        self._sender = sender
        self._blocks = blocks
        self._floods = floods
        self._is_acknowledged = False
        self._is_draining = False
        # The last stream that the peer was told we serve.
        self.goaway_id = STREAM_ID_MAX

    def drain(self) -> None:
        """RFC 9113 6.8: first a GOAWAY that turns nothing away, and a PING. Whoever answers it has read the GOAWAY."""
        if not self._is_draining:
            self._is_draining = True
            self._sender.frame(frames.goaway(STREAM_ID_MAX, ErrorCode.NO_ERROR))
            self._sender.frame(frames.ping(_DRAIN_PING, is_ack=False))

    def is_past_goaway(self, stream_id: int) -> bool:
        """The peer opened it in spite of our last GOAWAY: it is ignored."""
        return stream_id > self.goaway_id

    def without_priority(self, stream_id: int, block: bytes) -> bytes:
        """A block whose HEADERS frame carries a priority in front of it."""
        if len(block) < frames.PRIORITY_BYTES:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for a priority")
        self._check_dependency(stream_id, block)
        return block[frames.PRIORITY_BYTES :]

    def on_unknown(self, _flags: int, _stream_id: int, _payload: bytes) -> Event | None:
        """RFC 9113 5.5: ignored."""
        self._floods.count(Flood.IDLE_FRAME)
        return None

    def on_priority(self, _flags: int, stream_id: int, payload: bytes) -> Event | None:
        """RFC 9113 6.3."""
        self._floods.count(Flood.IDLE_FRAME)
        if stream_id == 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != frames.PRIORITY_BYTES:
            raise self._fault(stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes")
        self._check_dependency(stream_id, payload)
        return None

    def on_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> Event | None:
        """RFC 9113 6.4."""
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM is not 4 bytes")
        streams = self._streams
        stream = streams.lingering.get(stream_id)
        if stream is not None:  # answered: the way that Envoy ends every stream
            streams.close(stream, Closed.RESET_BY_PEER)
            return None if stream.call is None else StreamReset(stream, frames.unpack_id(payload)[0])
        stream = streams.live.get(stream_id)
        if stream is not None:
            if not stream.is_served:
                self._floods.count(Flood.PREMATURE_RESET)
            self._sender.forget(stream)
            streams.close(stream, Closed.RESET_BY_PEER)
            return StreamReset(stream, frames.unpack_id(payload)[0])
        if not self.is_past_goaway(stream_id):
            self._check_used(stream_id, "RST_STREAM")
        self._floods.count(Flood.IDLE_FRAME)
        return None

    def on_settings(self, flags: int, stream_id: int, payload: bytes) -> Event | None:
        """RFC 9113 6.5."""
        if stream_id != 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK:
            self._acknowledged(payload)
            return None
        self._floods.count(Flood.SETTINGS)
        if len(payload) % 6:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of broken pairs")
        # First the acknowledgement, then whatever the new windows let go (6.5.3).
        settings = self._sender.settings.updated(frames.parse_settings(payload))
        self._sender.frame(frames.SETTINGS_ACK)
        self._sender.apply(settings)
        return None

    def _acknowledged(self, payload: bytes) -> None:
        if payload:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "acknowledgement of SETTINGS with a payload")
        if self._is_acknowledged:
            self._floods.count(Flood.SETTINGS)
            return
        self._is_acknowledged = True
        self._blocks.acknowledged()

    def on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> Event | None:
        """RFC 9113 8.4: a client cannot push."""
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE of a client")

    def on_ping(self, flags: int, stream_id: int, payload: bytes) -> Event | None:
        """RFC 9113 6.7."""
        if stream_id != 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PING is not 8 bytes")
        self._floods.count(Flood.PING)
        if not flags & frames.ACK:
            self._sender.frame(frames.ping(payload, is_ack=True))
        elif self._is_draining and payload == _DRAIN_PING and self.goaway_id == STREAM_ID_MAX:
            self.goaway_id = self._streams.last_id
            self._sender.frame(frames.goaway(self.goaway_id, ErrorCode.NO_ERROR))
            return Drained()
        return None

    def on_goaway(self, _flags: int, stream_id: int, payload: bytes) -> Event | None:
        """RFC 9113 6.8."""
        if stream_id != 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY is less than 8 bytes")
        self._floods.count(Flood.SETTINGS)
        return PeerLeaves(frames.unpack_id(payload[4:8])[0])

    def on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> Event | None:
        """RFC 9113 6.9."""
        self._floods.count(Flood.IDLE_FRAME)
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE is not 4 bytes")
        increment = frames.unpack_id(payload)[0] & frames.STREAM_ID_MASK
        if stream_id == 0:
            if increment == 0:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
            self._sender.widen(increment)
            return None
        stream = self._streams.find(stream_id)
        if stream is None:
            if not self.is_past_goaway(stream_id):
                self._check_used(stream_id, "WINDOW_UPDATE")
        elif increment == 0:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
        else:
            self._sender.widen_stream(stream, increment)
        return None

    def _check_used(self, stream_id: int, what: str) -> None:
        """RFC 9113 5.1: on an idle stream these are faults; on a closed one they were under way."""
        if stream_id == 0 or stream_id > self._streams.last_id or not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"{what} on stream {stream_id}, which is idle")

    def _check_dependency(self, stream_id: int, priority: bytes) -> None:
        if frames.unpack_id(priority[:4])[0] & frames.STREAM_ID_MASK == stream_id:
            raise self._fault(stream_id, ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")

    def _fault(self, stream_id: int, code: ErrorCode, reason: str) -> ConnectionFault | StreamFault:
        """A fault of the stream, unless there is none: an idle stream cannot be reset."""
        if self._streams.find(stream_id) is None:
            return ConnectionFault(code, reason)
        return StreamFault(stream_id, code, reason)
