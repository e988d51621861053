"""Alert rules by the real engine: applied, fired, told, resolved, silenced, deleted, and over a restart."""

import json
from typing import Any

from controlplane.engine.alerting.book import Silence
from controlplane.store.memory import MemoryStore
from tests.unit.controlplane.engine.test_runner import rollout, service
from tests.unit.controlplane.ingest.test_history import row
from tests.unit.controlplane.manifest.test_alert_rule import rule_text
from tests.unit.controlplane.notify.lanes.test_runner import Receivers
from tests.unit.controlplane.notify.test_runner import NOTIFY, Notified, played

HOOK = "  notify: [{webhook: 'http://rule.test/'}, {alertmanager: 'http://am.test:9093'}]\n"
NO_PROXY = rule_text("{metric: proxies, below: 1}", f"  for: 10s\n  summary: no proxy\n{HOOK}")
RULE = "chat-errors"


async def apply(notified: Notified, rule: str = NO_PROXY, more: str = "") -> None:
    await notified.story.apply(service("chat"), rule, *([more] if more else []))


async def looks(notified: Notified, times: int = 4) -> None:
    for _ in range(times):
        await notified.look(5)


def bodies(notified: Notified, host: str = "rule") -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in notified.receivers.calls if f"//{host}." in call.url]


def state_of(notified: Notified) -> str:
    states = notified.engine.alerts.rules.states
    return states[RULE].word if RULE in states else "inactive"


def test_a_rule_fires_after_its_time_is_told_once_and_resolved_once() -> None:
    async def tell(notified: Notified) -> None:
        await apply(notified)
        await notified.look()
        assert state_of(notified) == "pending"
        await looks(notified)
        assert state_of(notified) == "firing"
        text = notified.story.exporter.text().decode()
        assert f'serinus_alert_rule_state{{rule="{RULE}",service="chat",severity="ticket",state="firing"}} 1' in text
        notified.story.fleet.connect("edge-1")
        notified.story.fleet.accept("edge-1")
        await looks(notified, 10)
        fired, resolved = bodies(notified)
        assert (fired["event"], resolved["event"]) == ("alert", "alert_resolved")
        assert fired["text"] == "no proxy: proxies of the candidate 0 (below 1)"
        assert fired["labels"] == {"rule": RULE, "severity": "ticket"}
        assert (fired["service"], fired["rollout"]) == ("chat", "")

    played(tell)


def test_it_is_told_to_the_receivers_of_the_services_rollout_too() -> None:
    async def tell(notified: Notified) -> None:
        bare = rule_text("{metric: proxies, below: 1}", "  for: 0s\n")
        await apply(notified, bare, rollout("chat") + NOTIFY)
        await looks(notified, 2)
        assert [body["event"] for body in bodies(notified, "hook")] == ["started", "alert"]
        assert bodies(notified, "hook")[1]["rollout"] == "chat-v2"
        assert bodies(notified, "steps") == []

    played(tell)


def test_what_is_silenced_tells_nobody_until_the_silence_is_over() -> None:
    async def tell(notified: Notified) -> None:
        await apply(notified)
        now_ms = notified.engine.now_ms()
        await notified.look()
        notified.engine.alerts.rules.silenced(Silence(RULE, "ada", "deploy", now_ms, now_ms + 60_000))
        await looks(notified, 8)
        assert (state_of(notified), bodies(notified), bodies(notified, "am")) == ("firing", [], [])
        await looks(notified, 8)
        assert [body["event"] for body in bodies(notified)] == ["alert"]

    played(tell)


def test_it_fires_on_over_a_restart_and_is_not_told_again() -> None:
    store, receivers = MemoryStore(), Receivers()

    async def first(notified: Notified) -> None:
        await apply(notified)
        await looks(notified)

    async def second(notified: Notified) -> None:
        await notified.look()
        assert state_of(notified) == "firing"
        await looks(notified)
        assert [body["event"] for body in bodies(notified)] == ["alert"]

    played(first, store=store, receivers=receivers)
    played(second, store=store, receivers=receivers, at_ms=1_700_000_100_000)


def test_after_a_kill_what_fires_is_told_again_under_the_same_id() -> None:
    store, receivers = MemoryStore(), Receivers()

    async def first(notified: Notified) -> None:
        await apply(notified)
        notified.runner._saved_at_s = 1e18  # the position is never written
        await looks(notified)

    async def second(notified: Notified) -> None:
        await looks(notified)
        assert len(bodies(notified)) == 2
        assert len({body["id"] for body in bodies(notified)}) == 1

    played(first, store=store, receivers=receivers, killed=True)
    played(second, store=store, receivers=receivers, at_ms=1_700_000_100_000)


def test_a_rule_that_is_deleted_or_whose_service_is_takes_its_state_along() -> None:
    async def tell(notified: Notified) -> None:
        await apply(notified)
        await looks(notified)
        await notified.engine.apply([], [("AlertRule", RULE)], dry_run=False, actor="ada")
        await looks(notified, 2)
        assert (notified.engine.world.rules, state_of(notified)) == ({}, "inactive")
        await apply(notified)
        await notified.engine.apply([], [("Service", "chat")], dry_run=False, actor="ada")
        assert notified.engine.world.rules == {}
        await notified.look()

    played(tell)


def test_a_rule_survives_a_restart_and_an_apply_of_the_same_changes_nothing() -> None:
    store = MemoryStore()

    async def first(notified: Notified) -> None:
        await apply(notified)

    async def second(notified: Notified) -> None:
        assert list(notified.engine.world.rules) == [RULE]
        text = service("chat") + "---\n" + NO_PROXY
        changes = await notified.engine.apply([("a.yaml", text)], dry_run=True, actor="ada")
        assert [(each.kind, each.change) for each in changes] == [("Service", "unchanged"), ("AlertRule", "unchanged")]

    played(first, store=store)
    played(second, store=store)


def test_a_quantile_of_the_newest_minute_is_looked_at_without_a_rollout() -> None:
    slow = rule_text("{metric: ttft_p95, of: baseline, above: 800ms}", f"  for: 0s\n{HOOK}")

    async def tell(notified: Notified) -> None:
        await apply(notified, slow)
        clock, book = notified.story.clock, notified.engine.registry.history
        book.add([row(clock.at_ms // 1_000, requests=10, ttft_us=2_000_000)])
        await looks(notified, 30)
        assert state_of(notified) == "inactive", "ten requests are a matter of luck"
        book.add([row(clock.at_ms // 1_000, requests=100, ttft_us=2_000_000)])
        await looks(notified, 30)
        assert state_of(notified) == "firing"
        assert bodies(notified)[0]["text"].startswith("chat-errors: ttft_p95 of the baseline ")

    played(tell)
