"""One ext_proc stream: messages in, replies out, as values. No I/O.

A tag stream is one message: request headers in, one answer out, closed cleanly: from then on Envoy goes on without us.
An observe stream (observability mode: Envoy reads no answers) is response headers, body pieces, end; we close it at the
end of the body, or Envoy would keep it for `deferred_close_timeout`. Anything else is closed cleanly without an answer,
which lets the request pass.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from extproc.clock import Clock
from extproc.cohort.decision import CompiledPolicy
from extproc.cohort.policies import PolicyHolder
from extproc.cohort.ruling import Ruling
from extproc.outcome.observation import Observation
from extproc.outcome.session import ResponseSession
from extproc.processing import codec, scan
from extproc.processing.tag import TagWriter
from extproc.telemetry.tables import Counter
from serinus.contract.bucket import place_of
from serinus.contract.headers import COHORT_NO_KEY
from serinus.contract.request import usable_key

OnObservation = Callable[[str, Observation], None]


@dataclass(slots=True)
class Reply:
    """What to do after one message: send `message` unless None, then close the stream with OK if `is_done`."""

    message: bytes | None
    is_done: bool


_CLOSE = Reply(None, is_done=True)
_PASS = Reply(codec.CONTINUE, is_done=True)
_MORE = Reply(None, is_done=False)
_BAD_MESSAGE, _UNKNOWN_SERVICE = ("bad_message",), ("unknown_service",)


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
        found = self._policies.shapes.find(message)
        if found is not None:
            foreseen, text = found
            key = usable_key(text)
            if key is not None:
                policy, ruling = foreseen.policy, foreseen.settled
                return self._answer(policy, ruling or policy.decide_foreseen(foreseen, key, self._now_s(policy)), key)
        request = codec.tag_request(message)
        if request is None:
            return self._by_schema(message)
        self._learn(message, *request)
        return self._tag(*request)

    def _learn(self, message: bytes, service: str, values: Mapping[str, Sequence[bytes]]) -> None:
        """Requests of this shape that come later are not read again but for their key."""
        policy, shapes = self._policies.compiled(service), self._policies.shapes
        if policy is not None and policy.key_header in values:
            header = policy.key_header
            key_at = scan.value_at(message, header)
            if key_at and shapes.is_worth_learning(message, header, key_at):
                foreseen = policy.foresee(values)
                if foreseen is not None:
                    shapes.learn(message, header, key_at, foreseen)

    def _by_schema(self, message: bytes) -> Reply:
        match codec.decode(message):
            case codec.RequestHeaders(service, headers):
                return self._tag(service, headers.values)
            case codec.ResponseHeaders(request_id, headers, is_end):
                return self._observe(request_id, headers, is_end)
            case codec.ResponseBody(body, is_end) if self._response is not None:
                self._response.body(body)
                return self._finish() if is_end or not self._response.is_observable else _MORE
        self._requests.add(_BAD_MESSAGE)
        return _CLOSE

    def close(self) -> None:
        """The peer ended the stream, or it broke. Nothing happens after a finished one."""
        if self._response is not None:
            self._report(complete=False)

    def _tag(self, service: str, values: Mapping[str, Sequence[bytes]]) -> Reply:
        policy = self._policies.compiled(service)
        if policy is None:
            self._requests.add(_UNKNOWN_SERVICE)
            return _PASS
        return self._answer(policy, *policy.decide(values, self._now_s(policy)))

    def _now_s(self, policy: CompiledPolicy) -> int:
        return self._clock.now_ms() // 1_000 if policy.needs_time else 0

    def _answer(self, policy: CompiledPolicy, ruling: Ruling, key: bytes | None) -> Reply:
        plan: _Plan = ruling.plan or _plan(ruling)
        self._requests.add(plan.result)
        if key is None:
            return Reply(plan.writer.without_key, True)
        salted = policy.salted + key
        return Reply(plan.writer.with_key(salted, *place_of(salted)), True)

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


@dataclass(slots=True)
class _Plan:
    """What the answers to one ruling have in common, and how they are counted."""

    result: tuple[str]
    writer: TagWriter


def _plan(ruling: Ruling) -> _Plan:
    result = "tagged"
    if ruling.pin is not None:
        result = "no_key" if ruling.cohort == COHORT_NO_KEY else "pinned"
    ruling.plan = plan = _Plan((result,), TagWriter(ruling.cohort, ruling.pin))
    return plan
