"""h2spec's section "http2", 3 to 6.3 of the RFC: the preface, frames, header blocks, states of streams."""

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.limits import DEFAULT
from tests.conformance.h2.h2spec_words import (
    END,
    FORM,
    HALF_CLOSED,
    Case,
    answered,
    body,
    connection_error,
    echoed,
    get,
    open_block,
    piece,
    ping,
    post,
    stream_error,
)
from tests.unit.extproc.h2.peer import WHOLE, headers, priority, rst

PROTOCOL = connection_error(ErrorCode.PROTOCOL_ERROR)
FRAME_SIZE = connection_error(ErrorCode.FRAME_SIZE_ERROR)
CLOSED = connection_error(ErrorCode.STREAM_CLOSED)
CLOSED_STREAM = stream_error(ErrorCode.STREAM_CLOSED)
_SELF = b"\x00\x00\x00\x01\xff"

FORMAT = {
    "4.1/1": Case("unknown type", (frames.frame(22, 0, 0, bytes(8)), ping()), echoed(b"h2spec!!")),
    "4.1/2": Case("undefined flag", (frames.frame(frames.PING, 22, 0, b"12345678"),), echoed(b"12345678")),
    "4.1/3": Case("reserved bit", (frames.frame(frames.PING, 0, 1 << 31, b"12345678"),), echoed(b"12345678")),
    "4.2/1": Case("DATA of 2^14", (post(), body(bytes(2**14))), answered()),
    "4.2/2": Case("DATA longer than MAX_FRAME_SIZE", (post(), body(bytes(2**14 + 1))), FRAME_SIZE),
    "4.2/3": Case("HEADERS longer than MAX_FRAME_SIZE", (headers(of=FORM + bytes(2**14)),), FRAME_SIZE),
    "4.3/1": Case(
        "invalid block", (headers(of=b"\xff\xff\xff\xff\xff\x00"),), connection_error(ErrorCode.COMPRESSION_ERROR)
    ),
    "4.3/2": Case("PRIORITY inside a block", (open_block(FORM[:3]), priority(1), piece(FORM[3:])), PROTOCOL),
    "4.3/3": Case("HEADERS of another stream inside a block", (open_block(FORM[:3]), get(3)), PROTOCOL),
}

STATES = {
    "5.1/1": Case("idle: DATA", (body(),), PROTOCOL),
    "5.1/2": Case("idle: RST_STREAM", (rst(),), PROTOCOL),
    "5.1/3": Case("idle: WINDOW_UPDATE", (frames.window_update(1, 100),), PROTOCOL),
    "5.1/4": Case("idle: CONTINUATION", (piece(FORM),), PROTOCOL),
    # Half-closed (remote): the peer has ended, and our answer waits for its window.
    "5.1/5": Case("half-closed: DATA", (*HALF_CLOSED, body()), CLOSED_STREAM),
    "5.1/6": Case("half-closed: HEADERS", (*HALF_CLOSED, get()), CLOSED_STREAM),
    "5.1/7": Case("half-closed: CONTINUATION", (*HALF_CLOSED, piece(FORM)), PROTOCOL),
    "5.1/8": Case("reset: DATA", (post(), rst(), body()), CLOSED_STREAM),
    "5.1/9": Case("reset: HEADERS", (post(), rst(), get()), CLOSED),
    "5.1/10": Case("reset: CONTINUATION", (post(), rst(), piece(FORM)), PROTOCOL),
    "5.1/11": Case("closed: DATA", (get(), body()), CLOSED_STREAM),
    "5.1/12": Case("closed: HEADERS", (get(), get()), CLOSED),
    "5.1/13": Case("closed: CONTINUATION", (get(), piece(FORM)), PROTOCOL),
    "5.1.1/1": Case("even identifier", (get(2),), PROTOCOL),
    "5.1.1/2": Case("smaller identifier", (get(5), get(3)), PROTOCOL),
    "5.1.2/1": Case(
        "more streams than were allowed",
        tuple(post(1 + 2 * number) for number in range(DEFAULT.streams_max + 1)),
        stream_error(ErrorCode.REFUSED_STREAM, 1 + 2 * DEFAULT.streams_max),
    ),
    "5.3.1/1": Case(
        "HEADERS that depend on themselves",
        (headers(of=_SELF + FORM, flags=frames.WITH_PRIORITY, end=True),),
        PROTOCOL,
    ),
    "5.3.1/2": Case("PRIORITY on itself", (post(), priority(1, on=1)), stream_error(ErrorCode.PROTOCOL_ERROR)),
    "5.4.1/1": Case("invalid PING", (frames.frame(frames.PING, 0, 3, bytes(8)),), PROTOCOL),
    "5.4.1/2": Case("invalid PING gets a GOAWAY", (frames.frame(frames.PING, 0, 3, bytes(8)),), PROTOCOL),
    "5.5/1": Case("unknown frame", (frames.frame(0x16, 0, 0, bytes(8)), ping()), echoed(b"h2spec!!")),
    "5.5/2": Case(
        "unknown frame inside a block",
        (open_block(FORM[:3]), frames.frame(0x16, 0, 0, bytes(8)), piece(FORM[3:])),
        PROTOCOL,
    ),
}

PAYLOADS = {
    "6.1/1": Case("DATA on stream 0", (post(), frames.frame(frames.DATA, END, 0, b"test")), PROTOCOL),
    "6.1/2": Case("DATA on a stream that is not open", (*HALF_CLOSED, body()), CLOSED_STREAM),
    "6.1/3": Case("DATA with an invalid pad length", (post(), body(b"\x06test", flags=frames.PADDED)), PROTOCOL),
    "6.2/1": Case("HEADERS that do not end, and PRIORITY", (open_block(FORM), priority(1)), PROTOCOL),
    "6.2/2": Case("HEADERS inside another's block", (open_block(FORM[:3]), get(3)), PROTOCOL),
    "6.2/3": Case("HEADERS on stream 0", (get(0),), PROTOCOL),
    "6.2/4": Case(
        "HEADERS with an invalid pad length",
        (frames.frame(frames.HEADERS, END | WHOLE | frames.PADDED, 1, bytes([len(FORM) + 1]) + FORM),),
        PROTOCOL,
    ),
    "6.3/1": Case("PRIORITY on stream 0", (priority(0),), PROTOCOL),
    "6.3/2": Case(
        "PRIORITY of 4 bytes",
        (post(), frames.frame(frames.PRIORITY, 0, 1, bytes(4))),
        stream_error(ErrorCode.FRAME_SIZE_ERROR),
    ),
    "6.4/1": Case("RST_STREAM on stream 0", (rst(0),), PROTOCOL),
    "6.4/2": Case("RST_STREAM on an idle stream", (rst(),), PROTOCOL),
    "6.4/3": Case("RST_STREAM of 3 bytes", (post(), frames.frame(frames.RST_STREAM, 0, 1, bytes(3))), FRAME_SIZE),
}

HTTP2_TO_6_4 = {**FORMAT, **STATES, **PAYLOADS}
