"""diff, delete: what an apply would change, and objects out of the way."""

import difflib
import io
import json
from typing import Annotated

import typer
from ruamel.yaml import YAML

from controlplane.cli.client import ADMIN_OPTION, CALL_TIMEOUT_S, DEFAULT_ADMIN, EXIT_USAGE, actor, call, fail
from controlplane.cli.objects import read_files
from controlplane.cli.output import OUTPUT_OPTION, Output, as_dict, emit
from serinus.v1 import admin_pb2

Admin = Annotated[str, ADMIN_OPTION]
Format = Annotated[Output, OUTPUT_OPTION]

# As `diff` and `kubectl diff`: 1 is a difference; what went wrong is more.
EXIT_DIFFERENT = 1
KINDS = {"service": "Service", "rollout": "Rollout", "group": "ProxyGroup", "alertrule": "AlertRule"}


def diff(
    filename: Annotated[list[str], typer.Option("--filename", "-f", help="Manifest file, directory, or - for stdin.")],
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """What applying these would change; exit 0: nothing, 1: something. Example: serinus diff -f chat.yaml"""
    request = admin_pb2.ApplyRequest(files=read_files(filename), dry_run=True, with_data=True, actor=actor())
    response = call(admin, lambda stub: stub.Apply(request, timeout=CALL_TIMEOUT_S))
    changed = [each for each in response.objects if each.change != "unchanged"]
    if output is not Output.TABLE:
        emit({"objects": [_as_data(each) for each in changed]}, output)
    else:
        typer.echo("".join(difference(each) for each in changed), nl=False)
    if changed:
        raise typer.Exit(EXIT_DIFFERENT)


def difference(change: admin_pb2.AppliedObject) -> str:
    """A unified diff of the specs as YAML, keys in order: what was written otherwise and means the same is the same."""
    name = f"{change.kind.lower()}/{change.name}"
    before, after = (_lines(text) for text in (change.before, change.after))
    return "".join(difflib.unified_diff(before, after, f"{name} in force", f"{name} in the file"))


def _lines(text: str) -> list[str]:
    if not text:
        return []
    yaml, out = YAML(), io.StringIO()
    yaml.default_flow_style = False
    yaml.dump(_sorted(json.loads(text)), out)
    return out.getvalue().splitlines(keepends=True)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def _as_data(change: admin_pb2.AppliedObject) -> dict[str, object]:
    data = as_dict(change)
    return {**data, **{name: json.loads(data[name]) if data[name] else None for name in ("before", "after")}}


def delete(
    kind: Annotated[str, typer.Argument(help="service (its rollouts go with it), rollout, or group.")],
    name: Annotated[str, typer.Argument(help="The object's name.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; change nothing.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    output: Format = Output.TABLE,
) -> None:
    """Delete an object that nothing needs; journal and audit stay. Example: serinus delete rollout chat-v2"""
    if kind.lower() not in KINDS:
        raise fail(f"unknown kind {kind!r}; next: one of {', '.join(KINDS)}", code=EXIT_USAGE)
    gone = admin_pb2.ObjectName(kind=KINDS[kind.lower()], name=name)
    request = admin_pb2.ApplyRequest(deletions=[gone], dry_run=dry_run, actor=actor())
    response = call(admin, lambda stub: stub.Apply(request, timeout=CALL_TIMEOUT_S))
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    for each in response.objects:
        typer.echo(f"{each.kind.lower()}/{each.name} {each.change}" + (" (dry run)" if dry_run else ""))
