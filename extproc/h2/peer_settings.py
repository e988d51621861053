"""The peer's SETTINGS and ours (RFC 9113 6.5.2).

Kept are only those that a server needs which pushes nothing and encodes without a table. We never send a frame larger
than the smallest MAX_FRAME_SIZE there can be, so that setting is checked and forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from extproc.h2.errors import ConnectionFault, ErrorCode
from extproc.h2.limits import (
    FRAME_BYTES_MAX,
    HEADER_TABLE_BYTES_DEFAULT,
    WINDOW_BYTES_DEFAULT,
    WINDOW_BYTES_MAX,
    Limits,
)

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6

_FRAME_BYTES_LIMIT = 2**24 - 1


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """The values in force. `has_shrunk_table`: the last SETTINGS made the table for our headers smaller."""

    header_table_bytes: int = HEADER_TABLE_BYTES_DEFAULT
    initial_window_bytes: int = WINDOW_BYTES_DEFAULT
    has_shrunk_table: bool = False

    def updated(self, pairs: Sequence[tuple[int, int]]) -> "PeerSettings":
        """After one SETTINGS frame, its pairs in order. Raises ConnectionFault."""
        table_bytes, window_bytes = self.header_table_bytes, self.initial_window_bytes
        table_bytes_min = table_bytes
        for key, value in pairs:
            _check(key, value)
            if key == HEADER_TABLE_SIZE:
                table_bytes = value
                table_bytes_min = min(table_bytes_min, value)
            elif key == INITIAL_WINDOW_SIZE:
                window_bytes = value
        return PeerSettings(table_bytes, window_bytes, has_shrunk_table=table_bytes_min < self.header_table_bytes)


def _check(key: int, value: int) -> None:
    if key == ENABLE_PUSH and value > 1:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
    if key == INITIAL_WINDOW_SIZE and value > WINDOW_BYTES_MAX:
        raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE beyond 2^31-1")
    if key == MAX_FRAME_SIZE and not FRAME_BYTES_MAX <= value <= _FRAME_BYTES_LIMIT:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE outside 2^14 .. 2^24-1")


def ours(limits: Limits) -> dict[int, int]:
    """What we tell the peer, once, at the start."""
    return {
        HEADER_TABLE_SIZE: limits.header_table_bytes_max,
        MAX_CONCURRENT_STREAMS: limits.streams_max,
        INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
        MAX_HEADER_LIST_SIZE: limits.header_list_bytes_max,
    }
