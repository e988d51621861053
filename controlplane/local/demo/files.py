"""The reports of the demo on disk: for each act one HTML file and one Markdown file."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from controlplane.dashboard.record import Section
from controlplane.dashboard.report import render_html, render_markdown
from controlplane.dashboard.wire import rollout_record
from controlplane.errors import SerinusError
from controlplane.local.demo.outcome import ActOutcome, summary_rows
from serinus.v1 import admin_pb2


class ReportError(SerinusError):
    """The report could not be written."""

    code = "report"


def write_reports(
    directory: Path, outcome: ActOutcome, response: admin_pb2.ExplainResponse, manifest: str
) -> ActOutcome:
    """Write both files; returns the outcome with their paths. Raises ReportError."""
    record = rollout_record(response)
    sections = (
        Section("What the users saw", rows=tuple(summary_rows(outcome))),
        Section("Manifests", text=manifest),
    )
    begun = datetime.fromtimestamp(record.started_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    stem = directory.expanduser() / f"{begun}-{record.name}"
    texts = {".html": render_html(record, sections), ".md": render_markdown(record, sections)}
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            stem.with_name(stem.name + suffix).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{directory}: {error.strerror}", next_step="give --report another directory") from error
    return replace(outcome, reports=tuple(str(stem.with_name(stem.name + suffix).absolute()) for suffix in texts))
