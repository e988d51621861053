from extproc.processing import codec
from serinus.contract.policy import Assignment, evaluate
from serinus.envoywire import ext_proc_pb2
from tests.unit.extproc.messages import (
    NAMESPACE,
    POLICY,
    request_body,
    request_headers,
    response_body,
    response_headers,
)


def reply(assignment: Assignment, salted_key: bytes | None) -> ext_proc_pb2.ProcessingResponse:
    return ext_proc_pb2.ProcessingResponse.FromString(codec.encode_tag(assignment, salted_key))


def sent_headers(response: ext_proc_pb2.ProcessingResponse) -> dict[str, bytes]:
    options = response.request_headers.response.header_mutation.set_headers
    assert all(option.append_action == 2 and not option.header.value for option in options)
    return {option.header.key: option.header.raw_value for option in options}


def test_request_headers_come_as_a_lookup_of_raw_values() -> None:
    phase = codec.decode(request_headers(x_user_id=b" \xff\xfe\t"))
    assert isinstance(phase, codec.RequestHeaders)
    assert phase.service == "chat"
    assert list(phase.headers("x-user-id")) == [b"\xff\xfe"]
    assert list(phase.headers("x-team")) == []


def test_a_header_that_stands_twice_has_two_values() -> None:
    message = ext_proc_pb2.ProcessingRequest()
    for value in (b"a", b"b"):
        message.request_headers.headers.headers.add(key="x-user-id", raw_value=value)
    message.request_headers.headers.headers.add(key="x-old", value="text")
    phase = codec.decode(message.SerializeToString())
    assert isinstance(phase, codec.RequestHeaders)
    assert list(phase.headers("x-user-id")) == [b"a", b"b"]
    assert list(phase.headers("x-old")) == [b"text"]


def test_the_service_is_the_first_text_of_an_attribute_that_names_one() -> None:
    message = ext_proc_pb2.ProcessingRequest()
    message.request_headers.SetInParent()
    fields = message.attributes[NAMESPACE].fields
    fields["request.id"].string_value = "q1"
    fields["xds.route_metadata.filter_metadata['serinus']['service']"].string_value = "chat"
    phase = codec.decode(message.SerializeToString())
    assert isinstance(phase, codec.RequestHeaders)
    assert phase.service == "chat"


def test_no_attribute_no_service() -> None:
    phase = codec.decode(request_headers(service=""))
    assert isinstance(phase, codec.RequestHeaders)
    assert phase.service == ""


def test_response_phases() -> None:
    head = codec.decode(response_headers("q7", end=True))
    assert isinstance(head, codec.ResponseHeaders)
    assert (head.request_id, list(head.headers(":status")), head.is_end) == ("q7", [b"200"], True)
    body = codec.decode(response_body(b"abc", end=True))
    assert body == codec.ResponseBody(b"abc", is_end=True)


def test_the_request_id_falls_back_to_the_response_header() -> None:
    message = ext_proc_pb2.ProcessingRequest()
    message.response_headers.headers.headers.add(key="x-request-id", raw_value=b"q9")
    phase = codec.decode(message.SerializeToString())
    assert isinstance(phase, codec.ResponseHeaders)
    assert phase.request_id == "q9"


def test_what_cannot_be_read_or_was_not_asked_for_is_none() -> None:
    assert codec.decode(b"\xff\xff\xff") is None
    assert codec.decode(b"") is None
    trailers = ext_proc_pb2.ProcessingRequest()
    trailers.request_trailers.SetInParent()
    assert codec.decode(trailers.SerializeToString()) is None


def test_the_untouched_answer_has_its_oneof_set() -> None:
    """An "empty" ProcessingResponse is spurious: Envoy fails the request."""
    response = ext_proc_pb2.ProcessingResponse.FromString(codec.CONTINUE)
    assert response.WhichOneof("response") == "request_headers"
    assert not response.request_headers.response.header_mutation.set_headers


def test_a_randomised_request_gets_key_bucket_and_cohort() -> None:
    assignment = evaluate(POLICY, lambda name: [b"u1"] if name == "x-user-id" else [])
    response = reply(assignment, b"r1:u1")
    assert response.request_headers.response.clear_route_cache
    assert sent_headers(response) == {
        "x-serinus-key": b"r1:u1",
        "x-serinus-bucket": b"%d" % (assignment.bucket or 0),
        "x-serinus-cohort": b"everyone",
    }
    fields = response.dynamic_metadata.fields["serinus"].struct_value.fields
    assert {name: value.WhichOneof("kind") for name, value in fields.items()} == {
        "bucket": "number_value",
        "cohort": "string_value",
        "key": "string_value",
    }
    assert fields["key"].string_value == f"{assignment.key_hash:016x}"
    assert b"u1" not in response.dynamic_metadata.SerializeToString()


def test_a_pinned_request_gets_its_pin_too() -> None:
    headers = {"x-user-id": [b"u1"], "x-team": [b"ml"]}
    response = reply(evaluate(POLICY, lambda name: headers.get(name, [])), b"r1:u1")
    assert sent_headers(response)["x-serinus-pin"] == b"v2"
    assert response.dynamic_metadata.fields["serinus"].struct_value.fields["pin"].string_value == "v2"


def test_a_request_without_a_key_gets_no_bucket_and_the_baseline() -> None:
    response = reply(evaluate(POLICY, lambda _name: []), None)
    assert sent_headers(response) == {"x-serinus-cohort": b"no_key", "x-serinus-pin": b"v1"}


def test_a_key_need_not_be_text() -> None:
    response = reply(Assignment("everyone", b"\xff", 1, 1, None), b"r1:\xff")
    assert sent_headers(response)["x-serinus-key"] == b"r1:\xff"


def test_the_clients_address_is_envoys_attribute_and_never_a_header() -> None:
    decoded = codec.decode(request_headers(address="10.1.2.3:4711", x_user_id="u1"))
    assert isinstance(decoded, codec.RequestHeaders)
    assert decoded.service == "chat"
    assert decoded.headers(":source") == [b"10.1.2.3:4711"]
    plain = codec.decode(request_headers(x_user_id="u1"))
    assert isinstance(plain, codec.RequestHeaders)
    assert list(plain.headers(":source")) == []


def test_a_piece_of_a_response_is_read_by_itself_and_nothing_else_is_taken_for_one() -> None:
    piece = codec.response_body(response_body(b"abc", end=True))
    assert piece is not None
    assert (piece.body, piece.end_of_stream) == (b"abc", True)
    for message in (response_headers("q1"), request_headers(x_user_id="u1"), request_body(b"abc"), b"", b"\xff"):
        assert codec.response_body(message) is None
