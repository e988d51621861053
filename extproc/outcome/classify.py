"""How a request ended -> its OutcomeClass. The code alone never tells: code, response flags, the last-byte field of
Envoy's log entry and what was seen of the body do (each row of the table in the test was seen on Envoy 1.40).

Order of the rules: what never reached a version, what it broke on the wire, timeouts, error codes, then who left, then
the status of a gRPC call, then the content.
"""

from dataclasses import dataclass

from extproc.outcome.observation import Observation
from extproc.outcome.refused import STATUSES
from serinus.contract.outcome import FAILURES, OutcomeClass

# Short forms of Envoy's response flags (%RESPONSE_FLAGS%).
_TIMEOUT_FLAGS = frozenset({"UT", "UMSDR", "SI", "DT"})
# UF connect failure, UC connection closed, UR remote reset, UPE protocol error after the start, URX retries used up
# (ours are for resets alone), UH no healthy endpoint, LH failed its health check.
_RESET_FLAGS = frozenset({"UF", "UC", "UR", "UPE", "URX", "UH", "LH"})
_OVERLOAD_FLAGS = frozenset({"UO"})
_CLIENT_LEFT_FLAG = "DC"
# Set by the proxy's limiting filter alone, never by what a server answered.
LIMITED_FLAG = "RL"
# envoy.data.accesslog.v3 / envoy.config.core.v3.RequestMethod
METHOD_POST = 3
# Codes of which the body of the response can change the class.
TOLD_BY_BODY = frozenset({200, *map(int, STATUSES)})
_TOO_LONG = OutcomeClass.CONTEXT_TOO_LONG.value
# By the HTTP codes that google.rpc.Code gives them. What is in no table is a server that does not keep to the protocol,
# as is one that sent no status at all (Envoy says UNKNOWN then).
_GRPC = {
    1: OutcomeClass.CLIENT_ABORTED,  # CANCELLED
    3: OutcomeClass.CLIENT_ERROR,  # INVALID_ARGUMENT
    4: OutcomeClass.TIMEOUT,  # DEADLINE_EXCEEDED
    5: OutcomeClass.CLIENT_ERROR,  # NOT_FOUND
    6: OutcomeClass.CLIENT_ERROR,  # ALREADY_EXISTS
    7: OutcomeClass.CLIENT_ERROR,  # PERMISSION_DENIED
    8: OutcomeClass.OVERLOADED,  # RESOURCE_EXHAUSTED
    9: OutcomeClass.CLIENT_ERROR,  # FAILED_PRECONDITION
    10: OutcomeClass.CLIENT_ERROR,  # ABORTED
    11: OutcomeClass.CLIENT_ERROR,  # OUT_OF_RANGE
    16: OutcomeClass.CLIENT_ERROR,  # UNAUTHENTICATED
}


@dataclass(slots=True)
class Ending:
    """What Envoy's log entry says of the end. Treated as frozen.

    `code` 0: nothing was sent; `is_finished`: the upstream's last byte came, or Envoy answered itself. `grpc_status` 0:
    OK, or no gRPC; it says nothing before the end.
    """

    code: int
    flags: frozenset[str]
    is_finished: bool
    method: int
    grpc_status: int = 0


def classify(ending: Ending, observation: Observation | None) -> OutcomeClass:
    """The class of one request; `observation` None: its body was not observed."""
    broken = _broken(ending)
    seen = observation if observation is not None and observation.observable else None
    if broken is OutcomeClass.CLIENT_ERROR and seen is not None and seen.finish_reason == _TOO_LONG:
        return OutcomeClass.CONTEXT_TOO_LONG
    if broken is not None:
        return broken
    if seen is not None and seen.error_frame:
        return OutcomeClass.IN_STREAM_ERROR
    has_finish = seen is not None and seen.finish_reason is not None
    if ending.code == 0 or (_CLIENT_LEFT_FLAG in ending.flags and not has_finish):
        # A client that read the finish and hung up without waiting for the end did not abort.
        return OutcomeClass.CLIENT_ABORTED
    if not ending.is_finished and not has_finish:
        return OutcomeClass.UPSTREAM_RESET
    if ending.grpc_status:
        # Trailers say how a call ended, behind a code that is 200 all the same.
        return _GRPC.get(ending.grpc_status, OutcomeClass.SERVER_ERROR)
    if seen is None or ending.code != 200 or ending.method != METHOD_POST:
        return OutcomeClass.OK
    return _content(seen)


def classify_running(ending: Ending, *, has_first_byte: bool) -> OutcomeClass:
    """The class of a request that still runs when its follow-up is over: what it has shown by then."""
    is_good = has_first_byte and _broken(ending) not in FAILURES
    return OutcomeClass.RUNNING if is_good else OutcomeClass.OVERDUE


def _broken(ending: Ending) -> OutcomeClass | None:
    code, flags = ending.code, ending.flags
    if LIMITED_FLAG in flags:
        return OutcomeClass.LIMITED
    if code == 408:
        return OutcomeClass.CLIENT_ERROR  # the client did not send its request in time
    if flags & _TIMEOUT_FLAGS:
        return OutcomeClass.TIMEOUT
    if flags & _RESET_FLAGS:
        return OutcomeClass.UPSTREAM_RESET
    if code == 429 or flags & _OVERLOAD_FLAGS:
        return OutcomeClass.OVERLOADED
    if code >= 500:
        return OutcomeClass.SERVER_ERROR
    if code >= 400:
        return OutcomeClass.CLIENT_ERROR
    return None


def _content(seen: Observation) -> OutcomeClass:
    if seen.finish_reason is None:
        # Only the end of the body proves that no finish was sent.
        return OutcomeClass.TRUNCATED if seen.complete else OutcomeClass.OK
    return OutcomeClass.OK if seen.has_content else OutcomeClass.EMPTY
