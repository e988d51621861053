"""What a request is: RFC 9113 8, and h2spec's http2 8.x and generic 4."""

import pytest

from extproc.h2.errors import ErrorCode
from extproc.h2.events import DataReceived, RequestReceived, StreamReset
from extproc.h2.hpack_table import Field
from extproc.h2.limits import Limits
from tests.unit.extproc.h2.peer import FIELDS, Peer, block, data, headers

PSEUDO, REGULAR = FIELDS[:4], FIELDS[4:]


def without(name: bytes) -> list[Field]:
    return [field for field in FIELDS if field[0] != name]


def with_value(name: bytes, value: bytes) -> list[Field]:
    return [(each, value if each == name else kept) for each, kept in FIELDS]


MALFORMED: dict[str, list[Field]] = {
    "8.2.1 upper case": [*FIELDS, (b"X-Test", b"ok")],
    "8.2.1 empty name": [*FIELDS, (b"", b"ok")],
    "8.2.1 blank in a name": [*FIELDS, (b"x test", b"ok")],
    "8.2.1 DEL in a name": [*FIELDS, (b"x\x7f", b"ok")],
    "8.2.1 byte above in a name": [*FIELDS, (b"x\xe4", b"ok")],
    "8.2.1 colon in a name": [*FIELDS, (b"x:y", b"ok")],
    "8.2.1 NUL in a value": [*FIELDS, (b"x", b"a\0b")],
    "8.2.1 LF in a value": [*FIELDS, (b"x", b"a\nb")],
    "8.2.1 CR at the end of a value": [*FIELDS, (b"x", b"a\r")],
    "8.2.1 LF alone": [*FIELDS, (b"x", b"\n")],
    "8.2.1 blank before a value": [*FIELDS, (b"x", b" a")],
    "8.2.1 tab behind a value": [*FIELDS, (b"x", b"a\t")],
    "8.2.2 connection": [*FIELDS, (b"connection", b"keep-alive")],
    "8.2.2 proxy-connection": [*FIELDS, (b"proxy-connection", b"keep-alive")],
    "8.2.2 keep-alive": [*FIELDS, (b"keep-alive", b"1")],
    "8.2.2 transfer-encoding": [*FIELDS, (b"transfer-encoding", b"chunked")],
    "8.2.2 upgrade": [*FIELDS, (b"upgrade", b"h2c")],
    "8.2.2 te": with_value(b"te", b"trailers, deflate;q=0.5"),
    "8.3 unknown": [*PSEUDO, (b":test", b"ok"), *REGULAR],
    "8.3 of a response": [*PSEUDO, (b":status", b"200"), *REGULAR],
    "8.3 of extended CONNECT, which was not offered": [*PSEUDO, (b":protocol", b"websocket"), *REGULAR],
    "8.3 behind a regular field": [*REGULAR, *PSEUDO],
    "8.3.1 empty :path": with_value(b":path", b""),
    "8.3.1 no :method": without(b":method"),
    "8.3.1 no :scheme": without(b":scheme"),
    "8.3.1 no :path": without(b":path"),
    "8.3.1 :method twice": [(b":method", b"POST"), *FIELDS],
    "8.3.1 :scheme twice": [(b":scheme", b"http"), *FIELDS],
    "8.3.1 :path twice": [(b":path", b"/"), *FIELDS],
    "8.3.1 :authority twice": [(b":authority", b"sidecar"), *FIELDS],
    "8.3.1 host of someone else": [*FIELDS, (b"host", b"other")],
    "8.5 CONNECT with a :path": with_value(b":method", b"CONNECT"),
    "8.5 CONNECT without an :authority": [(b":method", b"CONNECT")],
    "8.1.1 content-length of letters": [*FIELDS, (b"content-length", b"ten")],
    "8.1.1 content-length with a sign": [*FIELDS, (b"content-length", b"+1")],
    "8.1.1 content-length of 19 digits": [*FIELDS, (b"content-length", b"1" * 19)],
    "8.1.1 content-length twice": [*FIELDS, (b"content-length", b"1"), (b"content-length", b"2")],
    "8.1.1 no fields": [],
}


@pytest.mark.parametrize("rule", MALFORMED)
def test_a_malformed_request_ends_its_stream(rule: str) -> None:
    """8.1.1: nobody hears of it."""
    assert Peer().reset(ErrorCode.PROTOCOL_ERROR, headers(of=block(MALFORMED[rule]))) == []


