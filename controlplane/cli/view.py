"""One screen of a rollout: `serinus watch`, `serinus describe rollout` and the demo show the same.

Pure: a RolloutView in, lines of text out. It fits 80x24 (a wider terminal gives longer sentences, a taller one more
events), and every sign stands beside its word, so it can be read without colour and when piped.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from controlplane.cli.servers import servers_line
from controlplane.manifest.units import in_time
from serinus.contract.weight import format_bp
from serinus.v1 import admin_pb2

COLUMNS, LINES = 80, 24
# More metrics than this leave no room for events on 24 lines (two lines each); the rest is counted, worst first.
METRICS_SHOWN_MAX = 5
# So many have room for a third line, with the intervals and what is missing.
METRICS_IN_FULL_MAX = 3
EVENTS_SHOWN_MIN = 3
MESSAGE_LINES_MAX = 2
REJECTION_LINES_MAX = 3
BAR_CELLS = 6
# The judge's "there is nothing to show" is 999: above any evidence that could be asked for.
NOTHING_TO_SHOW_LOG_E = 900.0

PHASES = {
    "queued": ("…", "QUEUED", "cyan"),
    "preparing": ("◌", "PREPARING", "cyan"),
    "publishing": ("◌", "PUBLISHING", "cyan"),
    "observing": ("●", "OBSERVING", "cyan"),
    "baking": ("◔", "BAKING", "cyan"),
    "paused": ("‖", "PAUSED", "yellow"),
    "rolling_back": ("↩", "ROLLING BACK", "red"),
    "rolled_back": ("↩", "ROLLED BACK", "red"),
    "aborted": ("■", "ABORTED", "yellow"),
    "promoted": ("✔", "PROMOTED", "green"),
}
VERDICTS = {
    "worse": ("✖", "worse", "red"),
    "good_enough": ("✔", "good enough", "green"),
    "not_enough_evidence": ("?", "not enough evidence", "yellow"),
}
# Worst first: what is cut off must be what matters least.
_URGENCY = ("worse", "not_enough_evidence", "good_enough")
ACTIONS = {"advance": "▲", "hold": "·", "rollback": "▼"}


@dataclass(frozen=True, slots=True)
class RolloutScreen:
    """A rich renderable that takes its size from the console, down to 80x24."""

    view: admin_pb2.RolloutView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = max(LINES, console.height) if console.is_terminal else LINES
        yield from screen_lines(self.view, width=max(COLUMNS, options.max_width), height=height)


def render_rollout(view: admin_pb2.RolloutView) -> RolloutScreen:
    """Everything one screen shows of a rollout."""
    return RolloutScreen(view)


def plain_line(view: admin_pb2.RolloutView) -> str:
    """One line for logs and pipes. It changes only when something happened: it holds no clock."""
    _, word, _ = _phase(view)
    parts = [
        f"{view.name} {word}",
        f"step {min(view.step_index + 1, view.step_count)}/{view.step_count}",
        f"weight {format_bp(view.weight_bp)}",
    ]
    parts += [f"{row.metric} {VERDICTS.get(row.verdict, ('', row.verdict, ''))[1]}" for row in view.metrics]
    parts += [f"{each.node} rejected {each.type}: {each.message}" for each in view.rejections[:1]]
    last = view.events[-1].text if view.events else view.message
    # Envoy's words may hold line ends.
    return " ".join("; ".join([*parts, last]).split())


def screen_lines(view: admin_pb2.RolloutView, *, width: int = COLUMNS, height: int = LINES) -> list[Text]:
    """The screen as lines, at most `height`, each at most `width` characters."""
    notes = _notes(view, width)
    # Two lines a metric: what the notes take, the metrics that matter least give up.
    metrics_max = max(1, METRICS_SHOWN_MAX - len(notes) // 2)
    lines = [*_header(view, width), *notes, Text(""), *_metrics(view, metrics_max), Text("")]
    room = max(EVENTS_SHOWN_MIN, height - len(lines) - 1)
    lines += [Text("EVENTS", style="bold"), *_events(view, width, room)]
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return lines


def _header(view: admin_pb2.RolloutView, width: int) -> list[Text]:
    icon, word, colour = _phase(view)
    step = f"step {min(view.step_index + 1, view.step_count)}/{view.step_count}"
    head = Text.assemble(
        (view.name, "bold"), "  ", (f"{icon} {word}", f"bold {colour}"), f"  {step}  weight {format_bp(view.weight_bp)}"
    )
    head.append(f" ({_observed(view)})")
    route = Text(f"service {view.service}   baseline {view.baseline}   candidate {view.candidate}   ")
    route.append(_steps(view))
    clock = _clock((view.ended_at_ms or view.now_ms) - view.started_at_ms)
    route.append("  " + clock.rjust(max(0, width - route.cell_len - 2)))
    lines = [head, route, *[Text(line) for line in _wrapped(view.message, width, MESSAGE_LINES_MAX)]]
    if faults := _faults(view):
        lines.append(Text(faults, style="bold red"))
    return lines


def _notes(view: admin_pb2.RolloutView, width: int) -> list[Text]:
    """What the proxies reject, what the evidence looks like, the first thing to know beside, the servers."""
    lines = [Text(text, style="bold red") for text in _rejections(view, width)]
    if view.finding:
        lines += [Text(text, style="bold yellow") for text in _wrapped(f"≈ {finding_words(view)}", width, 2)]
    lines += [Text(text, style="yellow") for each in view.findings[:1] for text in _wrapped(f"! {each}", width, 2)]
    return lines + [Text(text, style="dim") for text in (servers_line(view.servers),) if text]


def finding_words(view: admin_pb2.RolloutView) -> str:
    """What the evidence looks like, by its name and in a sentence."""
    return f"{view.finding.replace('_', ' ')}: {view.finding_text}"


def _rejections(view: admin_pb2.RolloutView, width: int) -> list[str]:
    """Envoy's own words of the first rejection, and how many proxies have rejected something."""
    if not view.rejections:
        return []
    first, nodes = view.rejections[0], {each.node for each in view.rejections}
    others = f" (and {len(nodes) - 1} more)" if len(nodes) > 1 else ""
    return _wrapped(f"✖ {first.node}{others} rejected {first.type}: {first.message}", width, REJECTION_LINES_MAX)


