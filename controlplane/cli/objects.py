"""apply, get, describe, explain: what is configured and why it is where it is."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.message import Message
from rich.console import Console

from controlplane.cli import servers, window
from controlplane.cli.client import (
    ADMIN_OPTION,
    CALL_TIMEOUT_S,
    DEFAULT_ADMIN,
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    actor,
    call,
    fail,
)
from controlplane.cli.output import OUTPUT_OPTION, Output, as_dict, emit, table, utc
from serinus.contract.weight import format_bp
from serinus.v1 import admin_pb2

Admin = Annotated[str, ADMIN_OPTION]
Format = Annotated[Output, OUTPUT_OPTION]

# Enough of a hash to see whether two are the same.
ROUTES_SHOWN_CHARS = 8
NOTHING_THERE = {"proxy": "no proxy is connected; next: start an Envoy with what serinus bootstrap prints"}
KINDS = {
    "service": "service",
    "services": "service",
    "rollout": "rollout",
    "rollouts": "rollout",
    "proxy": "proxy",
    "proxies": "proxy",
    "group": "group",
    "groups": "group",
    "all": "",
}


def read_files(paths: list[str]) -> list[admin_pb2.ManifestFile]:
    """Files, directories (their *.yaml, *.yml and *.json, sorted) and `-` for standard input."""
    files = []
    for given in paths:
        if given == "-":
            files.append(admin_pb2.ManifestFile(name="<stdin>", text=sys.stdin.read()))
            continue
        path = Path(given)
        if not path.exists():
            raise fail(f"{given}: no such file or directory", code=EXIT_USAGE)
        found = [path]
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
            if not found:
                raise fail(f"{given}: no .yaml, .yml or .json file in it", code=EXIT_USAGE)
        for each in found:
            try:
                files.append(admin_pb2.ManifestFile(name=str(each), text=each.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                raise fail(f"{each}: cannot be read: {error}") from error
    return files


def apply(
    filename: Annotated[list[str], typer.Option("--filename", "-f", help="Manifest file, directory, or - for stdin.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; change nothing.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Apply manifests, all or nothing. Example: serinus apply -f chat.yaml"""
    request = admin_pb2.ApplyRequest(files=read_files(filename), dry_run=dry_run, actor=actor())
    response = call(admin, lambda stub: stub.Apply(request, timeout=CALL_TIMEOUT_S))
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    for each in response.objects:
        typer.echo(f"{each.kind.lower()}/{each.name} {each.change}" + (" (dry run)" if dry_run else ""))
        if each.note and each.change != "unchanged":
            typer.echo("\n".join(f"  {line}" for line in each.note.splitlines()))


