"""However few bytes stand for however many: what comes out at once is bounded."""

import gzip
import zlib
from collections.abc import Callable
from random import Random

import brotli
import pytest

from extproc.outcome.encoding import CHUNK_BYTES_MAX, PIECE_BYTES_MAX, decoder_of

CODERS = [
    pytest.param(b"gzip", gzip.compress, id="gzip"),
    pytest.param(b"x-gzip", gzip.compress, id="x-gzip"),
    pytest.param(b"deflate", zlib.compress, id="deflate"),
    pytest.param(b"br", brotli.compress, id="br"),
]
BODY = b"data: a token\n\n" * 20_000


@pytest.mark.parametrize(("coding", "coder"), CODERS)
@pytest.mark.parametrize("step", [1 << 20, 1_000, 7])
def test_a_body_comes_out_whole_in_bounded_pieces(coding: bytes, coder: Callable[[bytes], bytes], step: int) -> None:
    decoder, body = decoder_of(coding), coder(BODY)
    assert decoder is not None
    pieces = [piece for at in range(0, len(body), step) for piece in decoder.feed(body[at : at + step])]
    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= PIECE_BYTES_MAX * 3 // 2
    assert (decoder.is_whole, decoder.is_broken) == (True, False)


@pytest.mark.parametrize(("coding", "coder"), CODERS)
def test_a_bomb_is_given_up_on_soon(coding: bytes, coder: Callable[[bytes], bytes]) -> None:
    decoder = decoder_of(coding)
    assert decoder is not None
    size = sum(map(len, decoder.feed(coder(bytes(20_000_000)))))
    assert size <= CHUNK_BYTES_MAX + 2 * PIECE_BYTES_MAX
    assert decoder.is_broken
    assert list(decoder.feed(b"more")) == []


@pytest.mark.parametrize(("coding", "coder"), CODERS)
def test_garbage_breaks_a_decoder_and_nothing_else(coding: bytes, coder: Callable[[bytes], bytes]) -> None:
    random = Random(7)
    for _ in range(200):
        decoder, body = decoder_of(coding), bytearray(coder(b"data: a token\n\n" * 10))
        assert decoder is not None
        body[random.randrange(len(body))] ^= 1 << random.randrange(8)
        list(decoder.feed(bytes(body) + random.randbytes(random.randrange(4))))


@pytest.mark.parametrize("coding", [b"", b"zstd", b"compress", b"BR", b"gzip, br"])
def test_other_codings_are_not_decoded(coding: bytes) -> None:
    assert decoder_of(coding) is None


def test_no_bytes_give_nothing() -> None:
    decoder = decoder_of(b"br")
    assert decoder is not None
    assert list(decoder.feed(b"")) == []
    assert not decoder.is_whole
