"""The bounds of a stress test, and what it asks."""

import json
from dataclasses import replace

import pytest

from controlplane.local.demo.load import PATH
from controlplane.local.stress.ask import (
    CONCURRENCY_MAX,
    DURATION_S_MAX,
    PROMPTS_MAX,
    RPS_MAX,
    URLS_MAX,
    StressAsk,
    StressError,
    bodies,
    checked,
    endpoint_urls,
    plan_of,
    prompts_of,
    url_of,
)

ASK = StressAsk(("http://127.0.0.1:1" + PATH,), 5.0, 30.0, 64, 30.0, True, "chat", 64)


@pytest.mark.parametrize(
    "beyond",
    [
        {"rps": RPS_MAX + 1},
        {"rps": 0.0},
        {"rps": float("nan")},
        {"duration_s": DURATION_S_MAX + 1},
        {"duration_s": 0.0},
        {"concurrency": 0},
        {"concurrency": CONCURRENCY_MAX + 1},
        {"timeout_s": 0.0},
        {"max_tokens": 0},
        {"urls": ()},
        {"urls": ("http://x/",) * (URLS_MAX + 1)},
    ],
)
def test_nothing_beyond_the_bounds_is_asked(beyond: dict[str, object]) -> None:
    with pytest.raises(StressError):
        checked(replace(ASK, **beyond))  # type: ignore[arg-type]
    assert checked(ASK) is ASK


def test_the_longest_test_at_the_highest_rate_is_within_what_is_kept() -> None:
    checked(replace(ASK, rps=RPS_MAX, duration_s=DURATION_S_MAX))


def test_each_prompt_becomes_a_request() -> None:
    asked = bodies(replace(ASK, prompts=("Hello?",), streams=False))
    messages = [{"role": "user", "content": "Hello?"}]
    assert asked == [{"messages": messages, "model": "chat", "max_tokens": 64, "stream": False}]
    assert all(body["stream_options"] == {"include_usage": True} for body in bodies(ASK))
    assert json.loads(plan_of(ASK).bodies[0])["max_tokens"] == 64


def test_a_prompt_file_is_one_prompt_a_line() -> None:
    assert prompts_of("a\n\n  b \n") == ("a", "b")
    for wrong in ("", "\n \n", "x\n" * (PROMPTS_MAX + 1)):
        with pytest.raises(StressError):
            prompts_of(wrong)


def test_a_server_is_asked_where_completions_are() -> None:
    assert url_of("http://127.0.0.1:8001") == url_of("http://127.0.0.1:8001/") == "http://127.0.0.1:8001" + PATH
    assert url_of("https://models.internal/chat") == "https://models.internal/chat"
    assert endpoint_urls(["[::1]:8001"]) == ("http://[::1]:8001" + PATH,)
    for wrong in ("127.0.0.1:8001", "ftp://x", "http://", "http://ada:secret@x/", "http://[::1"):
        with pytest.raises(StressError):
            url_of(wrong)
