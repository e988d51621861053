"""HPACK blocks and Huffman strings.

Must hold, against the `hpack` library as a second reading of RFC 7541: what we take it takes, with the same fields and
the same dynamic table; what we refuse it refuses, but for our bound on integers. The table and the list stay within
their bounds. A decoder that says it has no state gives a block the same fields twice. Encoding and decoding are inverse
both ways: a Huffman string has one form. Fields are a request or malformed, never anything else.
"""

import contextlib
from functools import partial

from hpack import Decoder as OtherDecoder
from hpack import HPACKError

from extproc.h2 import huffman
from extproc.h2.hpack_decode import HpackDecoder, HpackError
from extproc.h2.hpack_encode import encode
from extproc.h2.hpack_table import Field, entry_bytes
from extproc.h2.request import MalformedError, check_trailers, request_of
from tests.fuzz.bites import Bites
from tests.fuzz.target import Target

_LIST_BYTES_MAX = 2_000
_TABLE_BYTES = 4_096
_OUR_BOUND = "integer beyond 28 bits"


def _check_table(decoder: HpackDecoder) -> None:
    table = decoder._table
    assert table._bytes == sum(entry_bytes(field) for field in table._entries)
    assert table._bytes <= table.bytes_max <= _TABLE_BYTES


def _check_list(fields: list[Field] | None) -> None:
    if fields is None:
        return
    assert sum(map(entry_bytes, fields)) <= _LIST_BYTES_MAX
    with contextlib.suppress(MalformedError):
        request_of(fields)
    with contextlib.suppress(MalformedError):
        check_trailers(fields)


def _blocks_of(data: bytes) -> list[bytes]:
    """Each behind its length: a dynamic table is of use only to a second block."""
    bites, blocks = Bites(data), []
    while bites.is_left:
        blocks.append(bites.text())
    return blocks


def _side_by_side(blocks: list[bytes]) -> None:
    ours = HpackDecoder(_LIST_BYTES_MAX)
    theirs = OtherDecoder(max_header_list_size=1 << 30)
    for block in blocks:
        try:
            fields = ours.decode(block)
        except HpackError as error:
            if str(error) != _OUR_BOUND:
                _refuses(theirs, block, str(error))
            return
        wanted = [(bytes(name), bytes(value)) for name, value in theirs.decode(block, raw=True)]
        if fields is None:
            assert sum(map(entry_bytes, wanted)) > _LIST_BYTES_MAX
        else:
            assert fields == wanted
        assert list(ours._table._entries) == list(theirs.header_table.dynamic_entries)
        _check_table(ours)
        _check_list(fields)


def _refuses(theirs: OtherDecoder, block: bytes, reason: str) -> None:
    try:
        taken = theirs.decode(block, raw=True)
    except HPACKError:
        return
    raise AssertionError(f"refused ({reason}), but it is {taken}")


def _after_settings(blocks: list[bytes], allowed_after: int, bytes_max: int) -> None:
    """The peer acknowledges our smaller table between two blocks."""
    decoder = HpackDecoder(_LIST_BYTES_MAX)
    for number, block in enumerate(blocks):
        if number == allowed_after:
            decoder.allow(bytes_max)
        was_stateless = decoder.is_stateless
        try:
            fields = decoder.decode(block)
        except HpackError:
            return
        _check_table(decoder)
        _check_list(fields)
        if was_stateless:
            assert decoder.is_stateless
            assert not decoder._table._entries
            assert decoder.decode(block) == fields


def _huffman(data: bytes) -> None:
    coded = huffman.encode(data)
    assert len(coded) == huffman.encoded_bytes(data)
    assert huffman.decode(coded) == data
    try:
        text = huffman.decode(data)
    except huffman.HuffmanError:
        return
    assert huffman.encode(text) == data, "two forms of one string"


def _encoded(data: bytes) -> None:
    bites, fields = Bites(data), []
    while bites.is_left:
        fields.append((bites.text(), bites.text()))
    block = encode(fields)
    decoder = HpackDecoder(1 << 30)
    assert decoder.decode(block) == fields
    assert not decoder._table._entries
    theirs = OtherDecoder(max_header_list_size=1 << 30).decode(block, raw=True)
    assert [(bytes(name), bytes(value)) for name, value in theirs] == fields


def execute(data: bytes) -> None:
    if not data:
        return
    mode = data[0]
    match mode & 3:
        case 0:
            _side_by_side(_blocks_of(data[1:]))
        case 1:
            _after_settings(_blocks_of(data[1:]), mode >> 2 & 3, (0, 40, 100, 4_096)[mode >> 4 & 3])
        case 2:
            _huffman(data[1:])
        case _:
            _encoded(data[1:])


def _blocks(mode: int, *blocks: bytes) -> bytes:
    return bytes([mode]) + b"".join(bytes([len(block)]) + block for block in blocks)


_REQUEST = encode([(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a/b"), (b"te", b"trailers")])
_SEEDS = [
    _blocks(0, _REQUEST, b"\x40\x01a\x01b\xbe", b"\xbe\x7e\x01c"),
    # RFC 7541 C.4.1 and C.4.2: requests with Huffman strings.
    _blocks(0, bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"), bytes.fromhex("828684be5886a8eb10649cbf")),
    _blocks(0, b"\x20\x3f\xe1\x1f\x82", b"\x3f\x09\x40\x01a\x01b"),
    _blocks(0, b"\x10\x01a\x01b\x00\x81\x1f\x01b", b"\x0f\x80\x01\x01x"),
    _blocks(1, b"\x20" + _REQUEST, _REQUEST),
    _blocks(0x15, b"\x40\x01a\x01b", b"\x3f\x09\xbe", b"\x20\x82"),
    _blocks(0x25, b"\x40\x01a\x01b", b"\x3f\x45\xbe"),
    b"\x02www.example.com",
    b"\x02" + bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff"),
    b"\x03\x07:method\x04POST\x03x-a\x01b\x00\x00",
]
_LONG = [
    b"\x02" + b"a" * 16_000,
    b"\x02" + b"\x18" * 16_000,
    b"\x03" + b"\x01a\x01b" * 20_000,
    _blocks(0, *[b"\x40\x01a\x01b" * 40] * 400),
    _blocks(0, *[b"\x40\x01a\x7f" + b"b" * 127 + b"\xbe" * 100] * 400),
]
TARGETS = {"hpack": Target(execute, _SEEDS, [partial(execute, each) for each in _LONG], bytes_max=300)}
