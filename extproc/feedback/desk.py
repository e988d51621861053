"""`POST /serinus/feedback`: who may say something, whether it can be, and what waits to go up to the control plane.

In this order, and nothing later is looked at before: a bearer token of some service (401), not too fast (429), not too
large (413), JSON that says something (400), an id of ours (404) of a service that the token is for (401 again: a token
of one service says nothing of another), not too old (410), and room for it (503). Then 202: it is not judged yet, and
whether version and snapshot of the id belong together is the control plane's to tell. No text of a client is kept.
Pure but for what waits, which is bounded; the clock comes in.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from extproc.cohort.policies import PolicyHolder
from extproc.feedback.limit import TokenBucket
from extproc.telemetry.tables import Counter
from serinus.contract.feedback import (
    AGE_S_MAX,
    BODY_BYTES_MAX,
    Feedback,
    RequestId,
    Said,
    is_ahead,
    is_too_old,
    request_of,
    said_of,
    service_code,
)

# Of one sidecar. One costs it 20 us and the call around it: at most some percent of a core.
PER_SECOND, BURST = 500, 1_000
# A minute and more of them, while the control plane is away; then clients are told to come again.
WAITING_MAX = 10_000
# Of one batch, so that it stays far below what the control plane reads.
BATCH_MAX = 5_000
_BEARER = b"bearer "
# Nothing that may be said has more, and reading more costs with the square of them.
_DIGITS_MAX = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is JSON."""

    status: int
    text: bytes


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    key: bytes


class FeedbackDesk:
    """Mutable, single-threaded. One a process."""

    def __init__(self, policies: PolicyHolder, counts: Counter, *, waiting_max: int = WAITING_MAX) -> None:
        """`counts`: by result."""
        self._policies = policies
        self._counts = counts
        self._waiting_max = waiting_max
        self._bucket = TokenBucket(per_second=PER_SECOND, burst=BURST)
        self._waiting: list[Feedback] = []
        self._seen: tuple[object, object] = (None, None)
        self._services: Mapping[bytes, _Service] = {}
        # Digest of a token: the services that it is for. One look, however many services there are, and by digests that
        # nobody can foresee: its time says nothing about a token.
        self._allowed: dict[bytes, set[bytes]] = {}
        self._pepper = b""

    def post(self, *, method: bytes, authorization: Sequence[bytes], body: bytes, now_ms: int) -> Answer:
        """One request of a client."""
        result, answer = self._post(method, authorization, body, now_ms)
        self._counts.add((result,))
        return answer

    def rated(self, request_id: str, score: float, now_ms: int) -> bool:
        """What the sidecar's own evaluator says of an answer; False if it is of no use: no id of ours, no room."""
        services = self._known()
        request = self._request(services, request_id)
        if request is None or is_too_old(request.start_s, now_ms // 1_000) or len(self._waiting) >= self._waiting_max:
            return False
        self._waiting.append(Feedback(services[request.service].name, request, Said(score=score)))
        return True

    def waiting(self) -> tuple[Feedback, ...]:
        """What goes up now, the oldest first; it waits here no more."""
        told, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
        return tuple(told)

    def _post(self, method: bytes, authorization: Sequence[bytes], body: bytes, now_ms: int) -> tuple[str, Answer]:
        if method != b"POST":
            return "bad_request", _error(405, "feedback comes by POST")
        services = self._known()
        allowed = self._allowed.get(_digest(self._pepper, _bearer(authorization)))
        if allowed is None:
            return "unauthorized", _error(401, "no bearer token of a service that takes feedback")
        if not self._bucket.take(now_ms):
            return "too_fast", _error(429, f"more than {PER_SECOND} a second; come again in a second")
        if len(body) > BODY_BYTES_MAX:
            return "too_large", _error(413, f"{len(body)} bytes, at most {BODY_BYTES_MAX}")
        try:
            fields = _fields(body)
            text = fields.pop("request_id", None)
            if not isinstance(text, str):
                raise ValueError("request_id is the text of the answer's header x-serinus-request-id")
            said = said_of(fields)
        except ValueError as error:
            return "bad_request", _error(400, str(error))
        request = self._request(services, text)
        now_s = now_ms // 1_000
        if request is None or is_ahead(request.start_s, now_s):
            return "unknown_id", _error(404, "no request of this installation has that id")
        if request.service not in allowed:
            return "unauthorized", _error(401, "the token is for another service than the request")
        if is_too_old(request.start_s, now_s):
            return "too_old", _error(410, f"the request is older than {AGE_S_MAX // 86_400} days")
        if len(self._waiting) >= self._waiting_max:
            return "no_room", _error(503, "the control plane is away, and no more can wait here; come again later")
        self._waiting.append(Feedback(services[request.service].name, request, said))
        return "accepted", Answer(202, b'{"accepted":true}\n')

    @staticmethod
    def _request(services: Mapping[bytes, _Service], text: str) -> RequestId | None:
        """All services have the key of the installation; while it is changed over there may be two."""
        found = (request_of(key, text) for key in {one.key for one in services.values()})
        request = next((one for one in found if one is not None), None)
        return request if request is not None and request.service in services else None

    def _known(self) -> Mapping[bytes, _Service]:
        """By code: the services whose policy in force asks for feedback."""
        policies = self._policies
        in_force = (policies.current, policies.files)
        if self._seen[0] is not in_force[0] or self._seen[1] is not in_force[1]:
            self._seen = in_force
            asked = {name: one.feedback for name, one in policies.current.services.items() if one.feedback is not None}
            self._services = {service_code(name): _Service(name, one.key) for name, one in asked.items()}
            self._pepper = next((one.key for one in asked.values()), b"")
            self._allowed = {}
            for name, one in asked.items():
                for token in _tokens(policies, one.token_file):
                    self._allowed.setdefault(_digest(self._pepper, token), set()).add(service_code(name))
        return self._services


def _tokens(policies: PolicyHolder, file: str) -> tuple[bytes, ...]:
    return policies.files.signing_keys(file) if file else ()


def _bearer(authorization: Sequence[bytes]) -> bytes:
    """ "" without one, or with several."""
    value = authorization[0] if len(authorization) == 1 else b""
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""


def _digest(pepper: bytes, token: bytes) -> bytes:
    return blake2b(token, key=pepper).digest()


def _fields(body: bytes) -> dict[str, object]:
    """Raises ValueError."""
    try:
        fields = json.loads(body, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_whole)
    except RecursionError:
        raise ValueError("the body is nested too deep") from None
    except UnicodeDecodeError:
        raise ValueError("the body is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError('the body is a JSON object, such as {"request_id": "...", "score": 0.8}')
    return fields


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands twice")
    return fields


def _whole(text: str) -> int:
    if len(text) > _DIGITS_MAX:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _error(status: int, words: str) -> Answer:
    return Answer(status, json.dumps({"error": words}).encode() + b"\n")
