"""A tag message's headers, read by hand: the shape that Envoy writes, and no other.

Envoy writes a ProcessingRequest in the order of its fields: `request_headers` first, then what is the same for each
request of a listener. The headers are walked here at half the price of message objects. Whatever differs from that
shape in one byte gives None, and the caller reads the message by its schema: nothing is guessed, and both readings
are held against each other by tests and by the fuzzer.

    message = 12 <length> HttpHeaders, then the rest        HttpHeaders = 0a <length> HeaderMap [18 <end of stream>]
    HeaderMap = (0a <length> HeaderValue)*                  HeaderValue = 0a <length> key, 1a <length> raw value
"""

from functools import lru_cache

Values = dict[str, list[bytes]]
_BLANKS = b" \t"
# Names are those that the proxy is told to forward.
_NAMES_KEPT_MAX = 1_024
_KEY, _RAW_VALUE, _ENTRY, _MAP, _END_OF_STREAM, _REQUEST_HEADERS = 0x0A, 0x1A, 0x0A, 0x0A, 0x18, 0x12


@lru_cache(_NAMES_KEPT_MAX)
def _name(key: bytes) -> str:
    return key.decode()


def request_headers(message: bytes) -> tuple[Values, int] | None:
    """The values of each name, in order, without outer blanks, and where the rest of the message begins."""
    try:
        return _read(message)
    except (IndexError, UnicodeDecodeError):
        return None


def _read(message: bytes) -> tuple[Values, int] | None:
    """Lengths are varints of one or two bytes. A third one in the outermost is refused here; of an inner one it makes
    16 KiB at least, which lies behind the end of what is around it, and that is refused everywhere.
    """
    if message[0] != _REQUEST_HEADERS:
        return None
    at, size = 2, message[1]
    if size > 127:
        if message[2] > 127:
            return None
        at, size = 3, size + (message[2] - 1 << 7)
    end = at + size
    if end > len(message) or message[at] != _MAP:
        return None
    size = message[at + 1]
    at += 2
    if size > 127:
        size += message[at] - 1 << 7
        at += 1
    map_end = at + size
    if map_end != end and not (map_end + 2 == end and message[map_end] == _END_OF_STREAM and message[end - 1] < 128):
        return None
    values = _values(message, at, map_end)
    return (values, end) if values is not None else None


def _values(message: bytes, at: int, map_end: int) -> Values | None:
    """Of the entries from `at` on."""
    values: Values = {}
    while at < map_end:
        size = message[at + 1]
        key_at = at + 2
        if size > 127:
            size += message[key_at] - 1 << 7
            key_at += 1
        entry_end = key_at + size
        key_end = key_at + 2 + message[key_at + 1]
        size = message[key_end + 1]
        value_at = key_end + 2
        if size > 127:
            size += message[value_at] - 1 << 7
            value_at += 1
        if (
            message[at] != _ENTRY
            or message[key_at] != _KEY
            or message[key_at + 1] > 127
            or message[key_end] != _RAW_VALUE
            or value_at + size != entry_end
            or entry_end > map_end
        ):
            return None
        name = _name(message[key_at + 2 : key_end])
        value = message[value_at:entry_end].strip(_BLANKS)
        if name in values:
            values[name].append(value)
        else:
            values[name] = [value]
        at = entry_end
    return values


def value_at(message: bytes, name: str) -> int:
    """Where the value of a header begins, in a message that `request_headers` has read; 0 unless it stands there once
    and is shorter than 128 bytes.
    """
    wanted, found = name.encode(), 0
    at = 2 + (message[1] > 127)
    size, at = message[at + 1], at + 2
    if size > 127:
        size, at = size + (message[at] - 1 << 7), at + 1
    map_end = at + size
    while at < map_end:
        size, key_at = message[at + 1], at + 2
        if size > 127:
            size += message[key_at] - 1 << 7
            key_at += 1
        key_end = key_at + 2 + message[key_at + 1]
        if message[key_at + 2 : key_end] == wanted:
            if found or message[key_end + 1] > 127:
                return 0
            found = key_end + 2
        at = key_at + size
    return found
