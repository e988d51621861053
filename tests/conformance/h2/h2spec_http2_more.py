"""h2spec's section "http2", 6.5 to 8 of the RFC: settings, control frames, flow control, messages."""

from extproc.grpc_wire.status import REFUSAL_BODY
from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.hpack_table import Field
from extproc.h2.peer_settings import ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE
from tests.conformance.h2.h2spec_http2 import FRAME_SIZE, PROTOCOL
from tests.conformance.h2.h2spec_words import (
    END,
    FORM,
    POSTED,
    PSEUDO,
    Case,
    acknowledged,
    alive,
    answered,
    ask,
    body,
    connection_error,
    echoed,
    get,
    heard_data,
    open_block,
    piece,
    ping,
    post,
    stream_error,
)
from tests.unit.extproc.h2.peer import WHOLE, block, headers, rst

_FLOW = connection_error(ErrorCode.FLOW_CONTROL_ERROR)
_MALFORMED = stream_error(ErrorCode.PROTOCOL_ERROR)
_METHOD, _SCHEME, _PATH, _AUTHORITY = PSEUDO


def _settings(key: int, value: int) -> tuple[bytes]:
    return (frames.settings({key: value}),)


def _window(window_bytes: int) -> bytes:
    return frames.settings({INITIAL_WINDOW_SIZE: window_bytes})


SETTINGS = {
    "6.5/1": Case("acknowledgement with a payload", (frames.frame(frames.SETTINGS, 1, 0, b"\0"),), FRAME_SIZE),
    "6.5/2": Case("SETTINGS on a stream", (frames.frame(frames.SETTINGS, 0, 1, bytes(6)),), PROTOCOL),
    "6.5/3": Case("SETTINGS of 3 bytes", (frames.frame(frames.SETTINGS, 0, 0, bytes(3)),), FRAME_SIZE),
    "6.5.2/1": Case("ENABLE_PUSH of 2", _settings(ENABLE_PUSH, 2), PROTOCOL),
    "6.5.2/2": Case("INITIAL_WINDOW_SIZE of 2^31", _settings(INITIAL_WINDOW_SIZE, 2**31), _FLOW),
    "6.5.2/3": Case("MAX_FRAME_SIZE of 2^14-1", _settings(MAX_FRAME_SIZE, 2**14 - 1), PROTOCOL),
    "6.5.2/4": Case("MAX_FRAME_SIZE of 2^24", _settings(MAX_FRAME_SIZE, 2**24), PROTOCOL),
    "6.5.2/5": Case("unknown setting", _settings(0xFF, 0), alive),
    "6.5.3/1": Case(
        "one setting twice: the last holds",
        (frames.frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\x64\0\4\0\0\0\1"), get()),
        heard_data(1),
    ),
    "6.5.3/2": Case("SETTINGS are acknowledged", (frames.settings({}),), acknowledged),
}

CONTROL = {
    "6.7/1": Case("PING", (ping(b"abcdefgh"),), echoed(b"abcdefgh")),
    "6.7/2": Case(
        "acknowledgement of PING is not answered",
        (frames.ping(b"invalid!", is_ack=True), ping(b"abcdefgh")),
        echoed(b"abcdefgh"),
    ),
    "6.7/3": Case("PING on a stream", (frames.frame(frames.PING, 0, 1, bytes(8)),), PROTOCOL),
    "6.7/4": Case("PING of 6 bytes", (ping(bytes(6)),), FRAME_SIZE),
    "6.8/1": Case("GOAWAY on a stream", (frames.frame(frames.GOAWAY, 0, 1, bytes(8)),), PROTOCOL),
    "6.9/1": Case("WINDOW_UPDATE by 0", (frames.window_update(0, 0),), PROTOCOL),
    "6.9/2": Case(
        "WINDOW_UPDATE by 0 on a stream",
        (post(), frames.window_update(1, 0)),
        stream_error(ErrorCode.PROTOCOL_ERROR),
    ),
    "6.9/3": Case("WINDOW_UPDATE of 3 bytes", (frames.frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)),), FRAME_SIZE),
}

