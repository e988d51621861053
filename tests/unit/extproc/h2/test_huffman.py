import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.h2 import huffman

EVERY_BYTE = bytes(range(256))


@given(st.binary(max_size=200))
def test_what_was_encoded_is_decoded(text: bytes) -> None:
    coded = huffman.encode(text)
    assert len(coded) == huffman.encoded_bytes(text)
    assert huffman.decode(coded) == text


def test_every_byte_and_nothing() -> None:
    assert huffman.decode(huffman.encode(EVERY_BYTE)) == EVERY_BYTE
    assert huffman.encode(b"") == huffman.decode(b"") == b""


@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_are_a_string_or_a_fault(coded: bytes) -> None:
    """What is accepted is exactly what the encoder writes: padding of ones, shorter than a byte."""
    try:
        text = huffman.decode(coded)
    except huffman.HuffmanError:
        return
    assert huffman.encode(text) == coded


@pytest.mark.parametrize("coded", [b"\xff", b"\x1f\xff", b"\x18", b"\xff\xff\xff\xff", b"\xff\xff\xff\xfc"])
def test_wrong_padding_and_the_end_of_string_are_faults(coded: bytes) -> None:
    """RFC 7541 5.2."""
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(coded)
