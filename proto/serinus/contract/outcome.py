"""What happened to one request, as a class. HTTP 200 is not success: a stream may break, or end without a finish.

A request that still runs when its service's follow-up is over is judged as it stands then, and not again at its end.
"""

import enum


class OutcomeClass(enum.Enum):
    OK = "ok"
    CLIENT_ABORTED = "client_aborted"  # the client left: nobody's failure
    CLIENT_ERROR = "client_error"  # 4xx other than 429: the client's failure
    CONTEXT_TOO_LONG = "context_too_long"  # the prompt is longer than the version's context: the client's failure
    LIMITED = "limited"  # kept back by the proxy, as the service's limits ask: no version saw it
    OVERLOADED = "overloaded"  # 429 of the version's server, or its cluster was full
    SERVER_ERROR = "server_error"  # 5xx from the version's server
    UPSTREAM_RESET = "upstream_reset"  # connect failure, reset, broken stream
    TIMEOUT = "timeout"
    IN_STREAM_ERROR = "in_stream_error"  # an error frame inside a 200 stream
    TRUNCATED = "truncated"  # a 200 stream that ended without a finish_reason
    EMPTY = "empty"  # finished without one character of content or a tool call
    OVERDUE = "overdue"  # the follow-up is over, and nothing has come from the version's server, or an error
    RUNNING = "running"  # the follow-up is over in the middle of an answer: so far nothing is wrong


# What the `errors` metric counts. A client's abort or bad request says nothing about the version.
FAILURES = frozenset(
    {
        OutcomeClass.OVERLOADED,
        OutcomeClass.SERVER_ERROR,
        OutcomeClass.UPSTREAM_RESET,
        OutcomeClass.TIMEOUT,
        OutcomeClass.IN_STREAM_ERROR,
        OutcomeClass.TRUNCATED,
        OutcomeClass.EMPTY,
        OutcomeClass.OVERDUE,
    }
)
# Evidence, but no end: dashboards count the request when it ends.
UNFINISHED = frozenset({OutcomeClass.OVERDUE, OutcomeClass.RUNNING})
