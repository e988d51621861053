"""What a stress test may ask: how much, for how long, of whom, and in which words. Pure; every bound has its reason.

It is one test of one version, asked for by a person: paced, never repeated, no request sent twice.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from controlplane.errors import SerinusError
from controlplane.local.demo.load import PATH, RECORDS_MAX, LoadPlan
from controlplane.local.demo.prompts import chat_request

# At this rate the test added 1.4 ms to a first token of 20 ms (p95 2.2 ms); far beyond it would measure itself.
RPS_MAX = 200.0
DURATION_S_MAX = 600.0
CONCURRENCY_MAX = 512
PROMPTS_MAX = 10_000
PROMPT_FILE_BYTES_MAX = 16 * 1024 * 1024
TOKENS_MAX = 4_096
URLS_MAX = 100


class StressError(SerinusError):
    """A test that is not made. `message` says what to change."""

    code = "stress"


@dataclass(frozen=True, slots=True)
class StressAsk:
    """`urls`: where; `rps` over `duration_s`, at most `concurrency` at a time."""

    urls: tuple[str, ...]
    rps: float
    duration_s: float
    concurrency: int
    timeout_s: float
    streams: bool
    model: str
    max_tokens: int
    prompts: tuple[str, ...] = ()


def checked(ask: StressAsk) -> StressAsk:
    """As it is. Raises StressError for one beyond the bounds."""
    for name, value, least, most in (
        ("--rps", ask.rps, 0.01, RPS_MAX),
        ("--duration", ask.duration_s, 1.0, DURATION_S_MAX),
        ("--concurrency", ask.concurrency, 1, CONCURRENCY_MAX),
        ("--timeout", ask.timeout_s, 0.1, DURATION_S_MAX),
        ("--max-tokens", ask.max_tokens, 1, TOKENS_MAX),
    ):
        if not least <= value <= most:
            raise StressError(f"{name} {value:g} is not between {least:g} and {most:g}")
    if not 0 < len(ask.urls) <= URLS_MAX:
        raise StressError(f"{len(ask.urls)} servers to ask; next: give 1 to {URLS_MAX}")
    if ask.rps * ask.duration_s > RECORDS_MAX:
        raise StressError(f"{ask.rps * ask.duration_s:.0f} requests are more than {RECORDS_MAX}")
    return ask


def plan_of(ask: StressAsk) -> LoadPlan:
    """An open loop: the rate stands, whatever the servers do. Everything that was sent is waited for."""
    return LoadPlan(
        clients=ask.concurrency,
        rate_per_s=ask.rps,
        urls=ask.urls,
        bodies=tuple(json.dumps(body).encode() for body in bodies(ask)),
        streams=ask.streams,
        timeout_s=ask.timeout_s,
        drain_s=ask.timeout_s + 1.0,
    )


def bodies(ask: StressAsk) -> list[dict[str, Any]]:
    """A request for each prompt; without any, the demo's questions."""
    own = {"model": ask.model, "max_tokens": ask.max_tokens, "stream": ask.streams}
    if ask.streams:
        # Tokens as the server counts them; who does not know the option leaves it out.
        own["stream_options"] = {"include_usage": True}
    if not ask.prompts:
        return [chat_request(ask.model, question) | own for question in range(40)]
    return [{"messages": [{"role": "user", "content": prompt}], **own} for prompt in ask.prompts]


def prompts_of(text: str) -> tuple[str, ...]:
    """One a line, blank lines left out. Raises StressError."""
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not 0 < len(found) <= PROMPTS_MAX:
        raise StressError(f"--prompt-file holds {len(found)} prompts; next: write 1 to {PROMPTS_MAX}, one a line")
    return found


def url_of(text: str) -> str:
    """A server's address, or the whole URL of its chat completions. Raises StressError."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.username is not None:
        raise StressError(f"--url {text!r} is no URL; next: write http://HOST:PORT")
    return text if parts.path not in ("", "/") else f"{parts.scheme}://{parts.netloc}{PATH}"


def endpoint_urls(endpoints: Sequence[str]) -> tuple[str, ...]:
    """Of a version's own servers."""
    return tuple(f"http://{endpoint}{PATH}" for endpoint in endpoints)
