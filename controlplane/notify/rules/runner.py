"""Looks at the alert rules of manifests every few seconds, keeps what becomes of them, and says what is to be told.

A rule's change is in the store before anybody hears of it. After a restart pending and firing rules are where they
were; what they look at is gathered anew, so for a window's length nobody can say, which resolves nothing at once.
"""

import asyncio
import logging
from collections.abc import Mapping

from controlplane.engine.alerting.book import JOURNAL, RuleState, book_of, record_of
from controlplane.engine.alerting.condition import Key, answer
from controlplane.engine.alerting.rule import AlertRule
from controlplane.engine.alerting.series import EVERY_MS, Series
from controlplane.engine.runner import Engine
from controlplane.manifest.notify import Occasion, Target
from controlplane.notify.notice import ALERT_RESOLVED, Notice
from controlplane.notify.rules.values import value_of
from controlplane.rollout.model import Rollout, weight_bp_of
from controlplane.telemetry.catalogue import RULE_STATE
from controlplane.telemetry.exporter import Exporter

log = logging.getLogger("serinus.notify")

Told = dict[Target, list[Notice]]


class RuleWatch:
    def __init__(self, engine: Engine, exporter: Exporter) -> None:
        self._engine, self._exporter = engine, exporter
        self._series: dict[str, dict[Key, Series]] = {}
        self._looked_ms = 0
        # Ids of what fires and was told: by this process or, in the order of things, one before it.
        self.told: set[str] = set()

    async def look(self) -> tuple[Told, Told]:
        """By receiver: what is to be told now, and what an Alertmanager should see firing. Raises StoreError."""
        engine, now_ms = self._engine, self._engine.now_ms()
        if not engine.alerts.is_read:
            await self._read()
        rules, told = engine.world.rules, Told()
        if now_ms - self._looked_ms >= EVERY_MS or now_ms < self._looked_ms:
            self._looked_ms = now_ms
            self._gather(rules, now_ms)
            for rule in rules.values():
                # An anomaly takes some 2 ms: others are served between two rules.
                await asyncio.sleep(0)
                if notice := await self._step(rule, now_ms):
                    self._for_each(rule, notice, told)
            self._show(rules)
        self.told &= {self._id(name, state) for name, state in engine.alerts.rules.states.items()}
        standing = Told()
        for name, state in engine.alerts.rules.states.items():
            rule_ = rules.get(name)
            if rule_ is None or not state.fired_ms or engine.alerts.rules.silence_of(name, now_ms) is not None:
                continue
            notice = self._notice(rule_, state, state.fired_ms)
            self._for_each(rule_, notice, standing)
            if notice.id not in self.told:
                self.told.add(notice.id)
                self._for_each(rule_, notice, told)
        return told, standing

    async def _read(self) -> None:
        desk = self._engine.alerts
        kept = await self._engine.stored(self._engine.store.records, JOURNAL, 1)
        if kept:
            desk.rules = book_of(kept[0])
        desk.is_read = True

    def _gather(self, rules: Mapping[str, AlertRule], now_ms: int) -> None:
        """Of all that rules look at, once each."""
        wanted: dict[str, set[Key]] = {}
        for rule in rules.values():
            keys = wanted.setdefault(rule.spec.service, set())
            keys.update((each.metric, each.of) for each in rule.spec.measures)
        self._series = {
            service: {key: self._series.get(service, {}).get(key) or Series() for key in keys}
            for service, keys in wanted.items()
        }
        for service, found in self._series.items():
            for (metric, arm), series in found.items():
                series.add(now_ms, value_of(self._engine, service, metric, arm, now_ms))
        self._engine.alerts.rules.keep(rules)

    async def _step(self, rule: AlertRule, now_ms: int) -> Notice | None:
        """What is over, if it was told that it began."""
        book = self._engine.alerts.rules
        before = book.states.get(rule.name)
        found = answer(rule.spec.when, self._series[rule.spec.service], now_ms)
        event = book.step(rule.name, rule.spec.for_ms, found, now_ms)
        if not event:
            return None
        text = f"alert rule {rule.name}: {event}"
        try:
            await self._engine.stored(self._engine.store.append, record_of(book, "", text, now_ms))
        except Exception:
            # It happens again at the next look.
            book.states.pop(rule.name, None)
            if before is not None:
                book.states[rule.name] = before
            raise
        log.info("%s", text, extra={"fields": {"rule": rule.name, "service": rule.spec.service, "why": found.text}})
        if event != "resolved" or before is None:
            return None
        fired = self._notice(rule, before, before.fired_ms)
        was_told = fired.id in self.told and book.silence_of(rule.name, now_ms) is None
        self.told.discard(fired.id)
        return self._notice(rule, before, now_ms, ALERT_RESOLVED) if was_told else None

    def _for_each(self, rule: AlertRule, notice: Notice, told: Told) -> None:
        """The rule's own receivers, and those of the service's rollout that listen to alerts."""
        rollout = self._engine.world.active(rule.spec.service)
        others = [each for each in rollout.spec.notify if Occasion.ALERT in each.on] if rollout is not None else []
        for target in dict.fromkeys((*rule.spec.notify, *others)):
            told.setdefault(target, []).append(notice)

    def _notice(self, rule: AlertRule, state: RuleState, at_ms: int, event: str = Occasion.ALERT) -> Notice:
        rollout: Rollout | None = self._engine.world.active(rule.spec.service)
        summary = rule.spec.summary or rule.name
        seen = f" (seen by {state.acked_by})" if state.acked_by else ""
        return Notice(
            id=self._id(rule.name, state, event),
            occasion=Occasion.ALERT,
            event=event,
            rollout=rollout.name if rollout is not None else "",
            service=rule.spec.service,
            baseline=rollout.baseline if rollout is not None else "",
            candidate=rollout.spec.candidate if rollout is not None else "",
            phase=rollout.phase.kind if rollout is not None else "",
            weight_bp=weight_bp_of(rollout) if rollout is not None else None,
            reason=rule.name,
            text=f"{summary}: {state.text}{seen}",
            actor="",
            at_ms=at_ms,
            serial=0,
            labels=(("rule", rule.name), ("severity", rule.spec.severity.value), *sorted(rule.spec.labels.items())),
        )

    def _id(self, rule: str, state: RuleState, event: str = Occasion.ALERT) -> str:
        return f"@rule/{rule}/{state.since_ms}/{event}"

    def _show(self, rules: Mapping[str, AlertRule]) -> None:
        self._exporter.clear(RULE_STATE)
        states = self._engine.alerts.rules.states
        for name, rule in rules.items():
            now = states[name].word if name in states else "inactive"
            self._exporter.set(RULE_STATE, 1.0, name, rule.spec.service, rule.spec.severity.value, now)
