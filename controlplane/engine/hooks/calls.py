"""What a hook's request says, what its answer means, and when it is asked again. Pure; no secret comes by here."""

import json
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from controlplane.manifest.hook import Hook
from controlplane.rollout.model import HookRun, Rollout, ended_at_ms_of, weight_bp_of

# What a server says about itself in a refusal: enough for a sentence, not for a page.
REPLY_CHARS_MAX = 200
# Refusals that pass by themselves (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4).
ASK_AGAIN = frozenset({408, 425, 429})
BACKOFF_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class HookCall:
    """One request. `headers` may hold a credential: it is never shown."""

    url: str
    body: bytes
    timeout_s: float
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HookReply:
    """`status` 0: there was no answer, and `text` says why; else the begin of the answer's body."""

    status: int
    text: str = ""

    @property
    def is_yes(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """Asking again would change nothing."""
        return self.is_yes or (400 <= self.status < 500 and self.status not in ASK_AGAIN)


class HookCaller(Protocol):
    async def call(self, call: HookCall, /) -> HookReply:
        """Never raises for what a server or the network does."""


class NoHooks:
    """A control plane that calls nobody."""

    async def call(self, _: HookCall, /) -> HookReply:
        return HookReply(0, "this control plane makes no calls")


def call_of(rollout: Rollout, run: HookRun, index: int, hook: Hook, headers: dict[str, str]) -> HookCall:
    """The request of one hook of a run. `headers`: the credential's."""
    key = f"{run.key}/{index}"
    body = {
        "hook": run.kind,
        "key": key,
        "rollout": rollout.name,
        "service": rollout.spec.service,
        "baseline": rollout.baseline,
        "candidate": rollout.spec.candidate,
        "phase": rollout.phase.kind,
        "weight_bp": weight_bp_of(rollout),
        "next_weight_bp": _next_bp(rollout, run),
        "reason": getattr(rollout.phase, "reason", ""),
    }
    text = json.dumps(body, sort_keys=True).encode()
    own = {"content-type": "application/json", "idempotency-key": key, "user-agent": "serinus"}
    return HookCall(hook.url, text, hook.timeout_ms / 1000, {**own, **headers})


def _next_bp(rollout: Rollout, run: HookRun) -> int:
    """The weight that begins if the hooks say yes; after the end the weight that stays."""
    if ended_at_ms_of(rollout):
        return weight_bp_of(rollout)
    return rollout.spec.weights_bp[int(run.key.split("/")[-2])]


def refusal(run: HookRun, hook: Hook, reply: HookReply, calls: int, secret: str) -> str:
    """Why a run has failed, in a sentence. Queries and credentials are left out, also where a server repeats them."""
    parts = urlsplit(hook.url)
    where = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    said = "".join(char if char.isprintable() else " " for char in reply.text)
    if secret:
        said = said.replace(secret, "***")
    said = " ".join(said.split())[:REPLY_CHARS_MAX]
    status = f"answered {reply.status}" if reply.status else "gave no answer"
    often = f" ({calls} calls)" if calls > 1 else ""
    return f"{run.kind} hook {where} {status}{often}" + (f": {said}" if said else "")


def backoff_s(call: int) -> float:
    """Between a call that brought nothing, the first being 1, and the next."""
    return min(BACKOFF_S_MAX, 2.0 ** min(call - 1, 10))
