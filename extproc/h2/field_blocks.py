"""Header blocks: put together from their frames, decoded, and remembered where equal bytes mean equal requests.

Rules held: between HEADERS and the CONTINUATION that ends the block nothing else may come (RFC 9113 6.10); pieces and
bytes of a block are bounded (CVE-2024-27316); every block is decoded, also one whose stream is refused or gone, because
the table must follow (4.3). A block is remembered only while the decoder has no state.
"""

from dataclasses import dataclass

from extproc.h2.errors import ConnectionFault, ErrorCode
from extproc.h2.hpack_decode import HpackDecoder, HpackError
from extproc.h2.hpack_table import Field
from extproc.h2.limits import Limits
from extproc.h2.request import Request, request_of


@dataclass(slots=True)
class Unfinished:
    """A block whose CONTINUATION frames have not all come. `flags` are those of its HEADERS."""

    stream_id: int
    flags: int
    pieces: list[bytes]
    length: int


class FieldBlocks:
    """Mutable; one per connection."""

    __slots__ = ("_decoder", "_limits", "known", "unfinished")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._decoder = HpackDecoder(limits.header_list_bytes_max)
        # Requests by their blocks, while equal bytes mean equal fields.
        self.known: dict[bytes, Request] = {}
        self.unfinished: Unfinished | None = None

    def acknowledged(self) -> None:
        """The peer knows the size of our table."""
        self._decoder.allow(self._limits.header_table_bytes_max)

    def begin(self, stream_id: int, flags: int, piece: bytes) -> None:
        """HEADERS that do not end their block."""
        self.unfinished = Unfinished(stream_id, flags, [], 0)
        self._add(self.unfinished, piece)

    def go_on(self, stream_id: int, piece: bytes, *, is_end: bool) -> Unfinished | None:
        """CONTINUATION. The block when it is whole. Raises ConnectionFault."""
        unfinished = self.unfinished
        if unfinished is None or unfinished.stream_id != stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of no open block")
        self._add(unfinished, piece)
        if is_end:
            self.unfinished = None
            return unfinished
        return None

    def _add(self, unfinished: Unfinished, piece: bytes) -> None:
        unfinished.pieces.append(piece)
        unfinished.length += len(piece)
        self.check_length(unfinished.length)
        if len(unfinished.pieces) > self._limits.continuations_max + 1:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header block in too many pieces")

    def check_length(self, length: int) -> None:
        """Raises ConnectionFault: a block that is not decoded leaves the table behind, so no later one could be."""
        if length > self._limits.header_block_bytes_max:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header block too long")

    def request(self, block: bytes) -> Request | None:
        """The request of a block that is not known; None when its headers are too large. Raises MalformedError and
        ConnectionFault."""
        # Asked before: the block in which the peer says that it has no table reads differently the second time.
        is_repeatable = self._decoder.is_stateless
        fields = self.fields(block)
        if fields is None:
            return None
        request = request_of(fields)
        if is_repeatable and len(block) <= self._limits.cached_block_bytes_max:
            if len(self.known) >= self._limits.cached_blocks_max:
                self.known.clear()
            self.known[block] = request
        return request

    def fields(self, block: bytes) -> list[Field] | None:
        """The fields of a block; None when they are too large. Raises ConnectionFault."""
        try:
            return self._decoder.decode(block)
        except HpackError as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(error)) from error
