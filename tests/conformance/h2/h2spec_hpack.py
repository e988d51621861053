"""h2spec's section "hpack": decoding errors of RFC 7541, each a connection error of type COMPRESSION_ERROR."""

from extproc.h2.errors import ErrorCode
from tests.conformance.h2.h2spec_words import FORM, Case, connection_error, get
from tests.unit.extproc.h2.peer import headers

_DECODING = connection_error(ErrorCode.COMPRESSION_ERROR)

HPACK_ERRORS = {
    "2.3.3/1": Case("indexed field of no index", (get(more=b"\xff\x00"),), _DECODING),
    "2.3.3/2": Case("literal whose name is of no index", (get(more=b"\x7f\x24\x04test"),), _DECODING),
    "4.2/1": Case("size update at the end of a block", (get(more=b"\x21"),), _DECODING),
    "5.2/1": Case("Huffman padding of more than 7 bits", (get(more=b"\x00\x01a\x82\x1f\xff"),), _DECODING),
    "5.2/2": Case("Huffman padding of zeros", (get(more=b"\x00\x01a\x81\x18"),), _DECODING),
    "5.2/3": Case("EOS in a Huffman string", (get(more=b"\x00\x01a\x84\xff\xff\xff\xff"),), _DECODING),
    "6.1/1": Case("index 0", (get(more=b"\x80"),), _DECODING),
    "6.3/1": Case("size update beyond our setting, which is 0", (headers(of=b"\x21" + FORM[1:], end=True),), _DECODING),
}
