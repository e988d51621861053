"""One ext_proc stream: messages in, replies out, as values. No I/O.

A tag stream is one message: request headers in, one answer out, closed cleanly: from then on Envoy goes on without us.
An observe stream (observability mode: Envoy reads no answers) is response headers, body pieces, end; we close it at the
end of the body, or Envoy would keep it for `deferred_close_timeout`. Anything else is closed cleanly without an answer,
which lets the request pass.
"""

from collections.abc import Callable
from dataclasses import dataclass

from extproc.clock import Clock
from extproc.cohort.decision import CompiledPolicy
from extproc.cohort.policies import PolicyHolder
from extproc.outcome.observation import Observation
from extproc.outcome.session import ResponseSession
from extproc.processing import codec
from extproc.telemetry.tables import Counter
from serinus.contract.bucket import salted_key
from serinus.contract.headers import COHORT_NO_KEY
from serinus.contract.policy import Assignment

OnObservation = Callable[[str, Observation], None]


@dataclass(slots=True)
class Reply:
    """What to do after one message: send `message` unless None, then close the stream with OK if `is_done`."""

    message: bytes | None
    is_done: bool


_CLOSE = Reply(None, is_done=True)
_PASS = Reply(codec.CONTINUE, is_done=True)
_MORE = Reply(None, is_done=False)


class ProcessSession:
    """Mutable; one per stream. `on_observation(request_id, observation)` is called at most once."""

    __slots__ = ("_clock", "_on_observation", "_policies", "_request_id", "_requests", "_response")

    def __init__(self, policies: PolicyHolder, requests: Counter, on_observation: OnObservation, clock: Clock) -> None:
        self._clock = clock
        self._policies = policies
        self._requests = requests
        self._on_observation = on_observation
        self._response: ResponseSession | None = None
        self._request_id = ""

    def receive(self, message: bytes) -> Reply:
        """One message of the stream."""
        match codec.decode(message):
            case codec.RequestHeaders(service, headers):
                return self._tag(service, headers)
            case codec.ResponseHeaders(request_id, headers, is_end):
                return self._observe(request_id, headers, is_end)
            case codec.ResponseBody(body, is_end) if self._response is not None:
                self._response.body(body)
                return self._finish() if is_end or not self._response.is_observable else _MORE
        self._requests.add(("bad_message",))
        return _CLOSE

    def close(self) -> None:
        """The peer ended the stream, or it broke. Nothing happens after a finished one."""
        self._report(complete=False)

    def _tag(self, service: str, headers: codec.Headers) -> Reply:
        policy = self._policies.compiled(service)
        if policy is None:
            self._requests.add(("unknown_service",))
            return _PASS
        return Reply(self._assign(policy, headers), is_done=True)

    def _assign(self, policy: CompiledPolicy, headers: codec.Headers) -> bytes:
        assignment = policy.evaluate(headers.values, self._clock.now_ms() // 1_000)
        self._requests.add((_result(assignment),))
        salted = salted_key(policy.policy.salt, assignment.key) if assignment.key is not None else None
        return codec.encode_tag(assignment, salted)

    def _observe(self, request_id: str, headers: codec.Headers, is_end: bool) -> Reply:
        if list(headers(":status")) != [b"200"]:
            return _CLOSE  # nobody waits for it: the access log says all
        self._request_id = request_id
        self._response = ResponseSession(headers)
        return self._finish() if is_end or not self._response.is_observable else _MORE

    def _finish(self) -> Reply:
        self._report(complete=True)
        return _CLOSE

    def _report(self, *, complete: bool) -> None:
        response, self._response = self._response, None
        if response is not None:
            self._on_observation(self._request_id, response.end(complete=complete))


def _result(assignment: Assignment) -> str:
    if assignment.pin is None:
        return "tagged"
    return "no_key" if assignment.cohort == COHORT_NO_KEY else "pinned"
