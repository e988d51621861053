"""Which alerts of others concern a rollout, for how long, and that they outlive a restart."""

from dataclasses import replace

import pytest

from controlplane.engine.incoming import JOURNAL, Firing, IncomingAlerts, firing_of, record_of
from controlplane.manifest.alerts import STALE_AFTER_MS_MAX
from controlplane.rollout.events import AlertsFact
from controlplane.store.memory import MemoryStore
from controlplane.store.port import Record, StoreError
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import T0_MS, rollout

LISTENS = rollout(text=ROLLOUT + "  alerts: {stale_after: 10m}\n")
ROLLS_BACK = rollout(text=ROLLOUT + "  alerts: {on_firing: rollback}\n")
NOW_MS = T0_MS + 90_000


def alert(key: str = "a", **more: object) -> Firing:
    about = Firing(key, "HighErrors", "", "chat", "", "", "5% fail", T0_MS + 30_000, NOW_MS)
    return replace(about, **more)  # type: ignore[arg-type]


def known(*firing: Firing) -> IncomingAlerts:
    alerts = IncomingAlerts()
    alerts.take(firing)
    return alerts


def test_a_plan_that_does_not_listen_hears_nothing() -> None:
    assert known(alert()).fact(rollout(), NOW_MS) == AlertsFact()
    assert IncomingAlerts().fact(rollout(), NOW_MS) == AlertsFact()


def test_nobody_says_that_nothing_fires_before_it_is_known() -> None:
    assert IncomingAlerts().fact(LISTENS, NOW_MS) == AlertsFact(is_unknown=True)
    assert known().fact(LISTENS, NOW_MS) == AlertsFact()


@pytest.mark.parametrize(
    ("about", "is_told"),
    [
        ({}, True),
        ({"service": "sing"}, False),
        ({"version": "v2"}, True),
        ({"version": "v1"}, False),
        ({"service": "", "rollout": "chat-v2"}, True),
        ({"service": "chat", "rollout": "chat-v3"}, False),
    ],
)
def test_an_alert_is_about_a_rollout_by_its_labels(about: dict[str, str], is_told: bool) -> None:
    assert bool(known(alert(**about)).fact(LISTENS, NOW_MS).firing) is is_told


def test_it_is_named_with_its_words_and_its_age_the_oldest_first() -> None:
    later = [alert(key, name=f"Alert{key}", summary="", since_ms=T0_MS + 60_000) for key in "bcde"]
    assert known(*later, alert()).fact(LISTENS, NOW_MS).firing == (
        "alert HighErrors (5% fail), firing for 60 s, alert Alertb, firing for 30 s, alert Alertc, firing for 30 s "
        "and 2 more"
    )


def test_what_nobody_repeats_is_over_after_the_plans_time() -> None:
    alerts = known(alert())
    assert alerts.fact(LISTENS, NOW_MS + 600_000).firing
    assert not alerts.fact(LISTENS, NOW_MS + 600_001).firing


@pytest.mark.parametrize(
    ("listening", "more", "is_asked"),
    [
        (ROLLS_BACK, {}, True),
        (ROLLS_BACK, {"action": "rollback"}, True),
        (ROLLS_BACK, {"action": "hold"}, False),
        (LISTENS, {"action": "rollback"}, False),
        (ROLLS_BACK, {"since_ms": T0_MS - 1}, False),
        (ROLLS_BACK, {"since_ms": T0_MS}, True),
    ],
)
def test_it_rolls_back_where_plan_and_alert_agree_and_the_rollout_was_there_before_it(
    listening: object, more: dict[str, object], is_asked: bool
) -> None:
    fact = known(alert(**more)).fact(listening, NOW_MS)  # type: ignore[arg-type]
    assert bool(fact.rolling_back) is is_asked
    assert fact.firing, "it holds in any case"


def test_news_replace_what_was_known_and_what_is_resolved_goes() -> None:
    alerts = known(alert("a"), alert("b"))
    after = alerts.with_news([alert("c"), alert("b", summary="7% fail")], {"a"}, NOW_MS)
    assert [(each.key, each.summary) for each in after] == [("b", "7% fail"), ("c", "5% fail")]
    assert alerts.is_news(after)
    assert not alerts.is_news([alert("a", seen_ms=NOW_MS + 1), alert("b")]), "a repetition"
    assert alerts.with_news([], (), NOW_MS + STALE_AFTER_MS_MAX + 1) == ()


def test_what_fires_is_read_back_as_if_it_were_told_now() -> None:
    store = MemoryStore()
    store.append(record_of([alert("a"), alert("b", action="hold")], "ada", T0_MS))
    (kept,) = store.records(JOURNAL, 1)
    assert firing_of(kept, NOW_MS + 5) == (
        alert("a", seen_ms=NOW_MS + 5),
        alert("b", action="hold", seen_ms=NOW_MS + 5),
    )


@pytest.mark.parametrize("state", ["", "[]", '{"format": 2}', '{"format": 1, "firing": [{"key": "x"}]}'])
def test_a_record_that_cannot_be_read_is_an_error_and_no_silence(state: str) -> None:
    with pytest.raises(StoreError):
        firing_of(Record(JOURNAL, 0, T0_MS, False, state, "told", "alerts", "", ""), NOW_MS)
