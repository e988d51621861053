from hypothesis import given
from hypothesis import strategies as st

from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.processing import codec
from extproc.processing.session import ProcessSession, Reply
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.bucket import salted_key
from serinus.contract.policy import evaluate
from serinus.envoywire import ext_proc_pb2
from tests.unit.extproc.clocks import ManualClock
from tests.unit.extproc.messages import POLICY, request_headers, response_body, response_headers

FINISH = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
CLOSE = Reply(None, is_done=True)
MORE = Reply(None, is_done=False)


class Stream:
    """One stream and what came out of it."""

    def __init__(self, *policies: PolicySet) -> None:
        self.catalogue = Catalogue()
        self.seen: list[tuple[str, Observation]] = []
        holder = PolicyHolder(10_000)
        for policy in policies or (PolicySet("p1", {"chat": POLICY}),):
            holder.replace(policy)
        observed = lambda *seen: self.seen.append(seen)  # noqa: E731
        self.session = ProcessSession(holder, self.catalogue.requests, observed, ManualClock())
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
    good = Observation(observable=True, complete=True, finish_reason="stop", has_content=True)
    assert stream.seen == [("q1", good)]
    assert stream.results == {}


def test_an_observed_stream_that_breaks_is_reported_incomplete() -> None:
    stream = Stream()
    stream.receive(response_headers("q1"))
    stream.session.close()
    assert stream.seen == [("q1", Observation(observable=True, complete=False))]


def test_a_response_without_a_body_ends_with_its_headers() -> None:
    stream = Stream()
    assert stream.receive(response_headers("q1", content_type="application/json", end=True)) == CLOSE
    assert stream.seen == [("q1", Observation(observable=True, complete=True))]


def test_what_cannot_be_observed_is_said_and_closed_at_once() -> None:
    stream = Stream()
    assert stream.receive(response_headers("q1", encoding="gzip")) == CLOSE
    assert stream.seen == [("q1", UNOBSERVABLE)]


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
