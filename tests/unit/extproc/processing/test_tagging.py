from dataclasses import replace

from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.processing import codec
from extproc.processing.tagging import Tagging
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.bucket import key_hash
from serinus.contract.feedback import RequestId, cohort_code, request_of
from serinus.contract.policy import FeedbackPolicy, ServicePolicy
from serinus.envoywire import ext_proc_pb2
from tests.unit.extproc.clocks import ManualClock
from tests.unit.extproc.messages import POLICY
from tests.unit.extproc.processing.test_scan import as_envoy


class Tagged:
    """The tagging of one service; what it counted. `is_late`: answers are late already."""

    def __init__(self, policy: ServicePolicy = POLICY) -> None:
        self.is_late = False
        self.requests = Catalogue().requests
        holder = PolicyHolder(10_000)
        holder.replace(PolicySet("p1", {"chat": policy}))
        self.tagging = Tagging(holder, self.requests, ManualClock(), lambda: self.is_late)

    def read(self, message: bytes) -> bytes:
        request = codec.tag_request(message)
        assert request is not None
        self.tagging.learn(message, *request)
        return self.tagging.answer(*request)

    def counted(self) -> dict[str, int]:
        return {labels[0]: count for labels, count in self.requests.values.items()}


def of(user: bytes, team: bytes = b"web") -> bytes:
    return as_envoy(("x-team", team), ("x-user-id", user))


def key_in(answer: bytes) -> bytes:
    options = ext_proc_pb2.ProcessingResponse.FromString(answer).request_headers.response.header_mutation.set_headers
    return next((option.header.raw_value for option in options if option.header.key == "x-serinus-key"), b"")


def test_a_shape_that_was_read_twice_is_answered_at_once() -> None:
    tagged = Tagged()
    for user in (b"u1", b"u2"):
        assert tagged.tagging.at_once(of(user)) is None
        tagged.read(of(user))
    assert tagged.counted() == {"tagged": 2}
    assert key_in(tagged.tagging.at_once(of(b"u3")) or b"") == b"r1:u3"
    assert tagged.counted() == {"tagged": 3}
    assert tagged.tagging.at_once(of(b"u3", b"ml")) is None
    assert tagged.counted() == {"tagged": 3}


def test_a_shape_that_settles_the_pin_settles_it_for_every_user() -> None:
    tagged = Tagged()
    for user in (b"u1", b"u2"):
        tagged.read(of(user, b"ml"))
    answer = tagged.tagging.at_once(of(b"u3", b"ml"))
    assert answer is not None
    assert b"x-serinus-pin" in answer
    assert tagged.counted() == {"pinned": 3}


def test_a_key_that_is_none_is_left_to_be_read() -> None:
    tagged = Tagged()
    for user in (b"u1", b"u2"):
        tagged.read(of(user))
    assert tagged.tagging.at_once(of(b"\x01\x02")) is None
    assert tagged.counted() == {"tagged": 2}
    tagged.read(of(b"\x01\x02"))
    assert tagged.counted() == {"tagged": 2, "no_key": 1}


def test_nothing_is_answered_at_once_when_answers_are_late() -> None:
    tagged = Tagged()
    for user in (b"u1", b"u2"):
        tagged.read(of(user))
    tagged.is_late = True
    assert tagged.tagging.at_once(of(b"u3")) is None
    assert tagged.counted() == {"tagged": 2}


def test_a_service_without_a_policy_is_never_known() -> None:
    tagged = Tagged()
    message = of(b"u1").replace(b"\x1a\x04chat", b"\x1a\x04talk")
    for _ in range(3):
        assert tagged.read(message) == codec.CONTINUE
    assert tagged.tagging.at_once(message) is None
    assert tagged.counted() == {"unknown_service": 3}


def stamped(answer: bytes | None) -> RequestId | None:
    fields = ext_proc_pb2.ProcessingResponse.FromString(answer or b"").dynamic_metadata.fields
    text = fields["serinus"].struct_value.fields["stamp"].string_value
    return request_of(b"k" * 32, f"{text}.s1.v1")


def test_requests_of_a_service_with_feedback_are_stamped_both_ways() -> None:
    tagged = Tagged(replace(POLICY, feedback=FeedbackPolicy(b"k" * 32)))
    for user in (b"u1", b"u2"):
        tagged.read(of(user))
    at_once, read = stamped(tagged.tagging.at_once(of(b"u3"))), stamped(tagged.read(of(b"u3")))
    assert at_once is not None
    assert read is not None
    assert at_once.request != read.request
    assert replace(at_once, request=0) == replace(read, request=0)
    assert (at_once.key, at_once.start_s) == (key_hash("r1", b"u3"), ManualClock().now_ms() // 1_000)


def test_a_request_without_a_key_is_stamped_too() -> None:
    tagged = Tagged(replace(POLICY, feedback=FeedbackPolicy(b"k" * 32)))
    found = stamped(tagged.read(of(b"\x01\x02")))
    assert found is not None
    assert (found.key, found.cohort) == (0, cohort_code("no_key"))