WINDOWS = {
    "6.9.1/1": Case("a window of 1", (_window(1), get()), heard_data(1)),
    "6.9.1/2": Case(
        "windows beyond 2^31-1", (frames.window_update(0, 2**31 - 1), frames.window_update(0, 2**31 - 1)), _FLOW
    ),
    "6.9.1/3": Case(
        "a stream's window beyond 2^31-1",
        (post(), frames.window_update(1, 2**31 - 1)),
        stream_error(ErrorCode.FLOW_CONTROL_ERROR),
    ),
    "6.9.2/1": Case("a window that opens later", (_window(0), get(), _window(1)), heard_data(1)),
    "6.9.2/2": Case(
        "a window below 0",
        (_window(3), get(), _window(2), frames.window_update(1, 1), frames.window_update(1, 1)),
        heard_data(3, 1),
    ),
    "6.9.2/3": Case("INITIAL_WINDOW_SIZE beyond its maximum", _settings(INITIAL_WINDOW_SIZE, 2**31), _FLOW),
}

CONTINUATIONS = {
    "6.10/1": Case(
        "several CONTINUATION", (open_block(FORM[:3]), piece(FORM[3:5], end=False), piece(FORM[5:])), answered()
    ),
    "6.10/2": Case("CONTINUATION, then DATA", (open_block(FORM[:3]), piece(FORM[3:5], end=False), body()), PROTOCOL),
    "6.10/3": Case("CONTINUATION on stream 0", (open_block(FORM[:3]), piece(FORM[3:], 0)), PROTOCOL),
    "6.10/4": Case("CONTINUATION behind whole HEADERS", (post(), piece(FORM)), PROTOCOL),
    "6.10/5": Case("CONTINUATION behind the last", (open_block(FORM[:3]), piece(FORM[3:]) + piece(FORM)), PROTOCOL),
    "6.10/6": Case("CONTINUATION behind DATA", (post(), body(end=False), piece(FORM)), PROTOCOL),
    "7/1": Case("GOAWAY of an unknown code", (frames.goaway(0, 0xFF),), alive),
    "7/2": Case("RST_STREAM of an unknown code", (post(), rst(code=0xFF)), alive),
}


def _malformed(title: str, fields: list[Field]) -> Case:
    return Case(title, (ask(fields),), _MALFORMED)


MESSAGES = {
    "8.1/1": Case("second HEADERS that do not end", (post(), post()), _MALFORMED),
    "8.1.2/1": _malformed("upper case", [*PSEUDO, (b"X-TEST", b"ok")]),
    "8.1.2.1/1": _malformed("unknown pseudo-field", [*PSEUDO, (b":test", b"ok")]),
    "8.1.2.1/2": _malformed("pseudo-field of a response", [*PSEUDO, (b":status", b"200")]),
    "8.1.2.1/3": Case(
        "pseudo-field in trailers",
        (post(), body(end=False), frames.frame(frames.HEADERS, END | WHOLE, 1, block([_METHOD]))),
        _MALFORMED,
    ),
    "8.1.2.1/4": _malformed("pseudo-field behind a regular one", [_METHOD, _SCHEME, (b"x", b"y"), _PATH, _AUTHORITY]),
    "8.1.2.2/1": _malformed("connection", [*PSEUDO, (b"connection", b"keep-alive")]),
    "8.1.2.2/2": _malformed("te of more than trailers", [*PSEUDO, (b"te", b"trailers, deflate;q=0.5")]),
    "8.1.2.3/1": _malformed("empty :path", [_METHOD, _SCHEME, (b":path", b""), _AUTHORITY]),
    "8.1.2.3/2": _malformed("no :method", [_SCHEME, _PATH, _AUTHORITY]),
    "8.1.2.3/3": _malformed("no :scheme", [_METHOD, _PATH, _AUTHORITY]),
    "8.1.2.3/4": _malformed("no :path", [_METHOD, _SCHEME, _AUTHORITY]),
    "8.1.2.3/5": _malformed(":method twice", [_METHOD, *PSEUDO]),
    "8.1.2.3/6": _malformed(":scheme twice", [_SCHEME, *PSEUDO]),
    "8.1.2.3/7": _malformed(":path twice", [_PATH, *PSEUDO]),
    "8.1.2.6/1": Case(
        "content-length is not that of DATA",
        (headers(of=block([*POSTED, (b"content-length", b"1")])), body()),
        _MALFORMED,
    ),
    "8.1.2.6/2": Case(
        "content-length is not the sum of DATA",
        (headers(of=block([*POSTED, (b"content-length", b"1")])), body(b"t", end=False), body(b"est")),
        _MALFORMED,
    ),
    "8.2/1": Case("PUSH_PROMISE", (get(), frames.frame(frames.PUSH_PROMISE, WHOLE, 1, bytes(4) + FORM)), PROTOCOL),
}

assert len(REFUSAL_BODY) > 4  # the answer that these windows cut

HTTP2_FROM_6_5 = {**SETTINGS, **CONTROL, **WINDOWS, **CONTINUATIONS, **MESSAGES}
