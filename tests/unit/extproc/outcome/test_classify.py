"""The table of endings: rows marked E were seen with just these fields on Envoy 1.40."""

from dataclasses import replace

import pytest

from extproc.outcome.classify import classify, classify_running
from extproc.outcome.observation import UNOBSERVABLE, Observation
from serinus.contract.outcome import FAILURES
from serinus.contract.outcome import OutcomeClass as O
from tests.unit.extproc.messages import ending

GOOD = Observation(observable=True, complete=True, finish_reason="stop", has_content=True)
LENGTH = Observation(observable=True, complete=True, finish_reason="length", has_content=True)
NO_FINISH = Observation(observable=True, complete=True, has_content=True)
CUT_OFF = Observation(observable=True, complete=False, has_content=True)
FINISHED_CUT_OFF = Observation(observable=True, complete=False, finish_reason="stop", has_content=True)
EMPTY = Observation(observable=True, complete=True, finish_reason="stop")
ERROR = Observation(observable=True, complete=True, has_content=True, error_frame=True)
GET = 1


@pytest.mark.parametrize(
    ("code", "flags", "finished", "seen", "expected"),
    [
        pytest.param(200, "", True, None, O.OK, id="E plain 200"),
        pytest.param(204, "", True, None, O.OK, id="E no content"),
        pytest.param(302, "", True, None, O.OK, id="redirect"),
        pytest.param(0, "DC", False, None, O.CLIENT_ABORTED, id="E client left before headers"),
        pytest.param(0, "", False, None, O.CLIENT_ABORTED, id="nothing was ever sent"),
        pytest.param(200, "DC", False, None, O.CLIENT_ABORTED, id="E client left in mid-stream"),
        pytest.param(200, "DC", False, CUT_OFF, O.CLIENT_ABORTED, id="E client left in mid-stream, observed"),
        pytest.param(200, "DC", False, FINISHED_CUT_OFF, O.OK, id="client read the finish and hung up"),
        pytest.param(200, "DC", False, ERROR, O.IN_STREAM_ERROR, id="client left because of the error frame"),
        pytest.param(200, "UPE", False, None, O.UPSTREAM_RESET, id="E upstream broke in mid-stream"),
        pytest.param(200, "UPE", False, FINISHED_CUT_OFF, O.UPSTREAM_RESET, id="broke after the finish"),
        pytest.param(200, "UC", False, None, O.UPSTREAM_RESET, id="upstream closed in mid-stream"),
        pytest.param(200, "UC,DC", False, None, O.UPSTREAM_RESET, id="upstream broke first, then the client left"),
        pytest.param(200, "", False, None, O.UPSTREAM_RESET, id="never finished, nobody named"),
        pytest.param(503, "URX,UC", False, None, O.UPSTREAM_RESET, id="E upstream closes twice"),
        pytest.param(503, "URX,UF", False, None, O.UPSTREAM_RESET, id="E refused twice"),
        pytest.param(503, "UF", False, None, O.UPSTREAM_RESET, id="refused"),
        pytest.param(503, "UH", False, None, O.UPSTREAM_RESET, id="E no healthy endpoint"),
        pytest.param(503, "UO", False, None, O.OVERLOADED, id="circuit breaker"),
        pytest.param(503, "NC", False, None, O.SERVER_ERROR, id="E cluster missing"),
        pytest.param(504, "UT", False, None, O.TIMEOUT, id="response timeout"),
        pytest.param(504, "UT,URX", False, None, O.TIMEOUT, id="timeout after retries"),
        pytest.param(200, "SI", False, None, O.TIMEOUT, id="stream idle timeout in mid-stream"),
        pytest.param(408, "SI", False, None, O.CLIENT_ERROR, id="the client never finished its request"),
        pytest.param(429, "", True, None, O.OVERLOADED, id="E 429 of the server"),
        pytest.param(429, "RL", True, None, O.LIMITED, id="E a limit of the manifest"),
        pytest.param(400, "", True, None, O.CLIENT_ERROR, id="bad request"),
        pytest.param(404, "", True, None, O.CLIENT_ERROR, id="E 404"),
        pytest.param(500, "", True, None, O.SERVER_ERROR, id="E 500 of the server"),
        pytest.param(500, "DC", False, None, O.SERVER_ERROR, id="client left a 500"),
        pytest.param(200, "", True, GOOD, O.OK, id="E observed, good"),
        pytest.param(200, "", True, LENGTH, O.OK, id="E length is no error"),
        pytest.param(200, "", True, NO_FINISH, O.TRUNCATED, id="E no finish_reason"),
        pytest.param(200, "", True, CUT_OFF, O.OK, id="our sight was cut off: no proof"),
        pytest.param(200, "", True, EMPTY, O.EMPTY, id="E finished without content"),
        pytest.param(200, "", True, ERROR, O.IN_STREAM_ERROR, id="E error frame in a 200"),
        pytest.param(200, "", True, UNOBSERVABLE, O.OK, id="unobservable is not bad"),
        pytest.param(500, "", True, NO_FINISH, O.SERVER_ERROR, id="an error body needs no finish"),
    ],
)
def test_class(code: int, flags: str, finished: bool, seen: Observation | None, expected: O) -> None:
    assert classify(ending(code, flags, finished=finished), seen) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(0, O.OK, id="E OK"),
        pytest.param(1, O.CLIENT_ABORTED, id="CANCELLED"),
        pytest.param(2, O.SERVER_ERROR, id="E UNKNOWN, or no status at all"),
        pytest.param(3, O.CLIENT_ERROR, id="E INVALID_ARGUMENT"),
        pytest.param(4, O.TIMEOUT, id="DEADLINE_EXCEEDED"),
        pytest.param(5, O.CLIENT_ERROR, id="NOT_FOUND"),
        pytest.param(7, O.CLIENT_ERROR, id="PERMISSION_DENIED"),
        pytest.param(8, O.OVERLOADED, id="RESOURCE_EXHAUSTED"),
        pytest.param(12, O.SERVER_ERROR, id="UNIMPLEMENTED"),
        pytest.param(13, O.SERVER_ERROR, id="E INTERNAL"),
        pytest.param(14, O.SERVER_ERROR, id="UNAVAILABLE, by the server itself"),
        pytest.param(15, O.SERVER_ERROR, id="DATA_LOSS"),
        pytest.param(16, O.CLIENT_ERROR, id="UNAUTHENTICATED"),
        pytest.param(99, O.SERVER_ERROR, id="no status of gRPC"),
        pytest.param(-1, O.SERVER_ERROR, id="no number"),
    ],
)
def test_a_grpc_call_is_classed_by_its_status_though_http_says_200(status: int, expected: O) -> None:
    assert classify(ending(grpc_status=status), None) is expected


