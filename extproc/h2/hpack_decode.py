"""HPACK blocks in, fields out (RFC 7541 3 and 6).

Rules held: a size update stands only at the start of a block and stays within what we allowed (4.2, 6.3); an index of
nothing, an integer beyond 28 bits, a string beyond its block and a bad Huffman code are faults. A list that is too
large is no fault: the block is decoded to its end, because the table must follow, and the fields are let go.

Softer than RFC 9113 4.3.1: a peer that has acknowledged a smaller table and does not say so in its next block could be
cut off. It is not: encoders that never look at the setting exist (h2spec's is one), and a table of the default size
costs us 4 KB. It keeps that table, and may choose any size of it that holds an entry, until it has said that it uses
no more than was allowed; from then on what was allowed is the bound.
"""

from extproc.h2.hpack_table import ENTRY_OVERHEAD_BYTES, DynamicTable, Field
from extproc.h2.huffman import HuffmanError
from extproc.h2.huffman import decode as huffman_decode
from extproc.h2.limits import HEADER_TABLE_BYTES_DEFAULT

_INDEXED = 0x80
_LITERAL_INDEXED = 0x40
_SIZE_UPDATE = 0x20
_HUFFMAN = 0x80
# Four continuation bytes: 2^28, far above any block. More would be a peer that counts in leading zeros.
_INTEGER_SHIFT_MAX = 21
# A smaller table holds nothing: no encoder that uses the former one has a reason to choose it.
_FORMER_BYTES_MIN = ENTRY_OVERHEAD_BYTES


class HpackError(ValueError):
    """The block cannot be decoded, and no block after it can: COMPRESSION_ERROR."""


class HpackDecoder:
    """One per connection. `list_bytes_max` bounds the list by its size as RFC 7541 4.1 counts it."""

    __slots__ = ("_allowed_bytes_max", "_is_update_due", "_list_bytes_max", "_table")

    def __init__(self, list_bytes_max: int) -> None:
        self._table = DynamicTable(HEADER_TABLE_BYTES_DEFAULT)
        self._allowed_bytes_max = HEADER_TABLE_BYTES_DEFAULT
        self._is_update_due = False
        self._list_bytes_max = list_bytes_max

    @property
    def is_stateless(self) -> bool:
        """The same block means the same fields from now on: no table is allowed, and the peer has said that it has
        none."""
        return self._allowed_bytes_max == 0 and self._table.bytes_max == 0 and not self._is_update_due

    def allow(self, bytes_max: int) -> None:
        """The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE. Until it confirms that by a size update it is taken
        to use the former one."""
        self._is_update_due = bytes_max < self._table.bytes_max
        self._allowed_bytes_max = bytes_max

    def decode(self, block: bytes) -> list[Field] | None:
        """The fields, or None when their list is too large. Raises HpackError."""
        fields: list[Field] = []
        left = self._list_bytes_max
        position = self._size_updates(block)
        end = len(block)
        while position < end:
            first = block[position]
            if first & _INDEXED:
                index, position = _integer(block, position, 0x7F)
                field = self._entry(index)
            elif first & _LITERAL_INDEXED:
                field, position = self._literal(block, position, 0x3F)
                self._table.add(field)
            elif first & _SIZE_UPDATE:
                raise HpackError("table size update behind a field")
            else:
                field, position = self._literal(block, position, 0x0F)
            left -= len(field[0]) + len(field[1]) + ENTRY_OVERHEAD_BYTES
            if left >= 0:
                fields.append(field)
        return fields if left >= 0 else None

    def _size_updates(self, block: bytes) -> int:
        position = 0
        while position < len(block) and block[position] & 0xE0 == _SIZE_UPDATE:
            bytes_max, position = _integer(block, position, 0x1F)
            if bytes_max <= self._allowed_bytes_max:
                self._is_update_due = False
            elif not self._is_update_due or not _FORMER_BYTES_MIN <= bytes_max <= HEADER_TABLE_BYTES_DEFAULT:
                raise HpackError(f"table size update to {bytes_max}, allowed are {self._allowed_bytes_max}")
            self._table.resize(bytes_max)
        return position

    def _entry(self, index: int) -> Field:
        field = self._table.get(index)
        if field is None:
            raise HpackError(f"index {index} of nothing")
        return field

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[Field, int]:
        index, position = _integer(block, position, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        return (name, value), position


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """An integer whose prefix is the bits of `mask` (RFC 7541 5.1), and the position behind it."""
    value = block[position] & mask
    position += 1
    if value < mask:
        return value, position
    shift = 0
    while position < len(block):
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > _INTEGER_SHIFT_MAX:
            raise HpackError("integer beyond 28 bits")
    raise HpackError("block ends inside an integer")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    if position >= len(block):
        raise HpackError("block ends before a string")
    is_coded = block[position] & _HUFFMAN
    length, position = _integer(block, position, 0x7F)
    end = position + length
    if end > len(block):
        raise HpackError("block ends inside a string")
    text = block[position:end]
    if is_coded:
        try:
            text = huffman_decode(text)
        except HuffmanError as error:
            raise HpackError(str(error)) from error
    return text, end
