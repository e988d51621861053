"""HPACK: the examples of RFC 7541 Appendix C to the byte, every decoding error, and h2spec's hpack cases."""

import pytest

from extproc.h2 import huffman
from extproc.h2.errors import ErrorCode
from extproc.h2.hpack_decode import HpackDecoder, HpackError
from extproc.h2.hpack_encode import encode
from extproc.h2.hpack_table import Field
from tests.unit.extproc.h2.peer import Peer, headers

# C.3, C.4: requests on one connection, without and with Huffman coding.
REQUESTS: list[tuple[str, str, list[Field]]] = [
    (
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
    ),
    (
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8286 84be 5886 a8eb 1064 9cbf",
        [
            *[(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
            (b"cache-control", b"no-cache"),
        ],
    ),
    (
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        [
            *[(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/index.html")],
            *[(b":authority", b"www.example.com"), (b"custom-key", b"custom-value")],
        ],
    ),
]
DATE_1, DATE_2 = b"Mon, 21 Oct 2013 20:13:21 GMT", b"Mon, 21 Oct 2013 20:13:22 GMT"
PLACE = (b"location", b"https://www.example.com")
COOKIE = b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
# C.5, C.6: responses with a table of 256 bytes, so that entries are evicted.
RESPONSES: list[tuple[str, str, list[Field]]] = [
    (
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d"
        "546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7"
        "8f0b 97c8 e9ae 82ae 43d3",
        [(b":status", b"302"), (b"cache-control", b"private"), (b"date", DATE_1), PLACE],
    ),
    (
        "4803 3330 37c1 c0bf",
        "4883 640e ffc1 c0bf",
        [(b":status", b"307"), (b"cache-control", b"private"), (b"date", DATE_1), PLACE],
    ),
    (
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f"
        "6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b"
        "2076 6572 7369 6f6e 3d31",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335"
        "dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        [
            *[(b":status", b"200"), (b"cache-control", b"private"), (b"date", DATE_2), PLACE],
            *[(b"content-encoding", b"gzip"), (b"set-cookie", COOKIE)],
        ],
    ),
]


def decoder(table_bytes: int = 4_096) -> HpackDecoder:
    made = HpackDecoder(16_384)
    if table_bytes != 4_096:
        made.decode(b"\x3f" + bytes([table_bytes - 31 & 0x7F | 0x80, table_bytes - 31 >> 7]))
    return made


@pytest.mark.parametrize("column", [0, 1], ids=["C.3 plain", "C.4 Huffman"])
def test_requests_of_appendix_c(column: int) -> None:
    made = decoder()
    assert [made.decode(bytes.fromhex(example[column])) for example in REQUESTS] == [
        fields for _, _, fields in REQUESTS
    ]


@pytest.mark.parametrize("column", [0, 1], ids=["C.5 plain", "C.6 Huffman"])
def test_responses_of_appendix_c_with_eviction(column: int) -> None:
    made = decoder(256)
    assert [made.decode(bytes.fromhex(example[column])) for example in RESPONSES] == [
        fields for _, _, fields in RESPONSES
    ]


LITERALS: dict[str, tuple[str, Field]] = {
    "C.2.1 with indexing": (
        "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        (b"custom-key", b"custom-header"),
    ),
    "C.2.2 without indexing": ("040c 2f73 616d 706c 652f 7061 7468", (b":path", b"/sample/path")),
    "C.2.3 never indexed": ("1008 7061 7373 776f 7264 0673 6563 7265 74", (b"password", b"secret")),
    "C.2.4 indexed": ("82", (b":method", b"GET")),
    "with indexing, indexed name, Huffman": ("4486 6084 8a9b 5c7f", (b":path", b"/test")),
}


@pytest.mark.parametrize("form", [name for name in LITERALS if name.startswith("C")])
def test_single_fields_of_appendix_c(form: str) -> None:
    coded, field = LITERALS[form]
    assert decoder().decode(bytes.fromhex(coded)) == [field]


@pytest.mark.parametrize("first", [0x40, 0x00, 0x10], ids=["with indexing", "without indexing", "never indexed"])
@pytest.mark.parametrize("is_coded", [False, True], ids=["plain", "Huffman"])
@pytest.mark.parametrize("is_named", [False, True], ids=["new name", "indexed name"])
def test_every_literal_form_is_accepted(first: int, is_coded: bool, is_named: bool) -> None:
    """6.2; h2spec generic 5."""

    def string(text: bytes) -> bytes:
        coded = huffman.encode(text)
        return bytes([0x80 | len(coded)]) + coded if is_coded else bytes([len(text)]) + text

    name = b"user-agent" if is_named else b"x-test"
    start = first + 58 if first == 0x40 else first  # 58 needs a continuation in a prefix of four bits
    coded = (
        (bytes([start]) if first == 0x40 else bytes([start | 0x0F, 58 - 15]))
        if is_named
        else bytes([first]) + string(name)
    )
    assert decoder().decode(coded + string(b"value")) == [(name, b"value")]


ERRORS = {
    "2.3.3 index beyond the table": "f0",
    "2.3.3 index of a name beyond the table": "7f 20 01 61",
    "4.2 size update behind a field": "82 20",
    "5.1 integer that does not end": "ff 80",
    "5.1 integer beyond 28 bits": "ff ff ff ff ff ff 00",
    "5.1 integer of leading zeros": "ff 80 80 80 80 80 00",
    "5.2 string beyond the block": "40 05 61",
    "5.2 value that is not there": "40 01 61",
    "5.2 name that is not there": "40",
    "5.2 padding longer than 7 bits": "40 01 61 82 1f ff",
    "5.2 padding of a whole byte": "40 01 61 81 ff",
    "5.2 padding of zeros": "40 01 61 81 18",
    "5.2 end of string inside a string": "40 01 61 84 ff ff ff ff",
    "6.1 index 0": "80",
    "6.3 size update beyond what was allowed": "3f e2 1f",
}


@pytest.mark.parametrize("rule", ERRORS)
def test_a_decoding_error_ends_the_connection(rule: str) -> None:
    with pytest.raises(HpackError):
        decoder().decode(bytes.fromhex(ERRORS[rule]))
    Peer().refused(ErrorCode.COMPRESSION_ERROR, headers(of=b"\x20" + bytes.fromhex(ERRORS[rule])))


@pytest.mark.parametrize(
    "update", [b"\x20", b"\x3f\xe1\x1f", b"\x20\x3f\xe1\x1f", b""], ids=["0", "4096", "both", "no"]
)
def test_size_updates_at_the_start_are_accepted(update: bytes) -> None:
    """4.2, 6.3."""
    assert decoder().decode(update + b"\x82") == [(b":method", b"GET")]


def test_a_smaller_table_holds_from_the_update_that_confirms_it() -> None:
    """RFC 9113 4.3.1, but for the fault: a block without the update still uses the table of 4,096 bytes."""
    made = decoder()
    made.decode(b"\x40\x01a\x01b")
    made.allow(0)
    assert made.decode(b"\xbe") == [(b"a", b"b")]
    assert not made.is_stateless
    assert made.decode(b"\x20\x82") == [(b":method", b"GET")]
    assert made.is_stateless
    with pytest.raises(HpackError, match="index 62"):
        made.decode(b"\xbe")


@pytest.mark.parametrize("update", [b"\x3f\x61", b"\x3f\x61\x3f\xe1\x1f", b"\x3f\x01"], ids=["128", "both", "32"])
def test_a_peer_that_does_not_look_at_our_setting_may_size_its_table(update: bytes) -> None:
    """h2spec generic 5, which sends these after it has acknowledged whatever we allowed."""
    made = decoder()
    made.allow(0)
    assert made.decode(update + b"\x40\x00\x00") == [(b"", b"")]
    assert made.decode(b"\xbe") == [(b"", b"")]
    assert not made.is_stateless
    assert made.decode(b"\x20\x82") == [(b":method", b"GET")]
    assert made.is_stateless


@pytest.mark.parametrize("update", [b"\x21", b"\x3f\x00", b"\x3f\xe2\x1f"], ids=["1", "31", "4097"])
def test_an_update_beyond_what_was_acknowledged_is_a_fault(update: bytes) -> None:
    """6.3. Sizes that hold no entry are of no use to a peer that keeps the former table."""
    made = decoder()
    made.allow(0)
    with pytest.raises(HpackError, match="allowed are 0"):
        made.decode(update)


def test_a_table_that_was_given_up_is_not_taken_back() -> None:
    """6.3."""
    made = decoder()
    made.allow(0)
    made.decode(b"\x20")
    with pytest.raises(HpackError, match="allowed are 0"):
        made.decode(b"\x3f\xe1\x1f")


def test_a_table_that_the_peer_keeps_smaller_needs_no_word() -> None:
    made = decoder(256)
    made.allow(1_000)
    assert made.decode(b"\x82") == [(b":method", b"GET")]


@pytest.mark.parametrize("text", [text for _, _, fields in REQUESTS + RESPONSES for field in fields for text in field])
def test_huffman_both_ways(text: bytes) -> None:
    assert huffman.decode(huffman.encode(text)) == text


def test_our_own_encoding_of_the_first_example_differs_only_by_not_indexing() -> None:
    """C.4.1 with 0x01 (without indexing) for 0x41 (with indexing)."""
    assert encode(REQUESTS[0][2]) == bytes.fromhex(REQUESTS[0][1].replace("8441", "8401"))
