"""Messages of ext_proc streams, through the codec, the cohort policy and the session.

Must hold: no exception; the reading by hand of a tag message is that by its schema; a reply is nothing, "continue" or a tag, and a tag is what the contract's `evaluate` says of the
same headers, in headers that Envoy takes; a stream is observed at most once, and that observation does not depend on
how the body was cut; what is kept of a body stays within its bounds; nothing comes after the end.

The first byte: 7 messages as they are, each behind two bytes of length; else they are made of the input's decisions.
"""

import gzip
import zlib
from collections.abc import Callable, Sequence
from functools import partial

import brotli

from extproc.outcome.dialect_openai import CHOICES_MAX, OpenAiReader
from extproc.outcome.observation import Observation
from extproc.outcome.refused import BODY_BYTES_MAX as REFUSAL_BYTES_MAX
from extproc.outcome.refused import RefusalSession
from extproc.outcome.session import BODY_BYTES_MAX, PUT_BY_BYTES_MAX, ResponseSession
from extproc.outcome.sse import EVENT_BYTES_MAX
from extproc.processing import codec
from extproc.processing.session import ProcessSession, Reply
from extproc.telemetry.catalogue import Catalogue
from serinus.contract import headers as names
from serinus.contract.bucket import salted_key
from serinus.contract.policy import evaluate
from serinus.contract.request import KEY_BYTES_MAX
from serinus.envoywire import ext_proc_pb2
from tests.fuzz import policies
from tests.fuzz.bites import Bites
from tests.fuzz.target import Target

_POLICIES = policies.holder()
_CATALOGUE = Catalogue()
_NAMES = (
    *(":path", ":method", ":status", "cookie", "x-user", "x-team", "user-agent", "x-word", "x-any", "x-request-id"),
    *("content-type", "content-encoding", names.TOKEN),
)
_VALUES = (
    *(b"200", b"400", b"GET", b"/a/x?q=1&user=u1&q=2", b'uid=u1; ab="a\\054b"', b"staff", b"curl/8", b"ab12"),
    b"text/event-stream",
    *(b"application/json; charset=utf-8", b"identity", b"u1", b"data: [DONE]\n\n", *policies.TOKENS),
)
_BODIES = (
    b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
    b'{"choices":[{"index":1,"message":{"content":""},"finish_reason":"length"}]}',
    b'event: error\ndata: {"error":{}}\r\n\r',
    b"\xef\xbb\xbfdata: [DONE]\r\n",
    b'data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call"}}\n\n',
    b'data: {"type":"response.incomplete","response":{"status":"incomplete","output":[{"type":"message"}]}}\n\n',
    b'{"object":"list","data":[{"object":"embedding","embedding":[]}],"usage":{}}',
    b'data: {"model_name":"m","text_output":"a","outputs":[{}]}\n\n',
    b'data: {"type":"content_block_delta","index":0,"delta":{"partial_json":"{"}}\n\n',
    b'{"error":{"code":400,"type":"exceed_context_size_error","message":"prompt is too long"}}',
)


class Clock:
    """Stands still."""

    def now_ms(self) -> int:
        return policies.NOW_S * 1_000

    def now_us(self) -> int:
        return policies.NOW_S * 1_000_000

    def epoch_ns(self) -> int:
        return policies.NOW_S * 1_000_000_000


_CLOCK = Clock()


def _header_map(bites: Bites, into: ext_proc_pb2.HttpHeaders) -> None:
    for _ in range(bites.number() & 7):
        how = bites.number()
        header = into.headers.headers.add()
        header.key = _NAMES[how & 15] if how & 15 < len(_NAMES) else bites.text().decode("utf-8", "replace")
        value = _VALUES[bites.number() % len(_VALUES)] if how & 16 else bites.text()
        if how & 32:
            header.value = value.decode("utf-8", "replace")
        else:
            header.raw_value = value


def _made(bites: Bites) -> bytes:
    message = ext_proc_pb2.ProcessingRequest()
    kind = bites.number()
    match kind & 3:
        case 0:
            _header_map(bites, message.request_headers)
            fields = message.attributes["envoy.filters.http.ext_proc"].fields
            fields["xds.route_metadata.filter_metadata['serinus']['service']"].string_value = bites.of(
                ("chat", "plain", "no", "")
            )
            if kind & 4:
                fields[names.ATTRIBUTE_SOURCE].string_value = bites.text().decode("utf-8", "replace")
        case 1:
            _header_map(bites, message.response_headers)
            message.response_headers.end_of_stream = kind & 4 != 0
            if kind & 8:
                fields = message.attributes["a"].fields
                fields[names.ATTRIBUTE_REQUEST_ID].string_value = bites.text().decode("utf-8", "replace")
        case 2:
            message.response_body.body = bites.of(_BODIES) if kind & 8 else bites.text()
            message.response_body.end_of_stream = kind & 4 != 0
        case _:
            message.request_trailers.SetInParent()
    return message.SerializeToString()


