"""The release record of one rollout: a self-contained HTML file, or Markdown. Pure: values in, text out.

The HTML needs no network, no script and no colour, and takes every text as text. What it shows is what the control
plane recorded; what a caller knows besides (the demo's clients) comes as sections of its own.
"""

import html
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from controlplane.dashboard.plots import evidence_svg, numbered_decisions, outcomes_svg, weight_svg
from controlplane.dashboard.record import MetricRecord, Point, RolloutRecord, Section
from controlplane.dashboard.steps import steps
from serinus.contract.weight import format_bp

VERDICTS = {"worse": "✖ worse", "good_enough": "✔ good enough", "not_enough_evidence": "? not enough evidence"}
PHASES = {"promoted": "✔ promoted", "rolled_back": "↩ rolled back", "aborted": "■ aborted"}
METRIC_HEADINGS = ("metric", "baseline", "candidate", "difference, 95%", "worse", "good enough", "limit", "verdict")
STEP_HEADINGS = ("weight", "from (UTC)", "for", "waited for", "known at its end (requests since the start)", "ended by")
EVENT_HEADINGS = ("at (UTC)", "after", "decision", "what and why")
MINUTES_FROM_MS = 180_000  # below, a time is told in seconds; above, as hours, minutes and seconds

_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2227; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #c5ccd3; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #e3e7eb; }
td { white-space: pre-line; font-variant-numeric: tabular-nums; } td:last-child { overflow-wrap: anywhere; }
.times td:nth-child(-n+3) { white-space: nowrap; }
figure { margin: 1rem 0; }
pre { background: #f4f6f8; padding: .8rem; overflow-x: auto; font-size: .85rem; }
svg { max-width: 100%; height: auto; }
.phase { font-weight: bold; }
@media print { body { margin: 0; font-size: 11px; } tr, figure { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def render_html(record: RolloutRecord, sections: Sequence[Section] = (), appendix: Sequence[Section] = ()) -> str:
    """One file. `sections` come after the verdict, `appendix` at the end, in their order."""
    title = f"Rollout {record.name}: {record.candidate} over {record.baseline} in service {record.service}"
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="phase">{_text(_headline(record))}</p>',
        _list(_said(record)),
        *[_html_section(section) for section in sections],
        "<h2>Weight</h2>",
        _picture(weight_svg(record), "the candidate's weight over time, configured and observed"),
        _numbered(record),
        "<h2>Steps</h2>",
        _table(STEP_HEADINGS, _step_rows(record), kind="times"),
        "<h2>Evidence</h2>",
        _table(METRIC_HEADINGS, [_metric_cells(row) for row in record.metrics]),
        _picture(evidence_svg(record), "evidence of each metric over time, against what is needed"),
        "<h2>Outcomes per arm</h2>",
        _picture(outcomes_svg(record), "share of bad requests of each metric in both arms"),
        "<h2>Decisions</h2>",
        _table(EVENT_HEADINGS, _event_rows(record), kind="times"),
        *[_html_section(section) for section in appendix],
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n"
        "</html>\n"
    )


def render_markdown(record: RolloutRecord, sections: Sequence[Section] = (), appendix: Sequence[Section] = ()) -> str:
    """The same facts without pictures."""
    title = f"Rollout {record.name}: {record.candidate} over {record.baseline} in service {record.service}"
    parts = [
        f"# {_inline(title)}",
        f"**{_headline(record)}**",
        "\n".join(f"- {_inline(sentence)}" for sentence in _said(record)),
        *[part for section in sections for part in _markdown_section(section)],
        "## Steps",
        _markdown_table(STEP_HEADINGS, _step_rows(record)),
        "## Evidence",
        _markdown_table(METRIC_HEADINGS, [_metric_cells(row) for row in record.metrics]),
        "## Decisions",
        _markdown_table(EVENT_HEADINGS, _event_rows(record)),
        *[part for section in appendix for part in _markdown_section(section)],
    ]
    return "\n\n".join(parts) + "\n"


def _headline(record: RolloutRecord) -> str:
    took = _lasted(record.ended_ms - record.started_ms)
    plan = " -> ".join(format_bp(step) for step in record.steps_bp)
    return f"{PHASES.get(record.phase, record.phase)}; steps {plan}; started {utc(record.started_ms)} UTC, took {took}"


def _said(record: RolloutRecord) -> tuple[str, ...]:
    """The sentences, and what the evidence looks like by its name."""
    if not record.finding:
        return record.sentences
    return (*record.sentences, f"The evidence looks like: {record.finding.replace('_', ' ')} ({record.finding_text}).")


def _metric_cells(row: MetricRecord) -> tuple[str, ...]:
    return (
        row.metric,
        _share(row.baseline_bad, row.baseline_n) + _within(row.baseline_interval),
        _share(row.candidate_bad, row.candidate_n) + _within(row.candidate_interval),
        _difference(row),
        f"{row.worse_log_e:.1f} of {row.worse_needed:.1f}",
        f"{min(row.good_log_e, 99.0):.1f} of {row.good_needed:.1f}",
        row.limit,
        VERDICTS.get(row.verdict, row.verdict),
    )


def _share(bad: int, count: int) -> str:
    return f"{bad} of {count} users ({100 * bad / count:.1f}%)" if count else "no user"


def _within(interval: tuple[float, float] | None) -> str:
    return f", 95%: {100 * interval[0]:.2f}-{100 * interval[1]:.2f}%" if interval else ""


def _difference(row: MetricRecord) -> str:
    """Candidate less baseline, in percentage points."""
    if row.difference is None:
        return "not told"
    low, high = row.difference
    return f"{100 * low:+.2f} to {100 * high:+.2f} pp"


def _event_rows(record: RolloutRecord) -> list[tuple[str, ...]]:
    return [
        (
            utc(event.at_ms),
            _after(event.at_ms - record.started_ms),
            event.action,
            f"[{event.actor}] {event.text}" if event.actor else event.text,
        )
        for event in record.events
    ]


def _step_rows(record: RolloutRecord) -> list[tuple[str, ...]]:
    return [
        (
            format_bp(step.weight_bp),
            utc(step.from_ms),
            _lasted(step.to_ms - step.from_ms),
            ", ".join(f"{reason.replace('_', ' ')} {_lasted(ms)}" for reason, ms in step.waits) or "nothing",
            _known(step.last),
            f"{step.ended_by.action}: {step.ended_by.text}" if step.ended_by else "in force",
        )
        for step in steps(record)
    ]


def _known(point: Point | None) -> str:
    """Of each metric: the bad requests of both arms since the start."""
    if point is None:
        return "-"
    return ";\n".join(
        f"{row.metric}: candidate {row.candidate_bad} of {row.candidate_requests}, "
        f"baseline {row.baseline_bad} of {row.baseline_requests}, evidence (ln) worse {row.worse_log_e:.1f}"
        for row in point.metrics
    )


def utc(at_ms: int) -> str:
    """A moment, to the second; say "UTC" beside it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _after(after_ms: int) -> str:
    """Since the start; of an earlier attempt it is negative."""
    return f"{after_ms / 1000:.1f} s" if after_ms < MINUTES_FROM_MS else _lasted(after_ms)


def _lasted(ms: int) -> str:
    seconds = round(ms / 1000)
    if ms < MINUTES_FROM_MS:
        return f"{seconds} s" if ms >= 10_000 or ms % 1000 == 0 else f"{ms / 1000:.1f} s"
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(item)}</li>" for item in items) + "</ul>" if items else ""


def _html_section(section: Section) -> str:
    body = f"<p>{_text(section.note)}</p>" if section.note else ""
    body += _table(section.headings, section.rows) if section.rows else ""
    body += f"<pre>{_text(section.text)}</pre>" if section.text else ""
    return f"<h2>{_text(section.heading)}</h2>{body}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    """`kind` "times": the first three columns are short and do not break."""
    if not rows:
        return "<p>nothing recorded</p>"
    head = "".join(f"<th>{_text(each)}</th>" for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    opening = f'<table class="{kind}">' if kind else "<table>"
    return f"{opening}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _picture(svg: str, what: str) -> str:
    if not svg:
        return "<p>nothing recorded</p>"
    return f'<figure role="img" aria-label="{_text(what)}">{svg}</figure>'


def _markdown_section(section: Section) -> Iterator[str]:
    yield f"## {_inline(section.heading)}"
    if section.note:
        yield _inline(section.note)
    if section.rows:
        yield _markdown_table(section.headings, section.rows)
    if section.text:
        yield _fenced(section.text)


def _numbered(record: RolloutRecord) -> str:
    marks = numbered_decisions(record)
    items = "".join(f"<li>{_after(after_ms)}: {_text(text)}</li>" for after_ms, text in marks)
    return f"<ol>{items}</ol>" if items else ""


def _inline(text: str) -> str:
    """Text inside a Markdown line or table cell: what would be markup is taken literally."""
    flat = " ".join(text.split())
    for sign in ("\\", "`", "*", "_", "|", "<", "[", "]"):
        flat = flat.replace(sign, "\\" + sign)
    return flat


def _markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "nothing recorded"
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    lines += ["| " + " | ".join(_inline(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _fenced(text: str) -> str:
    """A code block that no line of the text can end: its fence is longer than any run of backticks inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}yaml\n{text.rstrip()}\n{fence}"
