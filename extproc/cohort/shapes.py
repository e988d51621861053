"""Requests that differ by their sticky key alone: all but the key is read and judged once, and then looked up.

Of the bytes of a tag message nearly all are the same for thousands of users: names, team, region, the route's service.
A message's shape is the whole of it without the key's own bytes. Two messages of one shape, with keys of one length (it
stands in front of the key, so it is part of the shape), mean the same but for the key, whatever else they mean: so no
byte of the message is believed that was not read in full once, by whoever called `learn`.

A shape is learned when it is met for the second time: of shapes that never repeat (a path with a query, an id of the
request among the headers) only hashes are kept. Pure; forgotten as a whole when policies change.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

Meaning = TypeVar("Meaning")

# A client's kind, a team and a region make a shape, times the usual lengths of keys.
SHAPES_MAX = 1_024
# With the bound above: 2 MB.
MESSAGE_BYTES_MAX = 2_048
_ONCE_MAX = 4_096
# Services with keys in headers of other names than these have no shapes.
_HEADERS_MAX = 4


def marker_of(header: str) -> bytes:
    """How a header stands in a message up to its length: the name with its length, and the tag of the value."""
    name = header.encode()
    return b"\n%c%b\x1a" % (len(name), name) if len(name) < 128 else b""


class Shapes(Generic[Meaning]):
    """Mutable. `headers`: the names under which keys stand. Each has shapes of its own, cut at its first place in the
    message; so a shape and a key make one message and no other.
    """

    __slots__ = ("_by_header", "_once", "_tries")

    def __init__(self, headers: Iterable[str] = ()) -> None:
        self._by_header: dict[str, tuple[bytes, dict[bytes, Meaning]]] = {}
        for header in sorted(set(headers))[:_HEADERS_MAX]:
            if marker_of(header):
                self._by_header[header] = (marker_of(header), {})
        self._tries = tuple((marker, len(marker), known) for marker, known in self._by_header.values())
        self._once: set[int] = set()

    def find(self, message: bytes) -> tuple[Meaning, bytes] | None:
        """What was learned of the message's shape, and its key as it stands there."""
        for marker, length, known in self._tries:
            at = message.find(marker) + length
            if at < length or at >= len(message) or not known:
                continue
            key = message[at + 1 : at + 1 + message[at]]
            meaning = known.get(message[: at + 1] + message[at + 1 + len(key) :])
            if meaning is not None and len(key) == message[at]:
                return meaning, key
        return None

    def is_worth_learning(self, message: bytes, header: str, key_at: int) -> bool:
        """Whether the shape was met before. `key_at`: where the header's value begins, by a full reading."""
        shape = self._shape(message, header, key_at)
        if shape is None:
            return False
        hashed = hash(shape)
        if hashed in self._once:
            return True
        if len(self._once) >= _ONCE_MAX:
            self._once.clear()
        self._once.add(hashed)
        return False

    def learn(self, message: bytes, header: str, key_at: int, meaning: Meaning) -> None:
        """What all messages of this one's shape mean."""
        shape = self._shape(message, header, key_at)
        if shape is not None:
            _, known = self._by_header[header]
            if len(known) >= SHAPES_MAX:
                known.clear()
            known[shape] = meaning

    def _shape(self, message: bytes, header: str, key_at: int) -> bytes | None:
        """None unless the first place that looks like the header is the header: `find` looks there."""
        if header not in self._by_header or not 0 < key_at < len(message) <= MESSAGE_BYTES_MAX:
            return None
        marker, size = self._by_header[header][0], message[key_at - 1]
        if size > 127 or key_at + size > len(message) or message.find(marker) + len(marker) != key_at - 1:
            return None
        return message[:key_at] + message[key_at + size :]
