"""Content codings of observed bodies (RFC 9110 8.4.1): what was coded comes out in pieces, whatever the cutting.

gzip, deflate and brotli (RFC 7932) are decoded, one coding and one member. Model servers write none of them by
themselves, gateways before them do. What is in another coding is unobservable, not bad.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli

# Of what comes out at once. Brotli hands out whole blocks: up to half as much again.
PIECE_BYTES_MAX = 64 * 1024
# Of one piece of a body, which Envoy cuts at some tens of KB. A few bytes may stand for a thousand times as many: more
# would hold up the tags of other requests.
CHUNK_BYTES_MAX = 1024 * 1024
# zlib's window and the container: gzip (RFC 1952), or zlib (RFC 1950), which is what HTTP calls deflate.
_CONTAINERS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class _Engine(Protocol):
    """Of one body. `piece` raises `Broken`."""

    @property
    def is_whole(self) -> bool:
        """Its end was seen."""

    def piece(self, chunk: bytes) -> tuple[bytes, bytes, bool]:
        """The next piece, what is left of the chunk, and whether there is more to be had of it."""


class Broken(Exception):  # noqa: N818  no error of ours
    """The body is not what its header says."""


class Decoder:
    """Of one body. Mutable. `is_broken`: it is not what its header says, or more than we read; nothing comes out then.
    `is_whole`: its end was seen."""

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self.is_broken = False

    @property
    def is_whole(self) -> bool:
        return self._engine.is_whole

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk gives, piece by piece."""
        engine, size, has_more = self._engine, 0, bool(chunk)
        while has_more and not self.is_broken:
            if engine.is_whole or size > CHUNK_BYTES_MAX:
                self.is_broken = True
                return
            try:
                piece, chunk, has_more = engine.piece(chunk)
            except Broken:
                self.is_broken = True
                return
            size += len(piece)
            if piece:
                yield piece


class _Zlib:
    def __init__(self, window: int) -> None:
        self._zlib = zlib.decompressobj(window)

    @property
    def is_whole(self) -> bool:
        return self._zlib.eof

    def piece(self, chunk: bytes) -> tuple[bytes, bytes, bool]:
        try:
            piece = self._zlib.decompress(chunk, PIECE_BYTES_MAX)
        except zlib.error as error:
            raise Broken from error
        rest = self._zlib.unconsumed_tail or self._zlib.unused_data
        return piece, rest, bool(rest)


class _Brotli:
    """It keeps what it could not yet hand out. Bytes behind the end are an error; after one it is asked no more."""

    def __init__(self) -> None:
        self._brotli = brotli.Decompressor()
        self.is_whole = False

    def piece(self, chunk: bytes) -> tuple[bytes, bytes, bool]:
        try:
            piece: bytes = self._brotli.process(chunk, output_buffer_limit=PIECE_BYTES_MAX)
        except brotli.error as error:
            raise Broken from error
        self.is_whole = bool(self._brotli.is_finished())
        # It takes more as soon as its input is used up, whatever output it still holds.
        is_drained = len(piece) < PIECE_BYTES_MAX and self._brotli.can_accept_more_data()
        return piece, b"", not self.is_whole and not is_drained


def decoder_of(coding: bytes) -> Decoder | None:
    """Of a Content-Encoding's value; None if it is not decoded here."""
    if coding == b"br":
        return Decoder(_Brotli())
    window = _CONTAINERS.get(coding)
    return Decoder(_Zlib(window)) if window is not None else None
