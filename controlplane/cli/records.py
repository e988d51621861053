"""history, audit: what was decided about a rollout, and what people did."""

from typing import Annotated

import typer

from controlplane.cli.client import ADMIN_OPTION, CALL_TIMEOUT_S, DEFAULT_ADMIN, EXIT_USAGE, call, fail
from controlplane.cli.output import OUTPUT_OPTION, Output, as_dict, emit, table, utc
from controlplane.clock import SystemClock
from controlplane.manifest.units import parse_duration_ms
from serinus.v1 import admin_pb2

Admin = Annotated[str, ADMIN_OPTION]
Format = Annotated[Output, OUTPUT_OPTION]


def history(
    rollout: Annotated[str, typer.Argument(help="The rollout's name.")],
    last: Annotated[int, typer.Option("--last", min=0, help="Only the newest so many; 0: all.")] = 0,
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Every decision about a rollout, with its reason. Example: serinus history chat-v2"""
    request = admin_pb2.ExplainRequest(rollout=rollout)
    events = call(admin, lambda stub: stub.Explain(request, timeout=CALL_TIMEOUT_S)).events
    shown = events[-last:] if last else events
    if output is not Output.TABLE:
        emit({"events": [as_dict(event) for event in shown]}, output)
        return
    rows = [(utc(one.at_ms), one.action, one.reason, one.actor or "-", one.text) for one in shown]
    table(("TIME (UTC)", "ACTION", "REASON", "WHO", "WHAT"), rows)


def audit(
    rollout: Annotated[str, typer.Option("--rollout", help="Only what was done to this rollout.")] = "",
    service: Annotated[str, typer.Option("--service", help="Only what was done to this service.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Only what this one did.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only the last such time, for example 24h.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="The newest so many.")] = 100,
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Who did what, when, why and from where; for admins. Example: serinus audit --since 24h"""
    if rollout and service:
        raise fail("--rollout and --service are two questions; next: ask for one", code=EXIT_USAGE)
    named = f"rollout/{rollout}" if rollout else f"service/{service}" if service else ""
    try:
        since_ms = SystemClock().now_ms() - parse_duration_ms(since) if since else 0
    except ValueError as error:
        raise fail(f"--since {error}", code=EXIT_USAGE) from None
    request = admin_pb2.AuditRequest(object=named, actor=actor, since_ms=since_ms, limit=limit)
    response = call(admin, lambda stub: stub.Audit(request, timeout=CALL_TIMEOUT_S))
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    rows = [
        (utc(one.at_ms), one.actor, one.verb, ", ".join(one.objects), one.address, one.reason or "-")
        for one in response.entries
    ]
    table(("TIME (UTC)", "WHO", "VERB", "WHAT", "FROM", "WHY"), rows)
    if response.more:
        typer.echo("there are older ones; next: --limit, --since or --actor", err=True)
