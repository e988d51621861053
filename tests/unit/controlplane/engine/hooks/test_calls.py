"""What a hook is told, what its answer means, and what a refusal says and does not say."""

import json

import pytest

from controlplane.engine.hooks.calls import HookReply, backoff_s, call_of, refusal
from controlplane.manifest.hook import Hook
from controlplane.rollout.model import HookKind, HookRun, Observing, RolledBack
from tests.unit.controlplane.rollout.facts import T0_MS, rollout

RUN = HookRun(HookKind.BEFORE_STEP, f"chat-v2/{T0_MS}/before_step/1/1", T0_MS)
HOOK = Hook.model_validate({"url": "https://gate.example.com:8443/ask?token=query-secret", "timeout": "2s"})


def test_a_call_says_what_is_about_to_happen_and_carries_the_key() -> None:
    call = call_of(rollout(Observing(0, T0_MS)), RUN, 3, HOOK, {"authorization": "Bearer s3cret"})
    assert json.loads(call.body) == {
        "baseline": "v1",
        "candidate": "v2",
        "hook": "before_step",
        "key": f"{RUN.key}/3",
        "next_weight_bp": 5000,
        "phase": "observing",
        "reason": "",
        "rollout": "chat-v2",
        "service": "chat",
        "weight_bp": 1000,
    }
    assert call.headers["idempotency-key"] == f"{RUN.key}/3"
    assert (call.url, call.timeout_s) == (HOOK.url, 2.0)
    assert "s3cret" not in repr(call)


def test_after_the_end_the_reason_is_told() -> None:
    body = json.loads(call_of(rollout(RolledBack("worse", T0_MS)), RUN, 0, HOOK, {}).body)
    assert (body["reason"], body["weight_bp"], body["next_weight_bp"]) == ("worse", 0, 0)


@pytest.mark.parametrize(
    ("status", "is_yes", "is_final"),
    [(200, True, True), (204, True, True), (301, False, False), (403, False, True), (409, False, True)]
    + [(status, False, False) for status in (0, 408, 425, 429, 500, 503)],
)
def test_what_an_answer_means(status: int, is_yes: bool, is_final: bool) -> None:
    assert (HookReply(status).is_yes, HookReply(status).is_final) == (is_yes, is_final)


def test_a_refusal_names_the_server_and_its_words_but_no_secret() -> None:
    reply = HookReply(409, "closed\r\nBearer s3cret \x1b[31m" + "x" * 500)
    text = refusal(RUN, HOOK, reply, 1, "s3cret")
    assert text.startswith("before_step hook https://gate.example.com:8443/ask answered 409: closed Bearer *** [31mxxx")
    assert len(text) < 300
    assert "secret" not in text.replace("***", "")
    assert refusal(RUN, HOOK, HookReply(0, "none within 2 s"), 4, "") == (
        "before_step hook https://gate.example.com:8443/ask gave no answer (4 calls): none within 2 s"
    )


def test_the_pauses_grow_and_stay_bounded() -> None:
    assert [backoff_s(call) for call in (1, 2, 3, 4, 5, 5_000)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
