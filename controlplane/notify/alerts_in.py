"""Alertmanager's webhook (version 4) into alerts about rollouts. Pure; what it cannot use it says, it never guesses.

An alert is ours by its labels: `serinus_rollout`, or `serinus_service` and perhaps `serinus_version`. What it asks for
is `serinus_action`, an annotation or a label.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.engine.incoming import Firing
from controlplane.errors import SerinusError
from controlplane.manifest.alerts import OnFiring

VERSION = "4"
ALERTS_MAX = 1_000
# A name and a summary become part of a sentence.
NAME_CHARS_MAX, SUMMARY_CHARS_MAX = 80, 200
ROLLOUT, SERVICE, RELEASE, ACTION = LABELS = ("serinus_rollout", "serinus_service", "serinus_version", "serinus_action")


class AlertPayloadError(SerinusError):
    """A request that is no webhook of Alertmanager's."""

    code = "alert_payload"


@dataclass(frozen=True, slots=True)
class Incoming:
    """`resolved`: keys. `ignored`: how many name no rollout and no service of ours."""

    firing: tuple[Firing, ...]
    resolved: frozenset[str]
    ignored: int


def incoming_of(body: bytes, now_ms: int) -> Incoming:
    """Raises AlertPayloadError."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise _refused("the body is no JSON") from None
    if not isinstance(payload, dict) or payload.get("version") != VERSION:
        raise _refused(f"the body is no webhook of version {VERSION}")
    alerts = payload.get("alerts")
    if not isinstance(alerts, list) or len(alerts) > ALERTS_MAX:
        raise _refused(f"`alerts` is no list of at most {ALERTS_MAX}")
    firing, resolved, ignored = [], set(), 0
    for index, alert in enumerate(alerts):
        found = _alert(alert, f"alerts[{index}]", now_ms)
        if not found.rollout and not found.service:
            ignored += 1
        elif alert["status"] == "resolved":
            resolved.add(found.key)
        else:
            firing.append(found)
    return Incoming(tuple(firing), frozenset(resolved), ignored)


def _alert(alert: object, where: str, now_ms: int) -> Firing:
    if not isinstance(alert, dict) or alert.get("status") not in ("firing", "resolved"):
        raise _refused(f"{where}.status is neither firing nor resolved")
    labels, notes = _texts(alert, "labels", where), _texts(alert, "annotations", where)
    action = notes.get(ACTION, labels.get(ACTION, ""))
    return Firing(
        key=_key(alert, labels),
        name=_shown(labels.get("alertname", "without a name"), NAME_CHARS_MAX),
        rollout=_shown(labels.get(ROLLOUT, ""), NAME_CHARS_MAX),
        service=_shown(labels.get(SERVICE, ""), NAME_CHARS_MAX),
        version=_shown(labels.get(RELEASE, ""), NAME_CHARS_MAX),
        # A word that is none asks for the milder of both.
        action=action if action in ("", *OnFiring) else OnFiring.HOLD,
        summary=_shown(notes.get("summary", notes.get("description", "")), SUMMARY_CHARS_MAX),
        since_ms=_time_ms(alert.get("startsAt"), now_ms),
        seen_ms=now_ms,
    )


def _texts(alert: Mapping[str, Any], key: str, where: str) -> Mapping[str, str]:
    found = alert.get(key, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _refused(f"{where}.{key} is no mapping of texts")
    return found


def _key(alert: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """An alert is its labels; Alertmanager's fingerprint is their hash."""
    fingerprint = alert.get("fingerprint")
    if isinstance(fingerprint, str) and 0 < len(fingerprint) <= NAME_CHARS_MAX:
        return fingerprint
    return json.dumps(labels, sort_keys=True)[:1_000]


def _time_ms(value: object, now_ms: int) -> int:
    """A time that cannot be read, or has not come, is now."""
    try:
        at_ms = round(datetime.fromisoformat(str(value)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return now_ms
    return min(max(at_ms, 0), now_ms)


def _shown(text: str, chars_max: int) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:chars_max]


def _refused(what: str) -> AlertPayloadError:
    return AlertPayloadError(what, next_step="send what Alertmanager's webhook_configs send (docs/alerts.md)")
