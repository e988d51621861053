"""What clients may tell the sidecar, and every way in which they may not."""

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from extproc.cohort.files import Files
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.feedback.desk import BURST, FeedbackDesk
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.feedback import AGE_S_MAX, Feedback, Said, Stamper
from serinus.contract.policy import FeedbackPolicy
from tests.unit.extproc.messages import POLICY

KEY, NOW_MS = b"k" * 32, 1_790_000_000_000
TOKEN, OTHERS = b"t" * 32, b"o" * 32
BEARER = (b"Bearer " + TOKEN,)


class Posted:
    """Service chat with a token, sing with another, and talk with none."""

    def __init__(self, waiting_max: int = 100) -> None:
        self.holder = PolicyHolder(10_000)
        self.counts = Catalogue().feedback
        files = {"chat": "chat.feedback", "sing": "sing.feedback", "talk": ""}
        policies = {
            name: replace(POLICY, service=name, feedback=FeedbackPolicy(KEY, file)) for name, file in files.items()
        }
        policies["mute"] = replace(POLICY, service="mute")
        self.holder.replace(
            PolicySet("p1", policies), Files(keys={"chat.feedback": (b"x" * 32, TOKEN), "sing.feedback": (OTHERS,)})
        )
        self.desk = FeedbackDesk(self.holder, self.counts, waiting_max=waiting_max)

    def post(
        self,
        body: bytes | dict[str, Any],
        authorization: tuple[bytes, ...] = BEARER,
        method: bytes = b"POST",
        now_ms: int = NOW_MS,
    ) -> tuple[int, str]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.desk.post(method=method, authorization=authorization, body=raw, now_ms=now_ms)
        return answer.status, json.loads(answer.text).get("error", "")

    def counted(self) -> dict[str, int]:
        return {labels[0]: count for labels, count in self.counts.values.items()}


