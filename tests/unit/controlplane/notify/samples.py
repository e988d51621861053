"""A notice, and records of a rollout, for tests to bend."""

from typing import Any

from controlplane.manifest.notify import Occasion, Target
from controlplane.notify.notice import Notice
from controlplane.rollout.model import Observing, Phase, Rollout
from controlplane.rollout.transition import Action
from controlplane.store.journal import encode
from controlplane.store.port import Record
from tests.unit.controlplane.rollout.facts import T0_MS, rollout


def notice(serial: int = 1, occasion: Occasion = Occasion.ROLLED_BACK, **more: Any) -> Notice:
    fields: dict[str, Any] = {
        "id": f"chat-v2/{serial}/{occasion}",
        "occasion": occasion,
        "event": occasion.value,
        "rollout": "chat-v2",
        "service": "chat",
        "baseline": "v1",
        "candidate": "v2",
        "phase": "rolling_back",
        "weight_bp": 0,
        "reason": "worse",
        "text": "errors: candidate 40 of 90 users, baseline 1 of 800: worse",
        "actor": "",
        "at_ms": T0_MS,
        "serial": serial,
    }
    return Notice(**(fields | more))


def target(**fields: Any) -> Target:
    return Target.model_validate(fields or {"webhook": "http://127.0.0.1:9000/hook"})


def record(serial: int, code: str, *, moved: bool = False, after_s: float = 0.0, **more: Any) -> Record:
    phase: Phase = more.pop("phase", Observing(0, T0_MS))
    state: Rollout = rollout(phase)
    return Record(
        rollout="chat-v2",
        revision=more.pop("revision", state.revision),
        at_ms=T0_MS + round(after_s * 1000),
        moved=moved,
        state=encode(state),
        action=more.pop("action", Action.HOLD),
        code=code,
        text=more.pop("text", f"because of {code}"),
        actor=more.pop("actor", ""),
        serial=serial,
    )