def _phase(view: admin_pb2.RolloutView) -> tuple[str, str, str]:
    return PHASES.get(view.phase, ("?", view.phase.upper(), "white"))


def _observed(view: admin_pb2.RolloutView) -> str:
    if not view.observed_keys:
        return "no user seen yet"
    return f"observed {100 * view.observed_ratio:.1f}% of {view.observed_keys} users"


def _steps(view: admin_pb2.RolloutView) -> str:
    """The plan with where it stands: "✔10% ▸50% ·100%"."""
    if view.phase in ("rolling_back", "rolled_back", "aborted"):
        return " ".join(f"·{format_bp(step)}" for step in view.steps_bp)
    done = len(view.steps_bp) if view.phase == "promoted" else view.step_index
    marks = ["✔" if index < done else "▸" if index == done else "·" for index in range(len(view.steps_bp))]
    return " ".join(f"{mark}{format_bp(step)}" for mark, step in zip(marks, view.steps_bp, strict=True))


def _faults(view: admin_pb2.RolloutView) -> str:
    counts = (
        (view.routing_mismatches, "requests on the wrong version"),
        (view.untagged_recent, "untagged"),
        (view.lost_entries_recent, "log entries lost"),
    )
    return ", ".join(f"! {count} {what}" for count, what in counts if count)


