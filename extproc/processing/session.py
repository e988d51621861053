"""One ext_proc stream: messages in, replies out, as values. No I/O.

A tag stream is one message: request headers in, one answer out, closed cleanly: from then on Envoy goes on without us.
An observe stream (observability mode: Envoy reads no answers) is, where a service asks for it, pieces of the request's
body, then response headers, body pieces, end; we close it at the end of the body, or Envoy would keep it for
`deferred_close_timeout`. Anything else is closed cleanly without an answer,
which lets the request pass. Of a route that takes feedback it is the headers, one piece of body, and our answer, which
is the client's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from extproc.clock import Clock
from extproc.cohort.policies import PolicyHolder
from extproc.feedback.desk import FeedbackDesk
from extproc.outcome.asked import NOTHING_ASKED, RequestBody
from extproc.outcome.observation import Observation
from extproc.outcome.rated import Rated, Rating, is_drawn
from extproc.outcome.refused import RefusalSession
from extproc.outcome.session import ResponseSession, watch
from extproc.processing import codec
from extproc.processing.tagging import Tagging
from extproc.telemetry.tables import Counter
from serinus.contract.headers import REQUEST_ID

OnObservation = Callable[[str, Observation], None]


@dataclass(slots=True)
class Reply:
    """What to do after one message: send `message` unless None, then close the stream with OK if `is_done`."""

    message: bytes | None
    is_done: bool


_CLOSE = Reply(None, is_done=True)
_MORE = Reply(None, is_done=False)
_BAD_MESSAGE = ("bad_message",)


class ProcessSession:
    """Mutable; one per stream. `on_observation(request_id, observation)` is called at most once."""

    __slots__ = (
        *("_asking", "_clock", "_feedback", "_on_observation", "_posting", "_rated", "_rating", "_request_id"),
        *("_requests", "_response", "_tagging"),
    )

    def __init__(
        self,
        policies: PolicyHolder,
        requests: Counter,
        on_observation: OnObservation,
        clock: Clock,
        *,
        feedback: FeedbackDesk | None = None,
        rating: Rating | None = None,
    ) -> None:
        self._tagging = Tagging(policies, requests, clock)
        self._requests = requests
        self._clock = clock
        self._on_observation = on_observation
        self._response: ResponseSession | RefusalSession | None = None
        self._request_id = ""
        self._asking: RequestBody | None = None
        self._feedback = feedback
        self._posting: codec.Headers | None = None
        self._rating = rating
        self._rated: tuple[str, str] | None = None  # the id and the body of the request whose answer is to be rated

    def receive(self, message: bytes) -> Reply:
        """One message of the stream."""
        response = self._response
        if response is not None:
            # A token by itself wakes the process up with cold caches: the less code it touches, the better.
            piece = codec.response_body(message)
            if piece is not None:
                response.body(piece.body, self._clock.now_us())
                return self._finish() if piece.end_of_stream or not response.is_observable else _MORE
        tagging = self._tagging
        known = tagging.at_once(message)
        if known is not None:
            return Reply(known, is_done=True)
        request = codec.tag_request(message)
        if request is None:
            return self._by_schema(message)
        tagging.learn(message, *request)
        return Reply(tagging.answer(*request), is_done=True)

    def _by_schema(self, message: bytes) -> Reply:
        match codec.decode(message):
            case codec.RequestHeaders(service, headers):
                return Reply(self._tagging.answer(service, headers.values), is_done=True)
            case codec.FeedbackHeaders(headers, is_end):
                self._posting = headers
                return self._post(b"") if is_end else Reply(codec.CONTINUE, is_done=False)
            case codec.RequestBody(body) if self._posting is not None:
                return self._post(body)
            case codec.RequestBody(body) if self._response is None:
                if self._asking is None:
                    self._asking = RequestBody()
                self._asking.feed(body)
                return _MORE
            case codec.ResponseHeaders(request_id, headers, is_end):
                return self._observe(request_id, headers, is_end)
        self._requests.add(_BAD_MESSAGE)
        return _CLOSE

    def _post(self, body: bytes) -> Reply:
        headers, self._posting = self._posting, None
        if self._feedback is None or headers is None:
            return _CLOSE
        methods, authorization = headers(":method"), headers("authorization")
        method = methods[0] if len(methods) == 1 else b""
        now_ms = self._clock.now_ms()
        answer = self._feedback.post(method=method, authorization=authorization, body=body, now_ms=now_ms)
        return Reply(codec.encode_answer(answer.status, answer.text), is_done=True)

    def close(self) -> None:
        """The peer ended the stream, or it broke. Nothing happens after a finished one."""
        if self._response is not None:
            self._report(complete=False)

    def _observe(self, request_id: str, headers: codec.Headers, is_end: bool) -> Reply:
        asked, self._asking = self._asking, None
        self._response = watch(headers, asked.asked() if asked is not None else NOTHING_ASKED)
        if self._response is None:
            return _CLOSE  # nobody waits for it: the access log says all
        if self._rating is not None:
            self._draw(self._rating.share_bp, headers(REQUEST_ID), asked)
        self._request_id = request_id
        return self._finish() if is_end or not self._response.is_observable else _MORE

    def _draw(self, share_bp: int, ids: Sequence[bytes], asked: RequestBody | None) -> None:
        """An answer without one id cannot be scored: its service takes no feedback."""
        if isinstance(self._response, ResponseSession) and len(ids) == 1:
            request_id = ids[0].decode("latin-1")
            if is_drawn(request_id, share_bp):
                self._response.keep_answer()
                self._rated = request_id, asked.text if asked is not None else ""

    def _finish(self) -> Reply:
        self._report(complete=True)
        return _CLOSE

    def _report(self, *, complete: bool) -> None:
        response, self._response = self._response, None
        if response is None:
            return
        observation = response.end(complete=complete)
        self._on_observation(self._request_id, observation)
        if self._rating is not None and self._rated is not None and isinstance(response, ResponseSession):
            answer = response.answer if observation.observable and observation.complete else None
            if answer is not None:
                self._rating.offer(Rated(*self._rated, answer))