def messages_of(data: bytes) -> list[bytes]:
    bites = Bites(data, 1)
    messages = []
    while bites.is_left:
        if data[0] & 0x80:
            messages.append(bites.take(bites.word()))
        else:
            messages.append(_made(bites))
    return messages


def _check_reply(message: bytes, reply: Reply) -> None:
    assert type(reply) is Reply
    if reply.message is None:
        return
    assert reply.is_done, "an answer ends the stream"
    phase = codec.decode(message)
    assert isinstance(phase, codec.RequestHeaders)
    policy = policies.SERVICES.get(phase.service)
    response = ext_proc_pb2.ProcessingResponse.FromString(reply.message)
    assert response.WhichOneof("response") == "request_headers"
    options = response.request_headers.response.header_mutation.set_headers
    added = {option.header.key: option.header.raw_value for option in options}
    if policy is None:
        assert reply.message == codec.CONTINUE
        return
    wanted = evaluate(policy, phase.headers, policies.AROUND)
    expected = {names.COHORT: wanted.cohort.encode()}
    if wanted.key is not None:
        expected |= {names.KEY: salted_key(policy.salt, wanted.key), names.BUCKET: b"%d" % wanted.bucket}
    if wanted.pin is not None:
        expected[names.PIN] = wanted.pin.encode()
    assert added == expected
    assert len(added) == len(options)
    for value in added.values():
        assert len(value) <= KEY_BYTES_MAX + 64
        assert not any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in value), "Envoy refuses it"


def _check_kept(response: ResponseSession | RefusalSession | None) -> None:
    if response is None:
        return
    if isinstance(response, RefusalSession):
        assert not response.is_observable or len(response._body) <= REFUSAL_BYTES_MAX
        return
    assert response._body is None or len(response._body) <= BODY_BYTES_MAX
    assert len(response._put_by) <= PUT_BY_BYTES_MAX
    reader = response._reader._reader
    assert not isinstance(reader, OpenAiReader) or len(reader._reasons) <= CHOICES_MAX
    sse = response._sse
    if sse is not None:
        assert len(sse._rest) + sse._data_bytes <= EVENT_BYTES_MAX
        assert len(sse._data) <= sse._data_bytes


def _check_both_readings(message: bytes) -> None:
    """What is read by hand is what the schema says."""
    by_hand = codec.tag_request(message)
    if by_hand is None:
        return
    phase = codec.decode(message)
    assert isinstance(phase, codec.RequestHeaders), "read by hand, but it is no tag message"
    assert by_hand == (phase.service, phase.headers.values)


def _once(messages: Sequence[bytes]) -> list[tuple[str, Observation]]:
    seen: list[tuple[str, Observation]] = []
    session = ProcessSession(_POLICIES, _CATALOGUE.requests, lambda *each: seen.append(each), _CLOCK)
    for message in messages:
        _check_both_readings(message)
        reply = session.receive(message)
        _check_reply(message, reply)
        _check_kept(session._response)
        if reply.is_done:
            break
    session.close()
    session.close()
    assert len(seen) <= 1
    return seen


def _in_pieces(messages: Sequence[bytes], size: int) -> list[bytes]:
    """The same stream, its body cut further."""
    cut = []
    for message in messages:
        phase = codec.decode(message)
        if not isinstance(phase, codec.ResponseBody) or len(phase.body) < 2:
            cut.append(message)
            continue
        for start in range(0, len(phase.body), size):
            piece = ext_proc_pb2.ProcessingRequest()
            piece.response_body.body = phase.body[start : start + size]
            piece.response_body.end_of_stream = phase.is_end and start + size >= len(phase.body)
            cut.append(piece.SerializeToString())
    return cut


def execute(data: bytes) -> None:
    if not data:
        return
    messages = messages_of(data)
    seen = _once(messages)
    if seen and data[0] & 0x40:
        assert _once(_in_pieces(messages, 1 + (data[0] & 15))) == seen, "an observation depends on the cut"
    assert len(_CATALOGUE.requests.values) <= 8