@pytest.mark.parametrize(
    ("flags", "finished", "expected"),
    [
        ("DC", False, O.CLIENT_ABORTED),
        ("UPE", False, O.UPSTREAM_RESET),
        ("", False, O.UPSTREAM_RESET),
        ("UF,URX", True, O.UPSTREAM_RESET),
        ("UT", True, O.TIMEOUT),
        ("RL", True, O.LIMITED),
    ],
)
def test_what_envoy_makes_up_for_a_status_says_nothing_beside_its_flags(
    flags: str, finished: bool, expected: O
) -> None:
    assert classify(ending(flags=flags, finished=finished, grpc_status=2), None) is expected


def test_a_call_that_still_runs_has_no_status_yet() -> None:
    """Envoy says UNKNOWN of a 200 whose trailers have not come."""
    assert classify_running(ending(finished=False, grpc_status=2), has_first_byte=True) is O.RUNNING


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_refused_prompt_that_is_too_long_is_the_clients_and_shown_apart(code: int) -> None:
    too_long = Observation(observable=True, complete=True, finish_reason="context_too_long")
    assert classify(ending(code), too_long) is O.CONTEXT_TOO_LONG
    assert classify(ending(code), replace(too_long, finish_reason=None)) is O.CLIENT_ERROR
    assert classify(ending(code), None) is O.CLIENT_ERROR
    assert classify(ending(500), too_long) is O.SERVER_ERROR
    assert O.CONTEXT_TOO_LONG not in FAILURES


def test_an_api_without_a_finish_is_whole_with_its_document() -> None:
    vectors = Observation(observable=True, complete=True, finish_reason="", has_content=True)
    assert classify(ending(), vectors) is O.OK
    assert classify(ending(), replace(vectors, has_content=False)) is O.EMPTY


def test_only_a_post_can_be_a_generation() -> None:
    """GET and HEAD answers have no finish_reason to miss."""
    assert classify(ending(method=GET), NO_FINISH) is O.OK
    assert classify(ending(method=GET), EMPTY) is O.OK
