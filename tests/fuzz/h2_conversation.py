"""Inputs as what an HTTP/2 client sends behind its preface: bytes as they are, or frames with right lengths.

Raw bytes are almost never a frame; so most inputs are read as a list of frames, of which kind, flags, stream and
payload are the input's own. Blocks that open a stream are well-formed often enough that streams are open.
"""

from collections.abc import Iterable, Sequence

from extproc.h2 import frames
from extproc.h2.hpack_encode import encode
from extproc.h2.hpack_table import Field
from tests.fuzz.bites import Bites

_POST: tuple[Field, ...] = ((b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"sidecar"))
_GRPC: tuple[Field, ...] = ((b"content-type", b"application/grpc"), (b"te", b"trailers"))
# As in `extproc.transport.port`; written out, so that the connection is fuzzed without what stands above it.
_PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_ACCESS_LOGS = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"


def _plain(fields: Iterable[Field]) -> bytes:
    """A block without Huffman strings: they have a target of their own, and cost more than all else here."""
    return b"".join(b"\0" + bytes([len(name)]) + name + _length(value) + value for name, value in fields)


def _length(value: bytes) -> bytes:
    size = len(value)
    return bytes([size]) if size < 127 else bytes([127, (size - 127) & 0x7F | 0x80, (size - 127) >> 7])


def _call(path: str, *more: Field) -> bytes:
    return _plain([*_POST, (b":path", path.encode()), *_GRPC, *more])


BLOCKS: Sequence[bytes] = (
    _call(_PROCESS),
    _call(_ACCESS_LOGS),
    _call("/grpc.health.v1.Health/Check"),
    _call("/grpc.health.v1.Health/Watch"),
    _call(_PROCESS, (b"grpc-encoding", b"gzip")),
    _call(_PROCESS, (b"content-length", b"7")),
    _call("/no.such/Method"),
    _plain([(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b"host", b"a")]),
    _plain([(b":method", b"CONNECT"), (b":authority", b"a:1")]),
    encode([(b"x-trailer", b"1")]),
    b"\x20" + _call(_PROCESS),
    b"\x3f\xe1\x1f" + _call(_ACCESS_LOGS),
    _plain([*_POST, (b":path", b"/"), (b"x-large", b"v" * 700)]),
    b"\x40\x01a\x01b\xbe" * 3,
)
_WORDS = (b":path", b":method", b"content-length", b"host", b"te", b"connection", b"x-a", b"", b":x", b"GET", b"7")


def frames_of(data: bytes, position: int = 0) -> bytes:
    """The whole input, from `position` on, as frames."""
    bites = Bites(data, position)
    sent = []
    while bites.is_left:
        head = bites.number()
        sent.append(_frame(head & 0x0F, head >> 4, bites))
    return b"".join(sent)


def _frame(kind: int, stream_id: int, bites: Bites) -> bytes:
    match kind:
        case 10:  # opens a call
            flags = bites.number()
            return frames.frame(frames.HEADERS, flags & 0x01 | frames.END_HEADERS, stream_id, bites.of(BLOCKS))
        case 11:  # a gRPC message
            flags, message = bites.number(), bites.text()
            return frames.frame(frames.DATA, flags & 0x01, stream_id, b"\0" + len(message).to_bytes(4, "big") + message)
        case 12:  # much data
            flags, size = bites.number(), bites.number() << 4
            return frames.frame(frames.DATA, flags & 0x01, stream_id, bytes(size))
        case 13:  # fields of the input's own
            count = bites.number()
            fields = [(_word(bites), _word(bites)) for _ in range(count & 7)]
            return frames.frame(frames.HEADERS, count >> 4 & 1 | frames.END_HEADERS, stream_id, _plain(fields))
        case 14:  # has read our GOAWAY
            return frames.ping(b"draining", is_ack=True)
        case 15:  # no frame
            return bites.text()
    flags = bites.number()
    return frames.frame(kind, flags, stream_id, bites.text())


def _word(bites: Bites) -> bytes:
    index = bites.number()
    return _WORDS[index] if index < len(_WORDS) else bites.text()[:120]
