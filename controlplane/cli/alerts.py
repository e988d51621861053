"""alerts, ack, silence: what alert rules say, who has seen it, and what is to be quiet for a while."""

from typing import Annotated

import typer

from controlplane.cli.client import ADMIN_OPTION, CALL_TIMEOUT_S, DEFAULT_ADMIN, EXIT_USAGE, actor, call, fail
from controlplane.cli.output import OUTPUT_OPTION, Output, as_dict, emit, table, utc
from controlplane.manifest.units import in_time, parse_duration_ms
from serinus.v1 import admin_pb2

Admin = Annotated[str, ADMIN_OPTION]
Format = Annotated[Output, OUTPUT_OPTION]
Rule = Annotated[str, typer.Argument(help="The alert rule's name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; shown and kept.")]


def alerts(
    rule: Annotated[str, typer.Argument(help="One alert rule's name.")] = "",
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Alert rules and their states, silences, and alerts of others. Example: serinus alerts"""
    request = admin_pb2.AlertsRequest(rule=rule)
    _print(call(admin, lambda stub: stub.Alerts(request, timeout=CALL_TIMEOUT_S)), output)


def ack(rule: Rule, reason: Reason = "", admin: Admin = DEFAULT_ADMIN, output: Format = Output.TABLE) -> None:
    """Say that you have seen that a rule fires. Example: serinus ack chat-errors --reason "on it" """
    request = admin_pb2.AlertRequest(rule=rule, actor=actor(), reason=reason)
    _print(call(admin, lambda stub: stub.Acknowledge(request, timeout=CALL_TIMEOUT_S)), output)


def silence(
    rule: Annotated[str, typer.Argument(help="The alert rule's name; without one all are silent.")] = "",
    lasting: Annotated[str, typer.Option("--for", help="For how long, for example 2h; 0s ends a silence.")] = "",
    reason: Reason = "",
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Let a rule, or all of them, tell nobody for a while. Example: serinus silence chat-errors --for 2h"""
    try:
        for_ms = parse_duration_ms(lasting)
    except ValueError as error:
        raise fail(f"--for {error}", code=EXIT_USAGE) from None
    request = admin_pb2.AlertRequest(rule=rule, actor=actor(), reason=reason, for_ms=for_ms)
    _print(call(admin, lambda stub: stub.Silence(request, timeout=CALL_TIMEOUT_S)), output)


def _print(response: admin_pb2.AlertsResponse, output: Output) -> None:
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    if response.rules:
        rows = [[*_rule(view, response.now_ms)] for view in response.rules]
        table(["RULE", "SERVICE", "SEVERITY", "STATE", "SINCE", "SEEN BY", "SILENT UNTIL (UTC)", "NUMBERS"], rows)
    if response.silences:
        rows = [[s.rule or "all", s.author, utc(s.until_ms), s.reason or "-"] for s in response.silences]
        table(["SILENCE OF", "BY", "UNTIL (UTC)", "WHY"], rows)
    if response.external:
        rows = [[e.name, e.about, e.action or "-", utc(e.since_ms), e.summary or "-"] for e in response.external]
        table(["ALERT OF OTHERS", "ABOUT", "ASKS TO", "SINCE (UTC)", "SUMMARY"], rows)
    if not response.rules and not response.external:
        typer.echo("no alert rule, and no alert of others fires; next: serinus apply -f FILE with kind: AlertRule")


def _rule(view: admin_pb2.AlertRuleView, now_ms: int) -> tuple[str, ...]:
    since = in_time((now_ms - view.since_ms) / 1_000) if view.since_ms else "-"
    seen = f"{view.acknowledged_by}: {view.acknowledged_reason}".rstrip(": ") or "-"
    silent = utc(view.silenced_until_ms) if view.silenced_until_ms else "-"
    return view.name, view.service, view.severity, view.state, since, seen, silent, view.text or "-"
