"""What an Alertmanager is sent: at once, again each minute, and once more when it is over."""

import json
from typing import Any

from controlplane.manifest.notify import Occasion
from controlplane.notify.alerts_out import EVERY_MS, LASTS_MS, AlertBook
from controlplane.notify.notice import Notice, rfc3339
from tests.unit.controlplane.notify.samples import notice
from tests.unit.controlplane.rollout.facts import T0_MS

HOLD = notice(4, Occasion.HOLD, reason="no_proxy", text="no proxy is connected", phase="observing")


def sent(book: AlertBook, standing: list[Notice], after_ms: int) -> list[dict[str, Any]]:
    """Of a request that is taken."""
    body = book.due(standing, T0_MS + after_ms)
    book.taken(standing, T0_MS + after_ms)
    rows: list[dict[str, Any]] = json.loads(body) if body else []
    return rows


def test_an_alert_is_the_rollout_and_what_is_wrong_with_it() -> None:
    assert sent(AlertBook(), [HOLD], 500) == [
        {
            "labels": {
                "alertname": "SerinusRolloutHeld",
                "notice": "chat-v2/4/hold",
                "severity": "ticket",
                "service": "chat",
                "rollout": "chat-v2",
                "version": "v2",
            },
            "annotations": {
                "summary": "chat-v2 is held up",
                "description": "no proxy is connected",
                "reason": "no_proxy",
                "phase": "observing",
                "next": "serinus explain chat-v2",
            },
            "startsAt": rfc3339(T0_MS),
            "endsAt": rfc3339(T0_MS + 500 + LASTS_MS),
        }
    ]


def test_it_is_repeated_while_it_stands_and_ends_once() -> None:
    book = AlertBook()
    assert len(sent(book, [HOLD], 0)) == 1
    assert sent(book, [HOLD], EVERY_MS - 1) == []
    (again,) = sent(book, [HOLD], EVERY_MS)
    assert again["endsAt"] == rfc3339(T0_MS + EVERY_MS + LASTS_MS)
    (over,) = sent(book, [], EVERY_MS + 1_000)
    assert (over["labels"]["notice"], over["endsAt"]) == (HOLD.id, rfc3339(T0_MS + EVERY_MS + 1_000))
    assert sent(book, [], 10 * EVERY_MS) == []
    assert book.is_empty


def test_what_was_not_taken_is_due_again() -> None:
    book = AlertBook()
    assert book.due([HOLD], T0_MS) == book.due([HOLD], T0_MS) != b""
    book.taken([HOLD], T0_MS)
    assert book.due([], T0_MS + 1) == book.due([], T0_MS + 1) != b""


def test_another_reason_is_told_at_once_as_the_same_alert() -> None:
    book = AlertBook()
    sent(book, [HOLD], 0)
    (row,) = sent(book, [notice(4, Occasion.HOLD, reason="sidecar_silent", text="no report")], 1_000)
    assert row["labels"]["notice"] == HOLD.id
    assert row["annotations"]["reason"] == "sidecar_silent"


def test_what_is_good_news_is_no_alert() -> None:
    assert AlertBook().due([notice(1, Occasion.PROMOTED), notice(2, Occasion.STARTED)], T0_MS) == b""


def test_a_rollback_wants_a_person_now() -> None:
    (row,) = sent(AlertBook(), [notice()], 0)
    assert row["labels"]["severity"] == "page"
