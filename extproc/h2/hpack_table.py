"""HPACK's index space (RFC 7541 2.3): the static table of Appendix A, then the dynamic table, newest first.

Names and values are bytes. The table knows its size rule (4.1: 32 bytes of overhead an entry) and nothing of the wire.
"""

from collections import deque

Field = tuple[bytes, bytes]

ENTRY_OVERHEAD_BYTES = 32

STATIC: tuple[Field, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)


def entry_bytes(field: Field) -> int:
    """RFC 7541 4.1."""
    return len(field[0]) + len(field[1]) + ENTRY_OVERHEAD_BYTES


class DynamicTable:
    """Entries by age, bounded by `bytes_max` (RFC 7541 4.3, 4.4)."""

    __slots__ = ("_bytes", "_entries", "bytes_max")

    def __init__(self, bytes_max: int) -> None:
        self._entries: deque[Field] = deque()
        self._bytes = 0
        self.bytes_max = bytes_max

    def __len__(self) -> int:
        return len(self._entries)

    def resize(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._evict(bytes_max)

    def add(self, field: Field) -> None:
        """The newest entry. One that is larger than the whole table empties it (4.4): no fault."""
        size = entry_bytes(field)
        self._evict(self.bytes_max - size)
        if size <= self.bytes_max:
            self._entries.appendleft(field)
            self._bytes += size

    def get(self, index: int) -> Field | None:
        """The field at an index of the whole space, or None: no such entry (0 is none either)."""
        if 0 < index <= len(STATIC):
            return STATIC[index - 1]
        place = index - len(STATIC) - 1
        return self._entries[place] if 0 <= place < len(self._entries) else None

    def _evict(self, bytes_max: int) -> None:
        while self._entries and self._bytes > bytes_max:
            self._bytes -= entry_bytes(self._entries.pop())
