"""Length-prefixed messages (gRPC over HTTP/2): out of DATA of any cut, and into DATA.

Rules held: a message has five bytes in front, a flag and its length; one that is compressed is refused (we announce
identity only); one that is too long is refused by its prefix, before any of it is kept. What is kept of messages that
are not complete is bounded by a `Budget`: for a whole connection, and for all of them together.
"""

from struct import Struct

from extproc.grpc_wire.status import Status

PREFIX_BYTES = 5
_PREFIX = Struct(">BL")
pack_prefix, unpack_prefix = _PREFIX.pack, _PREFIX.unpack_from


class FramingError(Exception):
    """The call cannot go on: end it with `status`."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Budget:
    """How many bytes of unfinished messages may still be kept. What is taken from it is taken from `whole`, too."""

    __slots__ = ("_whole", "left")

    def __init__(self, bytes_max: int, whole: "Budget | None" = None) -> None:
        self.left = bytes_max
        self._whole = whole

    @property
    def is_overdrawn(self) -> bool:
        return self.left < 0 or (self._whole is not None and self._whole.is_overdrawn)

    def take(self, count: int) -> None:
        self.left -= count
        if self._whole is not None:
            self._whole.take(count)

    def give_back(self, count: int) -> None:
        self.take(-count)


def whole_message(data: bytes) -> bytes | None:
    """The message, if `data` is exactly one that is not compressed: nearly every DATA frame of Envoy's is."""
    if len(data) < PREFIX_BYTES:
        return None
    flag, length = unpack_prefix(data)
    return data[PREFIX_BYTES:] if flag == 0 and length == len(data) - PREFIX_BYTES else None


class Deframer:
    """Of one call. Mutable. A call whose DATA are whole messages never needs one."""

    __slots__ = ("_budget", "_is_identity", "_kept", "_message_bytes_max")

    def __init__(self, message_bytes_max: int, budget: Budget, encoding: bytes = b"") -> None:
        self._message_bytes_max = message_bytes_max
        self._budget = budget
        self._is_identity = encoding in (b"", b"identity")
        self._kept = bytearray()

    @property
    def is_between_messages(self) -> bool:
        """Nothing of a message is kept: the call may end here."""
        return not self._kept

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now. Raises FramingError; feed nothing after it."""
        kept, budget = self._kept, self._budget
        budget.take(len(data))
        kept += data
        messages: list[bytes] = []
        start = 0
        while len(kept) - start >= PREFIX_BYTES:
            flag, length = unpack_prefix(kept, start)
            self._check(flag, length)
            end = start + PREFIX_BYTES + length
            if end > len(kept):
                break
            messages.append(bytes(kept[start + PREFIX_BYTES : end]))
            start = end
        del kept[:start]
        budget.give_back(start)
        if budget.is_overdrawn:
            raise FramingError(Status.RESOURCE_EXHAUSTED, "too much of unfinished messages")
        return messages

    def _check(self, flag: int, length: int) -> None:
        if flag == 1 and not self._is_identity:
            raise FramingError(Status.UNIMPLEMENTED, "compressed message: only identity is taken")
        if flag:
            raise FramingError(Status.INTERNAL, "compressed flag without an encoding")
        if length > self._message_bytes_max:
            raise FramingError(
                Status.RESOURCE_EXHAUSTED, f"message of {length} bytes, allowed are {self._message_bytes_max}"
            )

    def release(self) -> None:
        """The call is over: what was kept is let go."""
        self._budget.give_back(len(self._kept))
        self._kept = bytearray()


def framed(message: bytes) -> bytes:
    """A message as DATA carries it."""
    return pack_prefix(0, len(message)) + message