def get(
    kind: Annotated[str, typer.Argument(help="services, rollouts, proxies, groups or all.")] = "all",
    name: Annotated[str, typer.Argument(help="One object's name.")] = "",
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """List objects. Example: serinus get rollouts -o json"""
    if kind not in KINDS:
        raise fail(f"unknown kind {kind!r}; next: one of {', '.join(KINDS)}", code=EXIT_USAGE)
    request = admin_pb2.GetRequest(kind=KINDS[kind], name=name, brief=output is Output.TABLE)
    response = call(admin, lambda stub: stub.Get(request, timeout=CALL_TIMEOUT_S))
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    _print_services(response)
    _print_rollouts(response)
    _print_groups(response)
    _print_proxies(response)
    if not any((response.services, response.rollouts, response.proxies, response.groups, response.refusals)):
        typer.echo(NOTHING_THERE.get(KINDS[kind], "nothing there; next: serinus apply -f FILE"))


def _print_services(response: admin_pb2.GetResponse) -> None:
    if response.services:
        rows = [
            [
                s.name,
                s.protocol,
                ",".join(s.hosts),
                s.prefix,
                s.baseline,
                ",".join(s.versions),
                s.rollout or "-",
                s.datapath_chosen,
            ]
            for s in response.services
        ]
        table(["SERVICE", "PROTOCOL", "HOSTS", "PREFIX", "BASELINE", "VERSIONS", "ROLLOUT", "DATA PATH"], rows)


def _print_rollouts(response: admin_pb2.GetResponse) -> None:
    if response.rollouts:
        rows = [
            [
                r.name,
                r.service,
                f"{r.baseline} -> {r.candidate}",
                r.phase,
                f"{r.step_index + 1}/{r.step_count}",
                format_bp(r.weight_bp),
                r.message,
            ]
            for r in response.rollouts
        ]
        table(["ROLLOUT", "SERVICE", "VERSIONS", "PHASE", "STEP", "WEIGHT", "MESSAGE"], rows)


def _print_groups(response: admin_pb2.GetResponse) -> None:
    if response.groups:
        rows = [
            [
                g.name,
                g.listen,
                ",".join(g.nodes) or "any",
                f"{g.up_to_date}/{g.connected}",
                ",".join(g.services) or "-",
            ]
            for g in response.groups
        ]
        table(["GROUP", "LISTEN", "NODES", "UP TO DATE", "SERVICES"], rows)


def _print_proxies(response: admin_pb2.GetResponse) -> None:
    if response.proxies:
        rows = [
            [
                p.node,
                p.group,
                p.mode,
                p.state,
                p.accepted_routes[:ROUTES_SHOWN_CHARS] or "-",
                p.published_routes[:ROUTES_SHOWN_CHARS] or "-",
                "yes" if p.sidecar_connected else "no",
                p.envoy_version or "-",
                p.last_error or "-",
            ]
            for p in response.proxies
        ]
        headers = ["PROXY", "GROUP", "MODE", "STATE", "ACCEPTED", "PUBLISHED", "SIDECAR", "ENVOY", "LAST ERROR"]
        table(headers, rows)
    if response.refusals:
        typer.echo("" if response.proxies else NOTHING_THERE["proxy"])
        rows = [[r.node or "-", r.cluster or "-", utc(r.at_ms), r.reason] for r in response.refusals]
        table(["REFUSED NODE", "CLUSTER", "AT (UTC)", "REASON"], rows)


def describe(
    kind: Annotated[str, typer.Argument(help="service, rollout, proxy or group.")],
    name: Annotated[str, typer.Argument()],
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Everything about one object. Example: serinus describe rollout chat-v2"""
    if KINDS.get(kind, "") == "":
        raise fail(f"unknown kind {kind!r}; next: service, rollout, proxy or group", code=EXIT_USAGE)
    request = admin_pb2.GetRequest(kind=KINDS[kind], name=name)
    response = call(admin, lambda stub: stub.Get(request, timeout=CALL_TIMEOUT_S))
    objects: list[Message] = [*response.services, *response.rollouts, *response.proxies, *response.groups]
    if output is Output.TABLE and response.rollouts:
        _describe_rollout(response.rollouts[0])
        return
    if not objects:
        raise fail(f"no {KINDS[kind]} {name}; next: serinus get {kind}", code=EXIT_NOT_FOUND)
    for each in objects:
        emit(as_dict(each), Output.YAML if output is Output.TABLE else output)


def _describe_rollout(view: admin_pb2.RolloutView) -> None:
    """The screen, and in full what it has to cut: Envoy's own words, and what should be known."""
    from controlplane.cli.view import finding_words, render_rollout

    Console().print(render_rollout(view))
    if view.rejections:
        typer.echo("")
        rows = [[r.node, r.group, r.type, r.message] for r in view.rejections]
        table(["REJECTED BY", "GROUP", "TYPE", "ENVOY'S WORDS"], rows)
    if view.finding:
        typer.echo(f"\nfinding: {finding_words(view)}")
    for finding in view.findings:
        typer.echo(f"\nnote: {finding}")
    if asked := [each for each in view.servers if each.sources]:
        typer.echo("\nservers: what they say of themselves, no evidence")
        table(servers.HEADERS, [servers.server_row(each) for each in asked])
    if logged := servers.log_rows(view.servers):
        typer.echo("\nlogs: lines with a pattern, no evidence")
        table(servers.LOG_HEADERS, logged)
    if view.slices:
        typer.echo("\nslices: bad requests since the start, shown and never decisive")
        headers = ["BY", "SLICE", "METRIC", "BASELINE", "CANDIDATE", "EVIDENCE (LN)", "NAMED"]
        table(headers, [_slice(row) for row in view.slices])


def _slice(row: admin_pb2.SliceView) -> list[str]:
    baseline = f"{row.baseline_bad} of {row.baseline_requests}"
    candidate = f"{row.candidate_bad} of {row.candidate_requests}"
    named = "worse" if row.named else "-"
    return [row.dimension, row.value, row.metric or "errors", baseline, candidate, f"{row.worse_log_e:.1f}", named]


def explain(
    rollout: Annotated[str, typer.Argument(help="The rollout's name.")],
    at: Annotated[str, typer.Option("--at", help="Only while this step was in force: its number, or its weight.")] = "",
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Why a rollout did what it did. Example: serinus explain chat-v2 --at 25%"""
    request = admin_pb2.ExplainRequest(rollout=rollout)
    response = call(admin, lambda stub: stub.Explain(request, timeout=CALL_TIMEOUT_S))
    if at:
        try:
            response.sentences[:] = window.sentences(response, window.weight_of(at, response.rollout))
        except ValueError as error:
            raise fail(f"--at {error}", code=EXIT_USAGE) from None
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    for sentence in response.sentences:
        typer.echo(sentence)
    if at:
        return
    _echo_beside(response)
    typer.echo("")
    started_ms = response.rollout.started_at_ms
    for event in response.events:
        typer.echo(f"{(event.at_ms - started_ms) / 1000:8.1f} s  {event.action:<8}  {event.text}")


def _echo_beside(response: admin_pb2.ExplainResponse) -> None:
    """What it looks like, and what should be known and no sentence has said."""
    from controlplane.cli.view import finding_words

    if response.rollout.finding:
        typer.echo(f"It looks like {finding_words(response.rollout)}.")
    for note in response.rollout.findings:
        if not any(note in sentence for sentence in response.sentences):
            typer.echo(f"Noted: {note}.")


def cohort(
    service: Annotated[str, typer.Argument(help="The service's name.")],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help="name=value; may be repeated. Also :method, :path, :source (the client)."),
    ] = None,
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Which cohort, bucket and version a request would get. Example: serinus cohort chat --header x-user-id=ada"""
    fields = []
    for text in header or []:
        name, found, value = text.partition("=")
        if not found or not name:
            raise fail(f"--header {text!r} is not name=value", code=EXIT_USAGE)
        fields.append(admin_pb2.HeaderField(name=name, value=value))
    request = admin_pb2.CohortRequest(service=service, headers=fields)
    response = call(admin, lambda stub: stub.Cohort(request, timeout=CALL_TIMEOUT_S))
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    bucket = str(response.bucket) if response.has_key else "-"
    table(["COHORT", "BUCKET", "VERSION", "RULE"], [[response.cohort, bucket, response.version, response.rule]])