WELL_FORMED: dict[str, list[Field]] = {
    "no :authority": without(b":authority"),
    "host instead of :authority": [*without(b":authority"), (b"host", b"sidecar")],
    "both, equal but for case": [*FIELDS, (b"host", b"SideCar")],
    "te in another case": with_value(b"te", b"Trailers"),
    "no te": without(b"te"),
    "empty value": [*FIELDS, (b"x", b"")],
    "blank inside a value": [*FIELDS, (b"x", b"a b\tc")],
    "bytes above in a value": [*FIELDS, (b"x", b"\xc3\xa4\xff")],
    "every permitted byte in a name": [*FIELDS, (b"!#$%&'*+-.^_`|~09az", b"ok")],
    "content-length twice the same": [*FIELDS, (b"content-length", b"1"), (b"content-length", b"1")],
    "GET": with_value(b":method", b"GET"),
    "HEAD": with_value(b":method", b"HEAD"),
    "OPTIONS *": [(b":method", b"OPTIONS"), (b":scheme", b"http"), (b":path", b"*")],
    "CONNECT": [(b":method", b"CONNECT"), (b":authority", b"sidecar:1")],
}


@pytest.mark.parametrize("form", WELL_FORMED)
def test_a_well_formed_request_is_told(form: str) -> None:
    fields = WELL_FORMED[form]
    (opened,) = Peer().sends(headers(of=block(fields)))
    assert isinstance(opened, RequestReceived)
    request = opened.request
    assert (b":method", request.method) in fields
    assert list(request.fields) == [field for field in fields if not field[0].startswith(b":")]


def test_the_content_length_is_the_sum_of_all_data() -> None:
    """8.1.1."""
    counted = headers(of=block([*FIELDS, (b"content-length", b"4")]))
    for sent in ([data(b"12345")], [data(b"123", end=True)], [data(b"12"), data(b"34"), data(b"5", end=True)]):
        Peer().reset(ErrorCode.PROTOCOL_ERROR, counted, *sent)
    Peer().reset(ErrorCode.PROTOCOL_ERROR, counted, data(b"12"), headers(end=True, of=b""))
    received = Peer().sends(counted, data(b"12"), data(b"34"), data(b"", end=True))
    assert [event.data for event in received if isinstance(event, DataReceived)] == [b"12", b"34", b""]


def test_a_content_length_without_content() -> None:
    """8.1.1."""
    Peer().reset(ErrorCode.PROTOCOL_ERROR, headers(of=block([*FIELDS, (b"content-length", b"4")]), end=True))
    (opened,) = Peer().sends(headers(of=block([*FIELDS, (b"content-length", b"0")]), end=True))
    assert isinstance(opened, RequestReceived)
    assert opened.is_end


def test_trailers_end_the_stream() -> None:
    """8.1."""
    _, received, last = Peer().sends(headers(), data(), headers(of=block([(b"x-checksum", b"1")]), end=True))
    assert isinstance(received, DataReceived)
    assert isinstance(last, DataReceived)
    assert (received.is_end, last.data, last.is_end) == (False, b"", True)


@pytest.mark.parametrize(
    "trailers",
    [headers(of=block([(b"x-checksum", b"1")])), headers(of=block([(b":method", b"POST")]), end=True)],
    ids=["8.1 without END_STREAM", "8.1 with a pseudo-field"],
)
def test_malformed_trailers_end_the_stream(trailers: bytes) -> None:
    events = Peer().reset(ErrorCode.PROTOCOL_ERROR, headers(), data(), trailers)
    assert [type(event) for event in events] == [RequestReceived, DataReceived, StreamReset]


def test_headers_of_a_refused_request_are_decoded_all_the_same() -> None:
    """4.3: the table of the connection must follow, whatever becomes of the stream."""
    peer = Peer(Limits(header_table_bytes_max=4_096))
    named = block([])[1:] + b"\x40\x01a\x01b"
    assert peer.sends(headers(of=named)) == []
    (opened,) = peer.sends(headers(3, of=block(FIELDS)[1:] + b"\xbe"))
    assert isinstance(opened, RequestReceived)
    assert opened.request.fields[-1] == (b"a", b"b")