def _raw(*messages: bytes) -> bytes:
    return b"\x80" + b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def _request(**values: bytes) -> bytes:
    message = ext_proc_pb2.ProcessingRequest()
    for name, value in values.items():
        message.request_headers.headers.headers.add(key=name.replace("_", "-").replace("P", ":p"), raw_value=value)
    fields = message.attributes["envoy.filters.http.ext_proc"].fields
    fields["xds.route_metadata.filter_metadata['serinus']['service']"].string_value = "chat"
    return message.SerializeToString()


def _response(
    *bodies: bytes, kind: bytes = b"text/event-stream", coding: bytes = b"", status: bytes = b"200"
) -> list[bytes]:
    head = ext_proc_pb2.ProcessingRequest()
    head.response_headers.headers.headers.add(key=":status", raw_value=status)
    head.response_headers.headers.headers.add(key="content-type", raw_value=kind)
    if coding:
        head.response_headers.headers.headers.add(key="content-encoding", raw_value=coding)
    messages = [head.SerializeToString()]
    for body in bodies:
        piece = ext_proc_pb2.ProcessingRequest()
        piece.response_body.body = body
        messages.append(piece.SerializeToString())
    return messages


# One stream of each kind, for targets that carry them.
STREAM = _raw(_request(x_user=b"u7", cookie=b"uid=3"), *_response(*_BODIES))
_SEEDS = [
    _raw(_request(x_user=b"u7", cookie=b"uid=3; ab=1", user_agent=b"a")),
    _raw(_request(cookie=b'uid="a\\"b"', Path=b"/x?q=1&user=5")),
    _raw(*_response(*_BODIES)),
    _raw(*_response(_BODIES[1], kind=b"application/json")),
    _raw(*_response(gzip.compress(b"".join(_BODIES)), coding=b"gzip")),
    _raw(*_response(zlib.compress(_BODIES[1]), kind=b"application/json", coding=b"deflate")),
    _raw(*_response(brotli.compress(b"".join(_BODIES)), coding=b"br")),
    _raw(*_response(_BODIES[6], kind=b"application/json")),
    _raw(*_response(_BODIES[-1], kind=b"application/json", status=b"400")),
    b"\x00\x00\x03\x04\x02u1\x10\x02\x13\x03\x00",
    b"\x00\x04\x02\x13\x03\x11\x01\x00\x0910.1.2.3",
    b"\x41\x01\x02\x12\x00\x1a\x07\x0a\x00\x0a\x03\x06\x05data:",
    b"\x42\x09\x02\x12\x00\x1a\x08\x02id\x0a\x01\x06\x02{}",
]
_QUOTED = b'uid="' + b'\\"' * 30_000 + b'"'
_LONG_REQUESTS = (
    *({"cookie": _QUOTED}, {"cookie": b"uid=" + b"a;" * 30_000}, {"cookie": b"a=1; " * 12_000}),
    *({"cookie": b'uid="' + b"\\0" * 30_000}, {"cookie": b"=" * 60_000}, {"cookie": b" " * 60_000 + b"a"}),
    *({"Path": b"/?" + b"q=1&" * 15_000}, {"Path": b"/?q=" + b"%41" * 20_000}, {"Path": b"//" + b"[" * 60_000}),
    *({"x_word": b"ab" * 30_000 + b"!"}, {"x_user": b"u" * 60_000}, {"x_user": b" " * 60_000 + b"u"}),
)
_LONG_BODIES = (
    *(b"data: x\n" * 30_000, b"\r" * 200_000, b"data: " + b"[" * 250_000 + b"\n\n", b"x" * 250_000),
    b"data: " + b'{"choices":[' + b'{"index":1},' * 10_000 + b"{}]}\n\n",
)


def _as_pieces(body: bytes) -> list[bytes]:
    return [body[start : start + 100] for start in range(0, len(body), 100)]


def _long() -> list[Callable[[], object]]:
    """Streams of real sizes: Envoy passes 60 KiB of headers."""
    requests = [[_request(**values)] for values in _LONG_REQUESTS]
    whole = [_response(body) for body in _LONG_BODIES]
    cut = [_response(*_as_pieces(body)) for body in _LONG_BODIES]
    coded = [_response(gzip.compress(body), coding=b"gzip") for body in (*_LONG_BODIES, b"data: {}\n\n" * 100_000)]
    streams = [*requests, *whole, *cut, *coded, _response(b"[" * 900_000, kind=b"application/json")]
    return [partial(_once, messages) for messages in streams]


TARGETS = {"processing": Target(execute, _SEEDS, _long(), bytes_max=512)}