def _metrics(view: admin_pb2.RolloutView, shown_max: int) -> list[Text]:
    lines = [Text(f"{'METRIC':<21}{'BASELINE':<14}{'CANDIDATE':<14}{'WORSE':<16}GOOD ENOUGH", style="bold")]
    rows = sorted(view.metrics, key=lambda row: _URGENCY.index(row.verdict) if row.verdict in _URGENCY else 0)
    if not rows:
        return [*lines, Text("nothing is judged yet: no request has run its course", style="dim")]
    in_full = len(rows) <= min(METRICS_IN_FULL_MAX, shown_max)
    for row in rows[:shown_max]:
        lines += _metric(row)
        if in_full and (more := beside(row)):
            lines.append(Text(f"  {more}", style="dim"))
    if len(rows) > shown_max:
        lines.append(Text(f"and {len(rows) - shown_max} more that are no worse: serinus explain {view.name}"))
    return lines


def _metric(row: admin_pb2.MetricView) -> list[Text]:
    sign, word, colour = VERDICTS.get(row.verdict, ("?", row.verdict, "white"))
    # A name longer than its column must not push the numbers away.
    name = row.metric if len(row.metric) <= 20 else row.metric[:19] + "…"
    numbers = Text(
        f"{name:<21}{_share(row.baseline_bad, row.baseline_n):<14}{_share(row.candidate_bad, row.candidate_n):<14}"
        f"{_evidence(row.worse_log_e, row.worse_needed):<16}{_evidence(row.good_log_e, row.good_needed)}"
    )
    tried = "dry run, nothing follows; " if row.role == "dry_run" else ""
    return [numbers, Text.assemble("  ", (f"{sign} {word}", f"bold {colour}"), f"; {tried}{row.limit}")]


def beside(row: admin_pb2.MetricView) -> str:
    """What is not known yet: intervals of both arms and of their difference, and how much more is needed."""
    parts = []
    if row.HasField("difference_interval"):
        arms = f"{_interval(row.baseline_interval)} | {_interval(row.candidate_interval)}"
        low, high = row.difference_interval.low, row.difference_interval.high
        parts.append(f"95%: {arms}, apart {100 * low:+.1f}..{100 * high:+.1f} points")
    if row.more_users:
        rate = f" ({in_time(row.more_seconds)})" if row.more_seconds else ""
        parts.append(f"about {row.more_users} more users{rate}")
    return "; ".join(parts)


def _interval(interval: admin_pb2.IntervalView) -> str:
    return f"{100 * interval.low:.1f}-{100 * interval.high:.1f}%"


def _share(bad: int, count: int) -> str:
    return f"{100 * bad / count:.1f}% of {_count(count)}" if count else "no user yet"


def _count(count: int) -> str:
    return str(count) if count < 10_000 else f"{count // 1000}k"


def _evidence(log_e: float, needed: float) -> str:
    """ "###... 2.1/3.0": ln of the evidence against ln of what is needed."""
    if log_e >= NOTHING_TO_SHOW_LOG_E:
        return "###### no need"
    filled = min(BAR_CELLS, max(0, int(BAR_CELLS * log_e / needed))) if needed > 0 else 0
    # Evidence against a claim is negative without a floor; more digits would say nothing.
    return f"{'#' * filled}{'.' * (BAR_CELLS - filled)} {max(-9.9, min(99.0, log_e)):.1f}/{needed:.1f}"


def _events(view: admin_pb2.RolloutView, width: int, room: int) -> list[Text]:
    shown: Sequence[admin_pb2.EventView] = list(view.events)[-room:]
    if not shown:
        return [Text("none yet", style="dim")]
    return [
        Text(f"{_clock(event.at_ms - view.started_at_ms)} {ACTIONS.get(event.action, ' ')} {_by(event)}{event.text}")
        for event in shown
    ]


def _by(event: admin_pb2.EventView) -> str:
    return f"[{event.actor}] " if event.actor else ""


def _clock(elapsed_ms: int) -> str:
    seconds = max(0, elapsed_ms) // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _wrapped(text: str, width: int, lines_max: int) -> list[str]:
    return textwrap.wrap(text, width, max_lines=lines_max, placeholder=" …") or [""]
