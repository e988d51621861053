"""`Alerts`, `Acknowledge` and `Silence` of the admin API. What people do is in the store before it is answered: the
state of the rules, and in one transaction with it a record of the audit."""

from collections.abc import Callable

from controlplane.admin.alerts.wire import alerts_response
from controlplane.engine import audit, incoming
from controlplane.engine.alerting.book import (
    JOURNAL,
    RuleBook,
    Silence,
    UnknownRuleError,
    book_of,
    copied,
    record_of,
)
from controlplane.engine.alerting.desk import AlertDesk
from controlplane.engine.runner import Engine
from controlplane.security.identity import Caller
from controlplane.store.port import StoreError
from serinus.v1 import admin_pb2


class AlertTeller:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def listed(self, rule: str) -> admin_pb2.AlertsResponse:
        """Raises UnknownRuleError, StoreError."""
        self._check(rule)
        engine = self._engine
        return alerts_response(engine.world, await self._desk(), rule, engine.now_ms())

    async def _desk(self) -> AlertDesk:
        """Who follows another control plane reads what that one has written."""
        engine = self._engine
        if engine.alerts.is_read and engine.alerts.incoming.is_known:
            return engine.alerts
        desk = AlertDesk()
        if kept := await engine.records(incoming.JOURNAL, 1):
            desk.incoming.take(incoming.firing_of(kept[0], kept[0].at_ms))
        if kept := await engine.records(JOURNAL, 1):
            desk.rules = book_of(kept[0])
        return desk

    async def acknowledge(self, rule: str, by: Caller, reason: str) -> admin_pb2.AlertsResponse:
        """Raises UnknownRuleError, AlertStateError, StoreError; nothing has changed then."""
        self._check(rule or "-")
        await self._act("Acknowledge", rule, by, reason, lambda book: book.acknowledged(rule, by.actor, reason))
        return await self.listed(rule)

    async def silence(self, rule: str, by: Caller, reason: str, for_ms: int) -> admin_pb2.AlertsResponse:
        """Raises UnknownRuleError, AlertStateError, StoreError; nothing has changed then."""
        self._check(rule)
        now_ms = self._engine.now_ms()
        silence = Silence(rule, by.actor, reason, now_ms, now_ms + max(for_ms, 0))
        verb = "Silence" if for_ms > 0 else "EndSilence"
        await self._act(verb, rule, by, reason, lambda book: book.silenced(silence))
        return await self.listed(rule)

    def _check(self, rule: str) -> None:
        rules = self._engine.world.rules
        if rule and rule not in rules:
            known = ", ".join(sorted(rules)) or "none"
            raise UnknownRuleError(f"no alert rule {rule[:80]}; rules: {known}", next_step="serinus alerts")

    async def _act(self, verb: str, rule: str, by: Caller, reason: str, act: Callable[[RuleBook], None]) -> None:
        engine = self._engine
        if not engine.alerts.is_read:
            raise StoreError(
                "the states of alert rules are not read here, or not yet", next_step="ask the one that leads"
            )
        now_ms, after = engine.now_ms(), copied(engine.alerts.rules)
        act(after)
        name = f"alertrule/{rule}" if rule else "every alertrule"
        records = [record_of(after, by.actor, f"{verb} {name}", now_ms), audit.told(by, verb, (name,), reason, now_ms)]
        await engine.stored(engine.store.apply, [], records)
        # On what is there by now: a rule may have fired while that was written.
        act(engine.alerts.rules)
