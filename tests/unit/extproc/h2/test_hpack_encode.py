"""Our blocks, read by another implementation."""

from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from extproc.h2.hpack_decode import HpackDecoder
from extproc.h2.hpack_encode import encode
from extproc.h2.hpack_table import Field

NAMES = st.sampled_from([b":status", b"content-type", b"grpc-status", b"x"]) | st.binary(min_size=1, max_size=40)
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=8)


@given(FIELDS)
def test_any_fields_are_read_as_they_were_by_another_implementation_and_by_ours(fields: list[Field]) -> None:
    coded = encode(fields)
    assert Decoder().decode(coded, raw=True) == fields
    assert HpackDecoder(1_000_000).decode(coded) == fields


def test_an_answer_is_short_and_always_the_same() -> None:
    head = [(b":status", b"200"), (b"content-type", b"application/grpc")]
    assert encode(head) == encode(head)
    assert len(encode(head)) == 15
    assert encode([(b":status", b"200"), (b":status", b"418")]) == b"\x88\x08\x03418"


def test_long_values_have_long_lengths() -> None:
    """RFC 7541 5.1: a length beyond one byte, and beyond two."""
    for length in (126, 127, 128, 300, 20_000):
        value = b"\x01" * length  # Huffman would make it longer
        assert HpackDecoder(1_000_000).decode(encode([(b"x", value)])) == [(b"x", value)]
