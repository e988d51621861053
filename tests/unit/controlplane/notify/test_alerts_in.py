"""Alertmanager's webhook as it is sent, and what else may come to that door."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.engine.incoming import Firing
from controlplane.notify.alerts_in import ALERTS_MAX, AlertPayloadError, Incoming, incoming_of

NOW_MS = 1_700_000_090_000


def alert(**more: Any) -> dict[str, Any]:
    """As Alertmanager 0.25 sends it."""
    fields: dict[str, Any] = {
        "status": "firing",
        "labels": {"alertname": "HighErrors", "serinus_service": "chat", "serinus_version": "v2"},
        "annotations": {"summary": "5% of requests fail", "serinus_action": "rollback"},
        "startsAt": "2023-11-14T22:13:20.5Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "c04ba5b2f1d3a9e7",
    }
    return fields | more


def body(*alerts: object, **more: object) -> bytes:
    fields = {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "serinus"}
    return json.dumps(fields | {"alerts": alerts} | more).encode()


def one(**more: Any) -> Firing:
    (found,) = incoming_of(body(alert(**more)), NOW_MS).firing
    return found


def test_an_alert_is_read_with_what_it_is_about_and_what_it_asks_for() -> None:
    assert one() == Firing(
        key="c04ba5b2f1d3a9e7",
        name="HighErrors",
        rollout="",
        service="chat",
        version="v2",
        action="rollback",
        summary="5% of requests fail",
        since_ms=1_700_000_000_500,
        seen_ms=NOW_MS,
    )


def test_resolved_ones_are_told_by_their_key_and_those_of_nobody_are_counted() -> None:
    other = alert(labels={"alertname": "DiskFull"})
    found = incoming_of(body(alert(status="resolved"), other, alert(fingerprint="b")), NOW_MS)
    assert (found.resolved, found.ignored) == ({"c04ba5b2f1d3a9e7"}, 1)
    assert [each.key for each in found.firing] == ["b"]
    assert incoming_of(body(), NOW_MS) == Incoming((), frozenset(), 0)


@pytest.mark.parametrize(
    ("more", "action"),
    [
        ({"annotations": {}}, ""),
        ({"annotations": {"serinus_action": "hold"}}, "hold"),
        ({"annotations": {}, "labels": {"serinus_service": "chat", "serinus_action": "rollback"}}, "rollback"),
        ({"annotations": {"serinus_action": "rolback"}}, "hold"),
    ],
)
def test_a_word_that_is_no_action_asks_for_the_milder_one(more: dict[str, Any], action: str) -> None:
    assert one(**more).action == action


@pytest.mark.parametrize("starts", [None, 5, "yesterday", "9999-01-01T00:00:00Z", "2023-11-14T22:13:20"])
def test_a_time_that_is_none_or_has_not_come_is_now_or_before(starts: object) -> None:
    assert one(startsAt=starts).since_ms <= NOW_MS


def test_without_a_fingerprint_an_alert_is_its_labels() -> None:
    first, second = one(fingerprint=None), one(fingerprint="")
    assert first.key == second.key != one(fingerprint=None, labels={"serinus_service": "sing"}).key


def test_words_become_part_of_one_bounded_line() -> None:
    found = one(
        annotations={"summary": "a\r\nb\x1b[31m" + "x" * 5_000},
        labels={"serinus_service": "chat", "alertname": "y" * 999},
    )
    assert found.summary.startswith("a b [31mxxx")
    assert (len(found.summary), len(found.name)) == (200, 80)


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no webhook of version 4"),
        (body(version="3"), "no webhook of version 4"),
        (body(alerts={}), "`alerts` is no list"),
        (json.dumps({"version": "4", "alerts": [{}] * (ALERTS_MAX + 1)}).encode(), "no list of at most 1000"),
        (body(5), r"alerts\[0\].status"),
        (body(alert(), alert(status="maybe")), r"alerts\[1\].status"),
        (body(alert(labels=[])), r"alerts\[0\].labels is no mapping"),
        (body(alert(labels={"a": 1})), r"alerts\[0\].labels is no mapping"),
        (body(alert(annotations="x")), r"alerts\[0\].annotations is no mapping"),
    ],
)
def test_what_is_no_webhook_is_refused_with_where(raw: bytes, part: str) -> None:
    with pytest.raises(AlertPayloadError, match=part):
        incoming_of(raw, NOW_MS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(alert())), JSON))
def test_nothing_but_a_typed_error_comes_of_any_alert(more: dict[str, Any]) -> None:
    with contextlib.suppress(AlertPayloadError):
        assert isinstance(incoming_of(body(alert(**more)), NOW_MS), Incoming)
