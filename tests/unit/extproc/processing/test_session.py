import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.cohort import regex
from extproc.cohort.decision import NO_FILES
from extproc.cohort.files import Files
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.feedback.desk import FeedbackDesk
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.outcome.rated import Rated, Rating
from extproc.processing import codec
from extproc.processing.session import ProcessSession, Reply
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.bucket import salted_key
from serinus.contract.condition import Surroundings
from serinus.contract.headers import ATTRIBUTE_SERVICE, ATTRIBUTE_SOURCE, KEY
from serinus.contract.metric import Measures
from serinus.contract.policy import FeedbackPolicy, ServicePolicy, evaluate
from serinus.contract.request import StickyKind, StickySource
from serinus.envoywire import ext_proc_pb2
from tests.unit.extproc.clocks import ManualClock
from tests.unit.extproc.cohort.drawn_policies import FILES, IDS, PLACES, POLICIES, REQUESTS
from tests.unit.extproc.messages import (
    NAMESPACE,
    POLICY,
    request_body,
    request_headers,
    response_body,
    response_headers,
)
from tests.unit.extproc.processing.test_scan import as_envoy

FINISH = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
PLAIN: Measures = (("repetition", 0), ("mixed_script", 0), ("control_tokens", 0), ("refusal", 0), ("script", 1))
CLOSE = Reply(None, is_done=True)
MORE = Reply(None, is_done=False)


class Stream:
    """One stream and what came out of it."""

    def __init__(self, *policies: PolicySet, files: Files = NO_FILES, now_ms: int = 0, share_bp: int = 0) -> None:
        self.rated: list[Rated] = []
        self.catalogue = Catalogue()
        self.seen: list[tuple[str, Observation]] = []
        self.holder = holder = PolicyHolder(10_000)
        for policy in policies or (PolicySet("p1", {"chat": POLICY}),):
            holder.replace(policy, files)
        observed = lambda *seen: self.seen.append(seen)  # noqa: E731
        rating = Rating(share_bp, self.rated.append) if share_bp else None
        self.session = ProcessSession(holder, self.catalogue.requests, observed, ManualClock(now_ms), rating=rating)
        self.receive = self.session.receive

    @property
    def results(self) -> dict[str, int]:
        return {labels[0]: count for labels, count in self.catalogue.requests.values.items()}


def test_a_tagged_request_is_one_message_in_one_out_and_closed() -> None:
    stream = Stream()
    reply = stream.receive(request_headers(x_user_id="u1"))
    assert reply.is_done
    assert reply.message is not None
    answer = ext_proc_pb2.ProcessingResponse.FromString(reply.message)
    assert answer.request_headers.response.clear_route_cache
    assert stream.results == {"tagged": 1}


def test_results_are_counted_by_kind() -> None:
    for headers, result in (({"x_team": "ml", "x_user_id": "u1"}, "pinned"), ({}, "no_key")):
        stream = Stream()
        stream.receive(request_headers(**headers))
        assert stream.results == {result: 1}


@given(
    team=st.sampled_from(["ml", "qa", ""]),
    user=st.none() | st.binary(min_size=1, max_size=150),
    address=st.sampled_from(["", "10.1.2.3:4711"]),
)
def test_an_answer_is_the_contracts_assignment(team: str, user: bytes | None, address: str) -> None:
    """By way of rulings and pieces it is the same as by the reference, for every kind of request."""
    message = request_headers(address=address, x_team=team)
    if user is not None:
        message = request_headers(address=address, x_team=team, x_user_id=user)
    phase = codec.decode(message)
    assert isinstance(phase, codec.RequestHeaders)
    assigned = evaluate(POLICY, phase.headers)
    salted = salted_key(POLICY.salt, assigned.key) if assigned.key is not None else None
    answer = Stream().receive(message).message
    assert answer is not None
    read = ext_proc_pb2.ProcessingResponse.FromString
    assert read(answer) == read(codec.encode_tag(assigned, salted))


def _message(values: Mapping[str, Sequence[bytes]], user: bytes) -> bytes:
    message = ext_proc_pb2.ProcessingRequest()
    message.request_headers.headers.SetInParent()
    for name, texts in {**values, "x-user": [user, *values.get("x-user", ())[1:]]}.items():
        for text in texts if name != ":source" else ():
            message.request_headers.headers.headers.add(key=name, raw_value=text)
    fields = message.attributes[NAMESPACE].fields
    fields[ATTRIBUTE_SERVICE].string_value = "chat"
    if ":source" in values:
        fields[ATTRIBUTE_SOURCE].string_value = values[":source"][0].decode()
    return message.SerializeToString(deterministic=True)


