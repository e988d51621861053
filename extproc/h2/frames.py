"""Frames as bytes: the head, the types and flags, padding, and the frames that this side sends (RFC 9113 4 and 6).

No state. `split` takes no frame apart but its padding and priority: what a payload means is decided where it matters.
"""

from struct import Struct

from extproc.h2.errors import ConnectionFault, ErrorCode

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

HEAD_BYTES = 9
# The length has 24 bits and shares a word with the type.
_HEAD = Struct(">LBL")
_PREFIX = Struct(">LB")
_ID = Struct(">L")
_TWO_IDS = Struct(">LL")
_SETTING = Struct(">HL")
STREAM_ID_MASK = 0x7FFF_FFFF
PRIORITY_BYTES = 5

# (length << 8 | type, flags, stream identifier with its reserved bit)
unpack_head = _HEAD.unpack_from
unpack_id = _ID.unpack


def prefix(kind: int, flags: int, length: int) -> bytes:
    """A frame's head without its stream identifier, for frames that are built once and sent on many streams."""
    return _PREFIX.pack(length << 8 | kind, flags)


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    length = len(payload)
    return _HEAD.pack(length << 8 | kind, flags, stream_id) + payload


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(key, value) for key, value in values.items()))


def parse_settings(payload: bytes) -> list[tuple[int, int]]:
    """Pairs in order: a later value of the same setting wins (RFC 9113 6.5.3)."""
    return list(_SETTING.iter_unpack(payload))


SETTINGS_ACK = frame(SETTINGS, ACK, 0)


def ping(payload: bytes, *, is_ack: bool) -> bytes:
    return frame(PING, ACK if is_ack else 0, 0, payload)


def goaway(last_stream_id: int, code: int, reason: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, _TWO_IDS.pack(last_stream_id, code) + reason)


_RST_PREFIX = prefix(RST_STREAM, 0, 4)
_WINDOW_PREFIX = prefix(WINDOW_UPDATE, 0, 4)


def rst_stream(stream_id: int, code: int) -> bytes:
    return _RST_PREFIX + _TWO_IDS.pack(stream_id, code)


def window_update(stream_id: int, increment: int) -> bytes:
    return _WINDOW_PREFIX + _TWO_IDS.pack(stream_id, increment)


def unpadded(payload: bytes) -> bytes:
    """What is left of a padded payload (RFC 9113 6.1: padding that is no shorter than the payload is a fault)."""
    if not payload:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "padded frame without a pad length")
    pad = payload[0]
    if pad >= len(payload):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "padding is longer than its frame")
    return payload[1 : len(payload) - pad]
