"""How a call ends, as header fields: status codes, their message, and what is no gRPC call at all.

Rules held (gRPC over HTTP/2): a status is in the trailers; an answer without messages is one block, head and trailers
together ("Trailers-Only"); a message is percent-encoded; a content-type that is not gRPC's gets HTTP 415 and no status,
but a line for whoever tries with a browser or curl.
"""

from collections.abc import Sequence
from enum import IntEnum

Field = tuple[bytes, bytes]

# A message is for people. A server that lets a client choose its length would let it choose the size of our answers.
MESSAGE_BYTES_MAX = 512


class Status(IntEnum):
    """The codes that a server of ours has a use for."""

    OK = 0
    UNKNOWN = 2
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


HEAD: Sequence[Field] = ((b":status", b"200"), (b"content-type", b"application/grpc"))
# With UNIMPLEMENTED for a compressed message: what we would have taken.
ACCEPTED_ENCODINGS: Field = (b"grpc-accept-encoding", b"identity")


def trailers(status: Status, message: str = "") -> list[Field]:
    """The last block of an answer that had a head."""
    fields = [(b"grpc-status", b"%d" % status)]
    if message:
        fields.append((b"grpc-message", percent_encoded(message)))
    return fields


def trailers_only(status: Status, message: str = "") -> list[Field]:
    """The only block of an answer without messages."""
    encodings = [ACCEPTED_ENCODINGS] if status is Status.UNIMPLEMENTED else []
    return [*HEAD, *encodings, *trailers(status, message)]


def percent_encoded(message: str) -> bytes:
    """UTF-8, of which everything but printable ASCII goes as %XX; so does the percent sign."""
    text = message.encode()[:MESSAGE_BYTES_MAX]
    return b"".join(b"%c" % byte if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte for byte in text)


REFUSAL_BODY = b"This port takes gRPC calls only: POST with content-type application/grpc.\n"


def http_refusal(method: bytes, content_type: bytes) -> list[Field] | None:
    """The head of the answer to a request that is no gRPC call; None for one that is. HEAD gets no body."""
    if method != b"POST":
        return [(b":status", b"405"), (b"allow", b"POST"), *_OF_THE_BODY]
    name, _, _ = content_type.lower().partition(b";")
    if name.strip() != b"application/grpc" and not name.startswith(b"application/grpc+"):
        return [(b":status", b"415"), *_OF_THE_BODY]
    return None


_OF_THE_BODY: Sequence[Field] = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"%d" % len(REFUSAL_BODY)),
)