@settings(deadline=None, max_examples=300)
@given(
    policy=POLICIES,
    requests=st.lists(REQUESTS, min_size=1, max_size=2),
    users=st.lists(st.sampled_from([b"u1", b"u2", b"ab", b"27", b" a", b"\x01", b"x12"]), min_size=3, max_size=8),
    now_s=st.integers(0, 2_000_000),
)
def test_what_is_known_of_a_requests_shape_changes_no_answer(
    policy: ServicePolicy, requests: list[Mapping[str, Sequence[bytes]]], users: list[bytes], now_s: int
) -> None:
    """Requests that differ by their users come again and again, in any order, under policies of all kinds of rules."""
    policy = replace(policy, sticky=(StickySource(StickyKind.HEADER, "x-user"),))
    stream = Stream(PolicySet("p1", {"chat": policy}), files=FILES, now_ms=now_s * 1_000)
    around = Surroundings(
        now_s,
        regex.matches,
        lambda _, text: text.decode("utf-8", "replace") in IDS,
        lambda _, address: PLACES.of(address),
    )
    for user in users:
        for values in requests:
            message = _message(values, user)
            phase = codec.decode(message)
            assert isinstance(phase, codec.RequestHeaders)
            assigned = evaluate(policy, phase.headers, around)
            salted = salted_key(policy.salt, assigned.key) if assigned.key is not None else None
            answer = stream.receive(message).message
            assert answer is not None
            read = ext_proc_pb2.ProcessingResponse.FromString
            assert read(answer) == read(codec.encode_tag(assigned, salted))


def test_new_policies_forget_what_was_known() -> None:
    stream = Stream()
    read = ext_proc_pb2.ProcessingResponse.FromString
    for user in ("u1", "u2", "u3"):
        stream.receive(as_envoy(("x-user-id", user.encode())))
    stream.holder.replace(PolicySet("p2", {"chat": replace(POLICY, salt="r2")}))
    answer = read(stream.receive(as_envoy(("x-user-id", b"u4"))).message or b"")
    key, *_ = (
        o.header.raw_value for o in answer.request_headers.response.header_mutation.set_headers if o.header.key == KEY
    )
    assert key == b"r2:u4"


def test_an_unknown_service_passes_untouched() -> None:
    stream = Stream()
    assert stream.receive(request_headers("other", x_user_id="u1")) == Reply(codec.CONTINUE, is_done=True)
    assert stream.results == {"unknown_service": 1}


def test_before_the_first_policy_everything_passes_untouched() -> None:
    stream = Stream(PolicySet())
    assert stream.receive(request_headers(x_user_id="u1")) == Reply(codec.CONTINUE, is_done=True)


def test_garbage_closes_the_stream_cleanly() -> None:
    """A stream that ends with OK lets the request pass; one that fails would be an error."""
    stream = Stream()
    assert stream.receive(b"\xff") == CLOSE
    assert stream.results == {"bad_message": 1}


def test_a_body_without_headers_is_garbage() -> None:
    assert Stream().receive(response_body(b"x")) == CLOSE


def test_an_observed_stream_ends_with_the_body() -> None:
    stream = Stream()
    assert stream.receive(response_headers("q1")) == MORE
    assert stream.receive(response_body(FINISH[:9])) == MORE
    assert stream.receive(response_body(FINISH[9:], end=True)) == CLOSE
    stream.session.close()
    good = Observation(
        True, True, "stop", has_content=True, content_us=0, tokens_out=1, is_stream=True, is_paced=True, quality=PLAIN
    )
    assert stream.seen == [("q1", good)]
    assert stream.results == {}


@pytest.mark.parametrize(("format_", "badness"), [("json_object", (("invalid_json", 100),)), ("text", ())])
def test_what_a_request_asked_for_is_what_its_answer_is_judged_by(format_: str, badness: Measures) -> None:
    stream = Stream()
    asking = f'{{"response_format": {{"type": "{format_}"}}}}'.encode()
    assert [stream.receive(request_body(piece)) for piece in (asking[:9], asking[9:])] == [MORE, MORE]
    assert stream.receive(response_headers("q1")) == MORE
    assert stream.receive(response_body(FINISH, end=True)) == CLOSE
    ((_, seen),) = stream.seen
    assert seen.quality == PLAIN + badness


def played(stream: Stream, *, feedback_id: str, complete: bool = True) -> list[Rated]:
    stream.receive(request_body(b'{"messages": []}'))
    stream.receive(response_headers("q1", feedback_id=feedback_id))
    stream.receive(response_body(FINISH, end=complete))
    stream.session.close()
    return stream.rated


