"""Blocks of another implementation, with all its tricks. The errors stand in tests/conformance/h2."""

from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from extproc.h2.hpack_decode import HpackDecoder, HpackError
from extproc.h2.hpack_encode import encode
from extproc.h2.hpack_table import Field

NAMES = st.sampled_from([b":path", b"user-agent", b"x-a", b"x-b"]) | st.binary(min_size=1, max_size=20)
BLOCKS = st.lists(st.lists(st.tuples(NAMES, st.binary(max_size=80)), max_size=8), max_size=8)
SIZES = st.lists(st.integers(min_value=0, max_value=4_096), max_size=8)


@given(BLOCKS, SIZES, st.booleans())
def test_blocks_of_one_connection_follow_the_encoders_table(
    blocks: list[list[Field]], sizes: list[int], is_coded: bool
) -> None:
    encoder, decoder = Encoder(), HpackDecoder(16_384)
    for number, fields in enumerate(blocks):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        assert decoder.decode(encoder.encode(fields, huffman=is_coded)) == fields


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_fields_or_a_fault(blocks: list[bytes]) -> None:
    decoder = HpackDecoder(16_384)
    for each in blocks:
        try:
            fields = decoder.decode(each)
        except HpackError:
            return
        assert fields is not None


def test_a_list_that_is_too_large_is_let_go_and_the_table_follows() -> None:
    """RFC 9113 10.5.1."""
    decoder = HpackDecoder(100)
    assert decoder.decode(b"\x40\x01a\x01b" * 3) is None
    assert decoder.decode(b"\xbe\xbf") == [(b"a", b"b"), (b"a", b"b")]
    assert decoder.decode(b"\x82" * 100) is None


def test_it_has_no_state_only_once_the_table_is_gone_on_both_sides() -> None:
    decoder = HpackDecoder(16_384)
    assert not decoder.is_stateless
    decoder.decode(b"\x20" + encode([(b"a", b"b")]))
    assert not decoder.is_stateless, "the peer may still take its table back"
    decoder.allow(0)
    assert decoder.is_stateless
