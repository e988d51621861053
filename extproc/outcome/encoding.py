"""Content codings of observed bodies (RFC 9110 8.4.1): what was coded comes out in pieces, whatever the cutting.

gzip and deflate are decoded, one coding and one member. Brotli is not: none of our dependencies reads it, and model
servers do not write it by themselves. What is in another coding is unobservable, not bad.
"""

import zlib
from collections.abc import Iterator

PIECE_BYTES_MAX = 64 * 1024
# Of one piece of a body, which Envoy cuts at some tens of KB. A few bytes may stand for a thousand times as many: more
# would hold up the tags of other requests.
CHUNK_BYTES_MAX = 1024 * 1024
# zlib's window and the container: gzip (RFC 1952), or zlib (RFC 1950), which is what HTTP calls deflate.
_CONTAINERS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class Decoder:
    """Of one body. Mutable. `is_broken`: it is not what its header says, or more than we read; nothing comes out then.
    `is_whole`: its end was seen."""

    def __init__(self, coding: bytes) -> None:
        self._zlib = zlib.decompressobj(_CONTAINERS[coding])
        self.is_broken = False

    @property
    def is_whole(self) -> bool:
        return self._zlib.eof

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk gives, piece by piece."""
        size = 0
        while chunk and not self.is_broken:
            if self._zlib.eof or size > CHUNK_BYTES_MAX:
                self.is_broken = True
                return
            try:
                piece = self._zlib.decompress(chunk, PIECE_BYTES_MAX)
            except zlib.error:
                self.is_broken = True
                return
            chunk = self._zlib.unconsumed_tail or self._zlib.unused_data
            size += len(piece)
            if piece:
                yield piece


def decoder_of(coding: bytes) -> Decoder | None:
    """Of a Content-Encoding's value; None if it is not decoded here."""
    return Decoder(coding) if coding in _CONTAINERS else None
