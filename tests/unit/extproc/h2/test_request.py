"""Values of a request. What is malformed stands in tests/conformance/h2."""

from extproc.h2.request import request_of

FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


def test_a_request_has_its_target_and_regular_fields() -> None:
    request = request_of([*FIELDS[:3], (b":authority", b"there"), *FIELDS[3:], (b"content-length", b"007")])
    assert (request.method, request.path, request.authority, request.content_length) == (b"POST", b"/a", b"there", 7)
    assert [request.value(name) for name in (b"a", b"b", b"c")] == [b"1", b"2", b""]


def test_the_authority_may_be_a_host_or_missing() -> None:
    assert request_of([*FIELDS, (b"host", b"there")]).authority == b"there"
    assert request_of(FIELDS).authority == b""
