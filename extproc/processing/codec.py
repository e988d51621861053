"""ext_proc messages <-> values, by upb messages of the wire subset: the few fields that the sidecar needs.

Rules held: Envoy sends header values in `raw_value`; an answer's oneof is set explicitly (an "empty" ProcessingResponse
is spurious and fails the request); header values go out in `raw_value`, since a key need not be UTF-8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError

from extproc.processing import scan
from serinus.contract import headers
from serinus.contract.policy import Assignment
from serinus.contract.request import SOURCE
from serinus.envoywire import ext_proc_pb2

# envoy.config.core.v3.HeaderValueOption.HeaderAppendAction
_OVERWRITE_IF_EXISTS_OR_ADD = 2
_BLANKS = b" \t"
# One a service; one a client's connection where a policy asks for addresses.
_RESTS_KEPT_MAX = 512

Message = ext_proc_pb2.ProcessingRequest


class Headers:
    """A header lookup as the contract wants it: all values of a name, in order, without outer blanks. `values` is the
    whole of it, with the client's address under `:source`.
    """

    __slots__ = ("values",)

    def __init__(self, message: ext_proc_pb2.HttpHeaders, source: str = "") -> None:
        values: dict[str, list[bytes]] = {}
        for header in message.headers.headers:
            value = header.raw_value or header.value.encode()
            values.setdefault(header.key, []).append(value.strip(_BLANKS))
        if source:
            values[SOURCE] = [source.encode()]
        self.values: Mapping[str, Sequence[bytes]] = values

    def __call__(self, name: str) -> Sequence[bytes]:
        return self.values.get(name, ())


@dataclass(slots=True)
class RequestHeaders:
    service: str
    headers: Headers


@dataclass(slots=True)
class RequestBody:
    body: bytes


@dataclass(slots=True)
class ResponseHeaders:
    request_id: str
    headers: Headers
    is_end: bool


@dataclass(slots=True)
class ResponseBody:
    body: bytes
    is_end: bool


@dataclass(slots=True)
class FeedbackHeaders:
    """Of a request that brings feedback: it is for us, and its body follows unless it is the end."""

    headers: Headers
    is_end: bool


Phase = RequestHeaders | RequestBody | ResponseHeaders | ResponseBody | FeedbackHeaders


def decode(message: bytes) -> Phase | None:
    """One ProcessingRequest; None when it cannot be read or is of a phase that nobody asked for."""
    try:
        request = Message.FromString(message)
    except DecodeError:
        return None
    match request.WhichOneof("request"):
        case "request_headers":
            if _is_feedback(request):
                return FeedbackHeaders(Headers(request.request_headers), request.request_headers.end_of_stream)
            service, source = _attributes(request)
            return RequestHeaders(service, Headers(request.request_headers, source))
        case "request_body":
            return RequestBody(request.request_body.body)
        case "response_headers":
            headers_of = Headers(request.response_headers)
            return ResponseHeaders(_request_id(request, headers_of), headers_of, request.response_headers.end_of_stream)
        case "response_body":
            return ResponseBody(request.response_body.body, request.response_body.end_of_stream)
    return None


def response_body(message: bytes) -> ext_proc_pb2.HttpBody | None:
    """A piece of a response's body, as a message; None: `decode` reads it."""
    try:
        request = Message.FromString(message)
    except DecodeError:
        return None
    return request.response_body if request.WhichOneof("request") == "response_body" else None


def tag_request(message: bytes) -> tuple[str, Mapping[str, Sequence[bytes]]] | None:
    """The service and the headers of a message in the shape that Envoy writes it in; None: `decode` reads it."""
    found = scan.request_headers(message)
    if found is None:
        return None
    values, end = found
    rest = _rest(message[end:])
    if rest is None:
        return None
    if rest[1]:
        values[SOURCE] = [rest[1].encode()]
    return rest[0], values


@lru_cache(_RESTS_KEPT_MAX)
def _rest(rest: bytes) -> tuple[str, str] | None:
    """What stands behind the headers, which is the same for all requests of a service. None if it is no end of a tag
    message: it cannot be read, or says something about the headers or another phase."""
    try:
        request = Message.FromString(rest)
    except DecodeError:
        return None
    return None if request.WhichOneof("request") or _is_feedback(request) else _attributes(request)


def _is_feedback(request: Message) -> bool:
    """Of the one route that says so; a service's cannot."""
    return any(headers.ATTRIBUTE_FEEDBACK in struct.fields for struct in request.attributes.values())


def _attributes(request: Message) -> tuple[str, str]:
    """The service that Envoy's own route match found, and the client's address if some policy asks for it. An attribute
    is named by the CEL text that was asked for.
    """
    service = source = ""
    for struct in request.attributes.values():
        for name, value in struct.fields.items():
            if name == headers.ATTRIBUTE_SOURCE:
                source = value.string_value
            elif "service" in name and value.string_value:
                service = value.string_value
    return service, source


def _request_id(request: Message, headers_of: Headers) -> str:
    for struct in request.attributes.values():
        if headers.ATTRIBUTE_REQUEST_ID in struct.fields:
            return str(struct.fields[headers.ATTRIBUTE_REQUEST_ID].string_value)
    values = headers_of("x-request-id")  # always_set_request_id_in_response
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _untouched() -> bytes:
    response = ext_proc_pb2.ProcessingResponse()
    response.request_headers.SetInParent()
    return bytes(response.SerializeToString())


CONTINUE = _untouched()


def encode_answer(status: int, text: bytes) -> bytes:
    """Envoy gives this JSON to the client, and no server sees the request."""
    answer = ext_proc_pb2.ProcessingResponse()
    immediate = answer.immediate_response
    immediate.status.code = status
    immediate.body = text
    option = immediate.headers.set_headers.add()
    option.append_action = _OVERWRITE_IF_EXISTS_OR_ADD
    option.header.key = "content-type"
    option.header.raw_value = b"application/json"
    return bytes(answer.SerializeToString())


def encode_tag(assignment: Assignment, salted_key: bytes | None, stamp: str = "") -> bytes:
    """The answer that tags a request: headers for the route, dynamic metadata for the access log."""
    response = ext_proc_pb2.ProcessingResponse()
    common = response.request_headers.response
    common.clear_route_cache = True
    add = common.header_mutation.set_headers.add
    fields = response.dynamic_metadata.fields[headers.METADATA_NAMESPACE].struct_value.fields

    def set_header(name: str, value: bytes) -> None:
        option = add()
        option.append_action = _OVERWRITE_IF_EXISTS_OR_ADD
        option.header.key = name
        option.header.raw_value = value

    set_header(headers.COHORT, assignment.cohort.encode())
    fields["cohort"].string_value = assignment.cohort
    if salted_key is not None and assignment.bucket is not None and assignment.key_hash is not None:
        set_header(headers.KEY, salted_key)
        set_header(headers.BUCKET, b"%d" % assignment.bucket)
        fields["bucket"].number_value = assignment.bucket
        fields["key"].string_value = f"{assignment.key_hash:016x}"
    if assignment.pin is not None:
        set_header(headers.PIN, assignment.pin.encode())
        fields["pin"].string_value = assignment.pin
    if assignment.slices:
        fields["slices"].string_value = assignment.slices
    if stamp:
        fields[headers.METADATA_STAMP].string_value = stamp
    return bytes(response.SerializeToString())
