"""What a client may do wrong on an ADS stream: each ends that stream alone."""

from controlplane.errors import SerinusError


class StreamError(SerinusError):
    """A request that the stream cannot go on from. `code` is mapped to a gRPC status by the server."""

    code = "xds_invalid_request"


class TooManyStreamsError(StreamError):
    """More streams than one node, or the whole server, may hold."""

    code = "xds_too_many_streams"

    def __init__(self, whose: str, streams_max: int) -> None:
        super().__init__(f"{whose} has {streams_max} streams open already", next_step="close one of them")