def test_an_answer_that_was_drawn_and_can_be_scored_goes_to_the_evaluator_whole_with_its_request() -> None:
    assert played(Stream(share_bp=10_000), feedback_id="i.s.v1") == [Rated("i.s.v1", '{"messages": []}', "a")]
    assert played(Stream(), feedback_id="i.s.v1") == []
    assert played(Stream(share_bp=10_000), feedback_id="") == []
    assert played(Stream(share_bp=10_000), feedback_id="i.s.v1", complete=False) == []
    assert played(Stream(share_bp=1), feedback_id="i.s.v1") == []


def test_an_observed_stream_that_breaks_is_reported_incomplete() -> None:
    stream = Stream()
    stream.receive(response_headers("q1"))
    stream.session.close()
    assert stream.seen == [("q1", Observation(observable=True, complete=False, is_stream=True))]


def test_a_response_without_a_body_ends_with_its_headers() -> None:
    stream = Stream()
    assert stream.receive(response_headers("q1", content_type="application/json", end=True)) == CLOSE
    assert stream.seen == [("q1", Observation(observable=True, complete=True))]


def test_what_cannot_be_observed_is_said_and_closed_at_once() -> None:
    stream = Stream()
    assert stream.receive(response_headers("q1", encoding="zstd")) == CLOSE
    assert stream.seen == [("q1", UNOBSERVABLE)]


def test_a_refusal_is_looked_into_for_its_reason() -> None:
    stream = Stream()
    assert stream.receive(response_headers("q1", status="400", content_type="application/json")) == MORE
    assert stream.receive(response_body(b'{"error": {"code": "context_length_exceeded"}}', end=True)) == CLOSE
    ((request_id, seen),) = stream.seen
    assert (request_id, seen.observable, seen.finish_reason) == ("q1", True, "context_too_long")


def test_an_error_status_is_not_looked_into() -> None:
    stream = Stream()
    assert stream.receive(response_headers("q1", status="500")) == CLOSE
    stream.session.close()
    assert stream.seen == []


def test_a_tag_stream_has_no_observation() -> None:
    stream = Stream()
    stream.receive(request_headers(x_user_id="u1"))
    stream.session.close()
    assert stream.seen == []


def _posting(*, is_end: bool = False) -> bytes:
    request = ext_proc_pb2.ProcessingRequest()
    for key, value in ((":method", b"POST"), ("authorization", b"Bearer " + b"t" * 32)):
        request.request_headers.headers.headers.add(key=key, raw_value=value)
    request.request_headers.end_of_stream = is_end
    fields = request.attributes["envoy.filters.http.ext_proc"].fields
    fields["xds.route_metadata.filter_metadata['serinus']['feedback']"].string_value = "1"
    return bytes(request.SerializeToString())


def _posted(body: bytes | None) -> list[Reply]:
    holder = PolicyHolder(10_000)
    policy = replace(POLICY, feedback=FeedbackPolicy(b"k" * 32, "chat.feedback"))
    holder.replace(PolicySet("p1", {"chat": policy}), Files(keys={"chat.feedback": (b"t" * 32,)}))
    catalogue = Catalogue()
    desk = FeedbackDesk(holder, catalogue.feedback)
    session = ProcessSession(holder, catalogue.requests, lambda *_: None, ManualClock(), feedback=desk)
    replies = [session.receive(_posting(is_end=body is None))]
    if body is not None:
        request = ext_proc_pb2.ProcessingRequest()
        request.request_body.body = body
        replies.append(session.receive(bytes(request.SerializeToString())))
    session.close()
    return replies


@pytest.mark.parametrize("body", [b'{"request_id": "x", "score": 1}', None])
def test_feedback_is_answered_by_us_once_its_body_is_there(body: bytes | None) -> None:
    *before, last = _posted(body)
    assert before == ([Reply(codec.CONTINUE, is_done=False)] if body else [])
    immediate = ext_proc_pb2.ProcessingResponse.FromString(last.message or b"").immediate_response
    assert (last.is_done, immediate.status.code) == (True, 404 if body else 400)
    assert json.loads(immediate.body)["error"]


def test_without_a_desk_feedback_is_left_to_the_route() -> None:
    catalogue = Catalogue()
    session = ProcessSession(PolicyHolder(10_000), catalogue.requests, lambda *_: None, ManualClock())
    assert session.receive(_posting(is_end=True)) == Reply(None, is_done=True)
