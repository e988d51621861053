"""Header blocks of answers, encoded once at import: they are the same on every stream and every connection."""

from extproc.grpc_wire.status import HEAD as HEAD_FIELDS
from extproc.grpc_wire.status import Status, http_refusal, trailers, trailers_only
from extproc.h2.request import Request
from extproc.h2.sending import EndOfData, HeaderBlock

HEAD = HeaderBlock(HEAD_FIELDS, is_end=False)
TRAILERS_OK = HeaderBlock(trailers(Status.OK), is_end=True)
# A call that ends well without a message.
ONLY_OK = HeaderBlock(trailers_only(Status.OK), is_end=True)
UNKNOWN_METHOD = HeaderBlock(trailers_only(Status.UNIMPLEMENTED, "unknown method"), is_end=True)
# Behind the body of what is no call.
END = EndOfData()
BROKEN = HeaderBlock(trailers_only(Status.UNKNOWN, "internal error"), is_end=True)
HEADERS_TOO_LARGE = HeaderBlock(trailers_only(Status.RESOURCE_EXHAUSTED, "headers are too large"), is_end=True)


def failure(status: Status, message: str, *, has_head: bool) -> HeaderBlock:
    """The end of a call that went wrong."""
    fields = trailers(status, message) if has_head else trailers_only(status, message)
    return HeaderBlock(fields, is_end=True)


def refusal(request: Request) -> HeaderBlock | None:
    """The head of the answer to what is no gRPC call; None for one that is. A body follows unless it ends."""
    fields = http_refusal(request.method, request.value(b"content-type"))
    return HeaderBlock(fields, is_end=request.method == b"HEAD") if fields else None
