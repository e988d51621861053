"""An incremental parser of server-sent events (WHATWG HTML, section 9.2.6, "Interpreting an event stream").

Bytes in, events out, whatever the chunking: lines end with CRLF, LF or CR, `data` lines are joined by LF, comments and
unknown fields are skipped, a byte order mark at the start is dropped. One departure: `finish` hands out an event that
the end of the stream cut off before its blank line, for a server that writes `data: [DONE]` and closes has said it all.
It does not decode text and does not look inside `data`.
"""

from dataclasses import dataclass, field

# One event of a chat stream is 0.2-2 KB; with log probabilities or a whole tool call in one piece tens of KB.
EVENT_BYTES_MAX = 256 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """`data` without its last LF; `event` is the type's name, empty for the default."""

    data: bytes
    event: bytes = b""


@dataclass(slots=True)
class SseParser:
    """Mutable; one per response. After an event longer than `EVENT_BYTES_MAX`, `is_overflowed` stays True and nothing
    more comes out: the response counts as unobservable, never as bad."""

    is_overflowed: bool = False
    _rest: bytearray = field(default_factory=bytearray)  # the line that has not ended yet
    _data: list[bytes] = field(default_factory=list)
    _data_bytes: int = 0
    _event: bytes = b""
    _skip_lf: bool = False  # the last chunk ended with CR: a LF that opens the next one belongs to it
    _at_start: bool = True

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that this chunk completes, in order."""
        if self.is_overflowed:
            return []
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, newline, tail = chunk.rpartition(b"\n")
        self._rest += head
        if newline:
            lines = bytes(self._rest).split(b"\n")
            self._rest = bytearray(tail)
        else:
            self._rest += tail
            lines = []
        events = [event for line in lines if (event := self._line(line)) is not None]
        if len(self._rest) + self._data_bytes > EVENT_BYTES_MAX:
            self._overflow()
        return [] if self.is_overflowed else events

    def finish(self) -> list[SseEvent]:
        """The stream ended: what stood in the buffer without its blank line."""
        if self.is_overflowed:
            return []
        line = bytes(self._rest)
        self._rest.clear()
        event = self._line(line) if line else None
        last = event or self._line(b"")
        return [last] if last else []

    def _line(self, line: bytes) -> SseEvent | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > EVENT_BYTES_MAX:
                self._overflow()
        elif name == b"event":
            self._event = value
        return None

    def _dispatch(self) -> SseEvent | None:
        data, event = self._data, self._event
        self._event = b""
        if not data:
            return None
        self._data, self._data_bytes = [], 0
        return SseEvent(b"\n".join(data), event)

    def _overflow(self) -> None:
        self.is_overflowed = True
        self._rest.clear()
        self._data, self._data_bytes = [], 0
