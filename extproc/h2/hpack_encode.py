"""Fields in, HPACK blocks out, without a dynamic table: equal fields are equal bytes, so answers are built once.

A field that the static table has goes as its index, a name that it has as name index, everything else as a literal that
no intermediary may index wrongly: "without indexing" (RFC 7541 6.2.2). Strings are Huffman-coded where that is shorter.
"""

from collections.abc import Iterable

from extproc.h2 import huffman
from extproc.h2.hpack_table import STATIC, Field

# The size update that must start the next block after the peer has asked for a smaller table (RFC 9113 4.3.1).
TABLE_SIZE_ZERO = b"\x20"

_INDEX = {field: index for index, field in reversed(list(enumerate(STATIC, start=1)))}
_NAME_INDEX = {field[0]: index for index, field in reversed(list(enumerate(STATIC, start=1)))}


def encode(fields: Iterable[Field]) -> bytes:
    return b"".join(_field(field) for field in fields)


def _field(field: Field) -> bytes:
    if field in _INDEX:
        return _integer(_INDEX[field], 0x80, 7)
    name, value = field
    if name in _NAME_INDEX:
        return _integer(_NAME_INDEX[name], 0x00, 4) + _string(value)
    return b"\x00" + _string(name) + _string(value)


def _integer(value: int, pattern: int, prefix_bits: int) -> bytes:
    """RFC 7541 5.1."""
    mask = (1 << prefix_bits) - 1
    if value < mask:
        return bytes([pattern | value])
    out = bytearray([pattern | mask])
    value -= mask
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _string(text: bytes) -> bytes:
    if huffman.encoded_bytes(text) < len(text):
        coded = huffman.encode(text)
        return _integer(len(coded), 0x80, 7) + coded
    return _integer(len(text), 0x00, 7) + text