def an_id(service: str = "chat", *, key: bytes = KEY, start_s: int = NOW_MS // 1000) -> str:
    return Stamper(key, service, "everyone", itertools.count(1)).stamp(start_s, 5).decode() + ".0123456789abcdef.v2"


def test_what_a_client_tells_waits_for_the_control_plane_and_goes_once() -> None:
    here = Posted()
    assert here.post({"request_id": an_id(), "thumb": "up"}) == (202, "")
    assert (
        here.post({"request_id": an_id(), "label": {"predicted": True, "actual": False}, "event": "bought"})[0] == 202
    )
    first, second = here.desk.waiting()
    assert isinstance(first, Feedback)
    assert (first.service, first.request.version, first.said) == ("chat", "v2", Said(score=1.0))
    assert second.said == Said(predicted=True, actual=False, event="bought")
    assert here.desk.waiting() == ()
    assert here.counted() == {"accepted": 2}


@pytest.mark.parametrize(
    ("body", "authorization", "status", "words"),
    [
        (b"", BEARER, 400, "no JSON"),
        (b"[]", BEARER, 400, "JSON object"),
        (b"\xff", BEARER, 400, "no UTF-8"),
        (b"[" * 10_000, BEARER, 400, "nested too deep"),
        (b"9" * 10_000, BEARER, 400, "a number of 10000 digits"),
        (b'{"request_id": "x", "score": NaN}', BEARER, 400, "NaN is no number"),
        (b'{"request_id": "x", "score": 0, "score": 1}', BEARER, 400, "stands twice"),
        ({"score": 1.0}, BEARER, 400, "request_id is the text"),
        ({"request_id": 5, "score": 1.0}, BEARER, 400, "request_id is the text"),
        ({"request_id": an_id(), "score": 2.0}, BEARER, 400, "outside 0..1"),
        ({"request_id": an_id(), "score": 10**399}, BEARER, 400, "no finite number"),
        ({"request_id": an_id()}, BEARER, 400, "nothing is said"),
        ({"request_id": an_id(), "score": 1.0}, (), 401, "no bearer token"),
        ({"request_id": an_id(), "score": 1.0}, (b"Bearer " + TOKEN[1:],), 401, "no bearer token"),
        ({"request_id": an_id(), "score": 1.0}, (b"Basic " + TOKEN,), 401, "no bearer token"),
        ({"request_id": an_id(), "score": 1.0}, (*BEARER, *BEARER), 401, "no bearer token"),
        ({"request_id": an_id(), "score": 1.0}, (b"Bearer ",), 401, "no bearer token"),
        ({"request_id": an_id(), "score": 1.0}, (b"Bearer " + OTHERS,), 401, "for another service"),
        ({"request_id": an_id("talk"), "score": 1.0}, BEARER, 401, "for another service"),
        ({"request_id": an_id("mute"), "score": 1.0}, BEARER, 404, "no request of this installation"),
        ({"request_id": an_id(key=b"j" * 32), "score": 1.0}, BEARER, 404, "no request of this installation"),
        ({"request_id": "4e7a5f0e-0b7a-9d3c", "score": 1.0}, BEARER, 404, "no request of this installation"),
        ({"request_id": an_id(start_s=NOW_MS // 1000 + 61), "score": 1.0}, BEARER, 404, "no request"),
        (
            {"request_id": an_id(start_s=NOW_MS // 1000 - AGE_S_MAX - 1), "score": 1.0},
            BEARER,
            410,
            "older than 30 days",
        ),
        ({"request_id": an_id(), "score": 1.0, "event": "x" * 17_000}, BEARER, 413, "at most 16384"),
    ],
)
def test_bad_input_is_answered_in_words_and_goes_nowhere(
    body: bytes | dict[str, Any], authorization: tuple[bytes, ...], status: int, words: str
) -> None:
    here = Posted()
    answered, error = here.post(body, authorization)
    assert (answered, words in error) == (status, True), error
    assert here.desk.waiting() == ()
    assert sum(here.counted().values()) == 1


def test_another_method_than_post_is_refused() -> None:
    assert Posted().post(b"", method=b"GET")[0] == 405


def test_too_fast_is_refused_for_a_while_and_strangers_use_up_nothing() -> None:
    here = Posted(waiting_max=10 * BURST)
    body = {"request_id": an_id(), "score": 1.0}
    for _ in range(BURST):
        here.post(body, ())
    assert {here.post(body)[0] for _ in range(BURST)} == {202}
    assert here.post(body)[0] == 429
    assert here.post(body, now_ms=NOW_MS + 1_000)[0] == 202
    assert here.counted() == {"unauthorized": BURST, "accepted": BURST + 1, "too_fast": 1}


def test_what_has_no_room_is_refused_and_counted() -> None:
    here = Posted(waiting_max=1)
    body = {"request_id": an_id(), "score": 1.0}
    assert [here.post(body)[0] for _ in range(2)] == [202, 503]
    here.desk.waiting()
    assert here.post(body)[0] == 202


def test_a_token_that_was_renewed_and_a_policy_that_ended_count_at_once() -> None:
    here = Posted()
    body = {"request_id": an_id(), "score": 1.0}
    here.holder.replace(here.holder.current, Files(keys={"chat.feedback": (b"n" * 32,), "sing.feedback": (OTHERS,)}))
    assert [here.post(body)[0], here.post(body, (b"bearer " + b"n" * 32,))[0]] == [401, 202]
    here.holder.replace(PolicySet("p2", {"mute": replace(POLICY, service="mute")}), Files())
    assert here.post(body, (b"Bearer " + b"n" * 32,))[0] == 401


def test_what_the_sidecars_own_evaluator_says_needs_no_token_but_an_id_of_ours_and_room() -> None:
    here = Posted(waiting_max=1)
    assert not here.desk.rated(an_id(key=b"z" * 32), 0.5, NOW_MS)
    assert not here.desk.rated(an_id("mute"), 0.5, NOW_MS)
    assert not here.desk.rated(an_id(start_s=NOW_MS // 1000 - AGE_S_MAX - 1), 0.5, NOW_MS)
    assert here.desk.rated(an_id("talk"), 0.5, NOW_MS)
    assert not here.desk.rated(an_id(), 0.5, NOW_MS)
    (told,) = here.desk.waiting()
    assert (told.service, told.said) == ("talk", Said(score=0.5))
