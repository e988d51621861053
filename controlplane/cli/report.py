"""report: one rollout's release record as one file, from what the admin API answers. Builds nothing by itself."""

from enum import StrEnum
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.client import ADMIN_OPTION, CALL_TIMEOUT_S, DEFAULT_ADMIN, call, call_if_allowed, fail
from serinus.v1 import admin_pb2

AUDIT_LIMIT = 1_000  # what one call gives


class Format(StrEnum):
    HTML = "html"
    MD = "md"


def report(
    rollout: Annotated[str, typer.Argument(help="The rollout's name.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="html or md; by default what --file ends with, else html.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Where to write it; by default standard output.")] = None,
    admin: Annotated[str, ADMIN_OPTION] = DEFAULT_ADMIN,
) -> None:
    """The release record, one file that needs nothing else. Example: serinus report chat-v2 --file chat-v2.html"""
    if form is None:
        form = Format.MD if file is not None and file.suffix == ".md" else Format.HTML
    text = _record(admin, rollout, form)
    if file is None:
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail(f"{file}: {error.strerror}; next: give a --file that you may write to") from None
    typer.echo(f"{file}: {rollout}, {len(text.encode()) // 1000 + 1} kB")


def _record(admin: str, rollout: str, form: Format) -> str:
    # matplotlib takes a second to import, which no other verb should pay.
    from controlplane.dashboard.release.wire import appendix, findings_section, release_section
    from controlplane.dashboard.report import render_html, render_markdown
    from controlplane.dashboard.wire import rollout_record

    asked = admin_pb2.ExplainRequest(rollout=rollout)
    told = call(admin, lambda stub: stub.Explain(asked, timeout=CALL_TIMEOUT_S))
    proxies = call(admin, lambda stub: stub.Get(admin_pb2.GetRequest(kind="proxy"), timeout=CALL_TIMEOUT_S))
    acts = admin_pb2.AuditRequest(object=f"rollout/{rollout}", limit=AUDIT_LIMIT)
    audit, unread = call_if_allowed(admin, lambda stub: stub.Audit(acts, timeout=CALL_TIMEOUT_S))
    first = (release_section(told, serinus_version=distribution_version("serinus")), findings_section(told.rollout))
    render = render_html if form is Format.HTML else render_markdown
    return render(rollout_record(told), first, tuple(appendix(told, proxies, audit, unread=unread)))
