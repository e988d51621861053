"""Calls of any kind, drawn by hypothesis: what is asked, in which messages, and how the client leaves."""

from dataclasses import dataclass

from hypothesis import strategies as st

from extproc.transport import port
from tests.unit.extproc.messages import (
    log_entry,
    log_message,
    request_headers,
    response_body,
    response_headers,
)

UNKNOWN = ("/envoy.service.ext_proc.v3.ExternalProcessor/Other", "/a.Service/Method", "/", "/one/two/three")


@dataclass(frozen=True)
class DrawnCall:
    """`ends`: the client says that it has said all. Otherwise it leaves when everything was heard."""

    method: str
    messages: tuple[bytes, ...]
    ends: bool


TEXTS = st.text(max_size=12)
TAGS = st.one_of(
    st.builds(lambda user: request_headers(x_user_id=user), TEXTS),
    st.builds(lambda user, team: request_headers(x_user_id=user, x_team=team), TEXTS, st.sampled_from(["ml", "other"])),
    st.builds(lambda service: request_headers(service, x_user_id="u1"), st.sampled_from(["", "chat", "other"])),
    st.builds(lambda key: request_headers(x_user_id=key), st.binary(max_size=40)),
    st.just(request_headers()),
)
BODY = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
RESPONSES = st.one_of(
    st.builds(response_headers, TEXTS, status=st.sampled_from(["200", "500"]), end=st.booleans()),
    st.builds(response_headers, TEXTS, encoding=st.sampled_from(["", "gzip"])),
    st.builds(response_body, st.sampled_from([b"", BODY, BODY[:30], b"x" * 3_000]), end=st.booleans()),
)
NOISE = st.binary(max_size=30)
LOGS = st.lists(st.builds(log_entry, code=st.sampled_from([200, 500, 0])), max_size=3).map(
    lambda entries: log_message(*entries)
)
_FEW = {"max_size": 4}


def _calls(
    method: str, messages: st.SearchStrategy[bytes], *, ends: st.SearchStrategy[bool]
) -> st.SearchStrategy[DrawnCall]:
    return st.builds(DrawnCall, st.just(method), st.lists(messages, max_size=4).map(tuple), ends)


ANY = st.booleans()
CALLS = st.one_of(
    _calls(port.PROCESS_METHOD, TAGS, ends=ANY),
    _calls(port.PROCESS_METHOD, RESPONSES, ends=ANY),
    _calls(port.PROCESS_METHOD, st.one_of(TAGS, RESPONSES, NOISE), ends=ANY),
    _calls(port.ACCESS_LOGS_METHOD, LOGS | NOISE, ends=ANY),
    _calls(port.HEALTH_CHECK_METHOD, NOISE, ends=st.just(True)),
    _calls(port.HEALTH_WATCH_METHOD, NOISE, ends=ANY),
    st.sampled_from(UNKNOWN).flatmap(lambda method: _calls(method, NOISE, ends=ANY)),
)
CONVERSATIONS = st.lists(CALLS, min_size=1, max_size=6)
CUTS = st.lists(st.integers(min_value=1, max_value=400), max_size=12)
