"""What no client of gRPC would send: both transports refuse it with the same status, or the difference is named here.

`DIFFERENCES` are choices: each says what ours does, what grpcio does, and which rule ours follows.
"""

from dataclasses import dataclass

import pytest

from extproc.grpc_wire.framing import framed
from extproc.h2 import frames
from extproc.h2.hpack_table import Field
from extproc.transport import port
from tests.conformance.transport.both import Both, Side
from tests.conformance.transport.raw_client import RawClient
from tests.unit.extproc.h2.peer import FIELDS, block
from tests.unit.extproc.messages import request_headers

TAG = request_headers(x_user_id="u1")
CALL: dict[bytes, bytes] = dict(FIELDS)


def head(*, end: bool = False, **fields: bytes | None) -> bytes:
    """HEADERS of a Process call, with fields changed, added, or (None) left out: `content_type=…`, `_method=…`."""
    named = {
        name.replace("_", "-", 1).encode() if not name.startswith("_") else b":" + name[1:].encode(): value
        for name, value in fields.items()
    }
    kept: list[Field] = [(name, value) for name, value in {**CALL, **named}.items() if value is not None]
    return frames.frame(frames.HEADERS, frames.END_HEADERS | (frames.END_STREAM if end else 0), 1, block(kept))


def data(payload: bytes, *, end: bool = True) -> bytes:
    return frames.frame(frames.DATA, frames.END_STREAM if end else 0, 1, payload)


SAME: dict[str, list[bytes]] = {
    "a tag": [head(), data(framed(TAG))],
    "a tag of application/grpc+proto": [head(content_type=b"application/grpc+proto"), data(framed(TAG))],
    "a tag with a deadline": [head(grpc_timeout=b"5S"), data(framed(TAG))],
    "a tag with metadata": [head(**{"x_a-bin": b"AAECAw"}), data(framed(TAG))],
    "identity named": [head(grpc_encoding=b"identity"), data(framed(TAG))],
    "nothing but the end": [head(end=True)],
    "an empty message": [head(), data(framed(b""))],
    "messages behind the answer": [head(), data(framed(TAG) * 3)],
    "noise instead of a message": [head(), data(framed(b"\xff\xff\xff"))],
    "an unknown method": [head(_path=b"/envoy.service.ext_proc.v3.ExternalProcessor/Nothing"), data(framed(TAG))],
    "an unknown service": [head(_path=b"/nobody.Service/Process"), data(framed(TAG))],
    "a health check of a message of noise": [head(_path=port.HEALTH_CHECK_METHOD.encode()), data(framed(b"\xff"))],
    "a message that is too long": [head(), data(b"\0\x01\0\0\x01", end=False)],
    "compressed without an encoding": [head(), data(b"\1" + framed(TAG)[1:])],
}


@dataclass(frozen=True)
class Difference:
    """Summaries are HTTP status, gRPC status and the code of a reset; messages are left out."""

    sent: list[bytes]
    own: tuple[bytes, bytes, int | None]
    grpcio: tuple[bytes, bytes, int | None]
    why: str


def _status(code: int) -> tuple[bytes, bytes, None]:
    return b"200", b"%d" % code, None


OK, RESET = _status(0), (b"", b"", 2)
_CUT = "half a message is a loss, which a call that ends well would hide; grpcio takes it for the end"
_TYPE = "gRPC over HTTP/2: a server should answer 415; grpcio looks at no content-type"
_ENCODING = "gRPC's compression: an encoding that the server does not take is UNIMPLEMENTED"
DIFFERENCES = {
    "the end inside a message": Difference([head(), data(framed(TAG)[:-1])], _status(13), OK, _CUT),
    "the end inside a prefix": Difference([head(), data(framed(TAG)[:3])], _status(13), OK, _CUT),
    "an unknown flag": Difference(
        [head(), data(b"\2" + framed(TAG)[1:])], _status(13), OK, "neither 0 nor 1 is no message"
    ),
    "an encoding that nobody knows": Difference(
        [head(grpc_encoding=b"none-such"), data(b"\1" + framed(TAG)[1:])], _status(12), _status(13), _ENCODING
    ),
    "compressed by gzip, but not really": Difference(
        [head(grpc_encoding=b"gzip"), data(b"\1" + framed(TAG)[1:])], _status(12), _status(13), _ENCODING
    ),
    "another content-type": Difference(
        [head(content_type=b"application/json"), data(framed(TAG))], (b"415", b"", None), OK, _TYPE
    ),
    "no content-type": Difference([head(content_type=None), data(framed(TAG))], (b"415", b"", None), OK, _TYPE),
    "a GET": Difference([head(_method=b"GET", end=True)], (b"405", b"", None), RESET, "HTTP has a word for it"),
    "no te": Difference(
        [head(te=None), data(framed(TAG))],
        OK,
        RESET,
        "te is there to find proxies that drop trailers; between Envoy and us there is none",
    ),
}


async def asked(side: Side, sent: list[bytes]) -> tuple[object, ...]:
    async with RawClient(side.socket) as client:
        client.send(frames.PREFACE + frames.settings({}) + frames.SETTINGS_ACK)
        for piece in sent:
            client.send(piece)
        await client.until_over(1)
        return client.answers[1].summary()


@pytest.mark.parametrize("what", SAME)
def test_is_answered_the_same(pair: Both, what: str) -> None:
    pair.agreed(lambda side: asked(side, SAME[what]))


@pytest.mark.parametrize("what", DIFFERENCES)
def test_differs_as_it_is_said(pair: Both, what: str) -> None:
    difference = DIFFERENCES[what]
    answers = pair.each(lambda side: asked(side, difference.sent))
    for name, expected in (("own", difference.own), ("grpcio", difference.grpcio)):
        status, grpc_status, _messages, reset = answers[name]
        assert (status, grpc_status, reset) == expected, name
