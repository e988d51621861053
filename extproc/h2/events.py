"""What happened on a connection, in order. Built once, complete, and never changed.

Slotted but not frozen: building a frozen one costs three times as much, and two are built for each request.
"""

from dataclasses import dataclass

from extproc.h2.errors import ErrorCode
from extproc.h2.request import Request
from extproc.h2.stream import Stream


@dataclass(slots=True)
class RequestReceived:
    """A stream was opened. `is_end`: nothing more comes on it."""

    stream: Stream
    request: Request
    is_end: bool


@dataclass(slots=True)
class RequestTooLarge:
    """A stream was opened whose headers pass the bound on their list (RFC 9113 10.5.1): answer and end it."""

    stream: Stream
    is_end: bool


@dataclass(slots=True)
class DataReceived:
    """A piece of the request's body, without its padding; empty only if it `is_end`. Trailers end like an empty one."""

    stream: Stream
    data: bytes
    is_end: bool


@dataclass(slots=True)
class StreamReset:
    """The stream is over before its time: reset by the peer, or by this side because the peer broke a rule on it."""

    stream: Stream
    code: int


@dataclass(slots=True)
class PeerLeaves:
    """GOAWAY of the peer: it opens no more streams; those that run go on."""

    code: int


@dataclass(slots=True)
class Drained:
    """The peer has read our GOAWAY: it opens no more streams, and none that it opened before was turned away."""


@dataclass(slots=True)
class ConnectionFailed:
    """The peer broke a rule; GOAWAY is in the output. Nothing is read any more: send the output and close."""

    code: ErrorCode
    reason: str


Event = RequestReceived | RequestTooLarge | DataReceived | StreamReset | PeerLeaves | Drained | ConnectionFailed
