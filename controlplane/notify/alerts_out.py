"""What an Alertmanager is told: which alerts fire, again and again, and once that one does no more. Pure, no clock.

It forgets what is not repeated: each time an alert is told that it ends some minutes later, so one whose control plane
has gone ends by itself.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from controlplane.manifest.notify import Occasion
from controlplane.notify.notice import Notice, rfc3339

EVERY_MS = 60_000
# Three repetitions may be lost.
LASTS_MS = 4 * EVERY_MS
NAMES = {
    Occasion.HOLD: "SerinusRolloutHeld",
    Occasion.APPROVAL: "SerinusApprovalNeeded",
    Occasion.DRIFT: "SerinusDrift",
    Occasion.DRY_RUN: "SerinusDryRunWorse",
    Occasion.ROLLED_BACK: "SerinusRolledBack",
    Occasion.ALERT: "SerinusAlertRule",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as it was sent last."""

    notice: Notice
    at_ms: int


class AlertBook:
    """What one Alertmanager knows of us."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    @property
    def is_empty(self) -> bool:
        """It knows of nothing that fires."""
        return not self._told

    def due(self, standing: Collection[Notice], now_ms: int) -> bytes:
        """The body of a request that is due; b"": there is none."""
        firing = {each.id: each for each in standing if each.occasion in NAMES}
        rows = [_row(each, now_ms + LASTS_MS) for each in firing.values() if self._is_due(each, now_ms)]
        rows += [_row(told.notice, now_ms) for key, told in self._told.items() if key not in firing]
        return json.dumps(rows, sort_keys=True).encode() if rows else b""

    def _is_due(self, notice: Notice, now_ms: int) -> bool:
        told = self._told.get(notice.id)
        return told is None or now_ms - told.at_ms >= EVERY_MS or told.notice.text != notice.text

    def taken(self, standing: Collection[Notice], now_ms: int) -> None:
        """It has that request."""
        firing = {each.id: each for each in standing if each.occasion in NAMES}
        due = {key: Told(each, now_ms) for key, each in firing.items() if self._is_due(each, now_ms)}
        self._told = {key: told for key, told in self._told.items() if key in firing} | due


def _row(notice: Notice, ends_ms: int) -> Mapping[str, object]:
    """Labels are what an alert is, so nothing that changes while it lasts is one of them."""
    severity = "page" if notice.occasion is Occasion.ROLLED_BACK else "ticket"
    return {
        "labels": {
            "alertname": NAMES[notice.occasion],
            "notice": notice.id,
            "severity": severity,
            "service": notice.service,
            "rollout": notice.rollout,
            "version": notice.candidate,
        }
        | dict(notice.labels),
        "annotations": {
            "summary": notice.title,
            "description": notice.text,
            "reason": notice.reason,
            "phase": notice.phase,
            "next": notice.next_step,
        },
        "startsAt": rfc3339(notice.at_ms),
        "endsAt": rfc3339(ends_ms),
    }
