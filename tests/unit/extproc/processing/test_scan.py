from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from extproc.processing import codec, scan
from serinus.contract.headers import ATTRIBUTE_SERVICE
from serinus.envoywire import ext_proc_pb2
from tests.unit.extproc.messages import NAMESPACE, request_headers, response_headers

Tag = tuple[str, Mapping[str, Sequence[bytes]]]
# As Envoy writes what stands behind the headers: two empty fields that we do not know, and the attribute.
REST = b"B\x00J" + bytes([0x63]) + b"\n\x1b" + NAMESPACE.encode() + b"\x12D\nB\n8" + ATTRIBUTE_SERVICE.encode()
REST += b"\x12\x06\x1a\x04chatZ\x00"


def by_schema(message: bytes) -> Tag | None:
    """What message objects make of it."""
    phase = codec.decode(message)
    return (phase.service, phase.headers.values) if isinstance(phase, codec.RequestHeaders) else None


def as_envoy(*pairs: tuple[str, bytes], is_end: bool = True) -> bytes:
    message = ext_proc_pb2.ProcessingRequest()
    message.request_headers.headers.SetInParent()
    for name, value in pairs:
        message.request_headers.headers.headers.add(key=name, raw_value=value)
    message.request_headers.end_of_stream = is_end
    return message.SerializeToString() + REST


def agreed(message: bytes) -> Tag | None:
    """Read by hand; what cannot be is None. What can be reads like the schema's."""
    read = codec.tag_request(message)
    if read is not None:
        assert read == by_schema(message)
    return read


HEADERS = st.lists(
    st.tuples(st.sampled_from(["x-user-id", ":path", "x-team"]) | st.text(max_size=140), st.binary(max_size=400)),
    max_size=8,
)


@given(HEADERS, st.booleans())
def test_what_envoy_writes_is_read_by_hand_as_by_its_schema(pairs: list[tuple[str, bytes]], is_end: bool) -> None:
    message = as_envoy(*pairs, is_end=is_end)
    read = agreed(message)
    is_plain = all(name and len(name.encode()) < 128 and value for name, value in pairs)
    assert (read is not None) >= is_plain
    if is_plain:
        assert read is not None
        assert read[0] == "chat"


@given(HEADERS, st.data())
def test_a_message_with_bytes_changed_is_read_alike_or_not_by_hand(
    pairs: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    message = bytearray(as_envoy(*pairs))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    agreed(bytes(message))


@given(st.binary(max_size=60))
def test_any_bytes_behind_a_tag_messages_first_are_read_alike(rest: bytes) -> None:
    agreed(b"\x12" + rest)


@given(HEADERS, st.data())
def test_a_message_that_is_cut_off_is_read_alike_or_not_by_hand(
    pairs: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    message = as_envoy(*pairs)
    agreed(message[: data.draw(st.integers(0, len(message)))])


def test_values_come_in_order_without_outer_blanks() -> None:
    message = as_envoy(("x-user-id", b" a\t"), ("x-team", b""), ("x-user-id", b"b"))
    assert codec.tag_request(as_envoy(("x-user-id", b" a\t"), ("x-user-id", b"b"))) == (
        "chat",
        {"x-user-id": [b"a", b"b"]},
    )
    assert codec.tag_request(message) is None  # an empty value is not written at all: by the schema then


def test_a_message_without_headers_is_read() -> None:
    assert codec.tag_request(as_envoy()) == ("chat", {})


def test_the_clients_address_is_read_from_what_stands_behind() -> None:
    plain = ext_proc_pb2.ProcessingRequest()
    plain.request_headers.headers.headers.add(key="x-user-id", raw_value=b"u1")
    fields = plain.attributes[NAMESPACE].fields
    fields[ATTRIBUTE_SERVICE].string_value = "chat"
    fields["source.address"].string_value = "10.1.2.3:4711"
    read = agreed(plain.SerializeToString())
    assert read == ("chat", {"x-user-id": [b"u1"], ":source": [b"10.1.2.3:4711"]})


def test_other_phases_and_second_headers_are_left_to_the_schema() -> None:
    assert scan.request_headers(response_headers("q1")) is None
    message = as_envoy(("x-user-id", b"u1"))
    assert codec.tag_request(message + request_headers(x_user_id="u2")) is None
    assert codec.tag_request(message + response_headers("q1")) is None
    assert codec.tag_request(message + b"\xff") is None
    assert by_schema(message + request_headers(x_user_id="u2")) is not None


def test_a_header_of_sixteen_kilobytes_is_left_to_the_schema() -> None:
    message = as_envoy(("x-user-id", b"u" * 20_000))
    assert codec.tag_request(message) is None
    assert by_schema(message) == ("chat", {"x-user-id": [b"u" * 20_000]})


@given(HEADERS, st.sampled_from(["x-user-id", ":path", "x-team", ""]))
def test_a_values_place_is_told_if_it_stands_once_and_is_short(pairs: list[tuple[str, bytes]], name: str) -> None:
    message = as_envoy(*pairs)
    read = scan.request_headers(message)
    if read is None:
        return
    at = scan.value_at(message, name)
    raw = [value for key, value in pairs if key == name]
    assert (at > 0) == (len(raw) == 1 and len(raw[0]) < 128)
    if at:
        assert message[at - 1] == len(raw[0])
        assert message[at : at + len(raw[0])] == raw[0]
