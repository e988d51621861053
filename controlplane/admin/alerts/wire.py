"""Alert rules, silences and alerts of others -> `serinus.v1.Admin`. No I/O."""

from controlplane.engine.alerting.book import RuleBook, Silence
from controlplane.engine.alerting.desk import AlertDesk
from controlplane.engine.alerting.rule import AlertRule
from controlplane.engine.incoming import Firing
from controlplane.engine.world import World
from serinus.v1 import admin_pb2


def alerts_response(world: World, desk: AlertDesk, rule: str, now_ms: int) -> admin_pb2.AlertsResponse:
    """Of one rule, or of all (""), which fire first."""
    chosen = [each for name, each in world.rules.items() if rule in ("", name)]
    views = [rule_view(each, desk.rules, now_ms) for each in sorted(chosen, key=lambda each: each.name)]
    return admin_pb2.AlertsResponse(
        rules=[view for state in ("firing", "pending", "inactive") for view in views if view.state == state],
        silences=[_silence(each) for each in desk.rules.silences if each.until_ms > now_ms and rule in ("", each.rule)],
        external=[] if rule else [_external(each) for each in desk.incoming.firing],
        now_ms=now_ms,
    )


def rule_view(rule: AlertRule, book: RuleBook, now_ms: int) -> admin_pb2.AlertRuleView:
    state, silence = book.states.get(rule.name), book.silence_of(rule.name, now_ms)
    view = admin_pb2.AlertRuleView(
        name=rule.name,
        service=rule.spec.service,
        severity=rule.spec.severity.value,
        state=state.word if state is not None else "inactive",
        summary=rule.spec.summary,
    )
    if state is not None:
        view.since_ms, view.text = state.fired_ms or state.since_ms, state.text
        view.acknowledged_by, view.acknowledged_reason = state.acked_by, state.acked_comment
    if silence is not None:
        view.silenced_by, view.silenced_until_ms = silence.author, silence.until_ms
    return view


def _silence(silence: Silence) -> admin_pb2.SilenceView:
    return admin_pb2.SilenceView(
        rule=silence.rule,
        author=silence.author,
        reason=silence.comment,
        from_ms=silence.from_ms,
        until_ms=silence.until_ms,
    )


def _external(alert: Firing) -> admin_pb2.ExternalAlertView:
    service = f"service/{alert.service}" + (f"/{alert.version}" if alert.version else "")
    return admin_pb2.ExternalAlertView(
        name=alert.name,
        about=f"rollout/{alert.rollout}" if alert.rollout else service,
        action=alert.action,
        summary=alert.summary,
        since_ms=alert.since_ms,
        seen_ms=alert.seen_ms,
    )
