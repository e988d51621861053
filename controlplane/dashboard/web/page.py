"""What the pages show, as plain values: the templates only lay it out. Pure.

Every sign stands beside its word, so nothing is told by colour alone. The first screen of a rollout answers what runs,
how far it is, whether it is worse, why it stopped, and what to do now.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.dashboard.record import MetricRecord, RolloutRecord
from controlplane.dashboard.steps import StepRecord, moves, steps
from controlplane.dashboard.web import chart
from controlplane.manifest.units import in_time
from serinus.contract.weight import format_bp

PHASES = {
    "queued": ("…", "queued", "calm"),
    "preparing": ("◌", "preparing", "calm"),
    "publishing": ("◌", "publishing", "calm"),
    "observing": ("●", "observing", "calm"),
    "baking": ("◔", "baking", "calm"),
    "paused": ("‖", "paused", "care"),
    "rolling_back": ("↩", "rolling back", "bad"),
    "rolled_back": ("↩", "rolled back", "bad"),
    "aborted": ("■", "aborted", "care"),
    "promoted": ("✔", "promoted", "good"),
}
VERDICTS = {
    "worse": ("✖", "worse", "bad"),
    "not_enough_evidence": ("?", "not enough evidence", "care"),
    "good_enough": ("✔", "good enough", "good"),
}
_URGENCY = tuple(VERDICTS)
TILE_WIDTH, TILE_HEIGHT, WEIGHT_WIDTH, WEIGHT_HEIGHT = 220.0, 44.0, 640.0, 90.0
SLICES_SHOWN = 8
EVENTS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class SliceLine:
    where: str
    metric: str
    baseline: str
    candidate: str
    named: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """What is told of a rollout beside its record. `more`: by metric, (users, seconds) that an advance still needs."""

    observed_ratio: float = 0.0
    observed_keys: int = 0
    approval_needed_bp: int = 0
    step_index: int = 0
    is_terminal: bool = False
    findings: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()
    slices: tuple[SliceLine, ...] = ()
    servers: tuple[tuple[str, tuple[str, ...]], ...] = ()  # version, lines
    more: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    dry_runs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Action:
    """A button. `confirm`: what will happen, in words; `needs_reason`: it is refused without one."""

    verb: str
    label: str
    confirm: str
    needs_reason: bool = False
    is_grave: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """`state`: done, now, or next."""

    label: str
    state: str
    since_ms: int
    words: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One metric: both arms, what is known of their difference, and how the evidence grew."""

    row: MetricRecord
    sign: str
    word: str
    tone: str
    is_dry_run: bool
    baseline: str
    candidate: str
    difference: str
    band: chart.Band | None
    worse_share: float
    good_share: float
    worse_words: str
    good_words: str
    worse_line: str
    good_line: str
    more: str


@dataclass(frozen=True, slots=True)
class RolloutPage:
    record: RolloutRecord
    beside: Beside
    sign: str
    word: str
    tone: str
    weight: str
    observed: str
    verdict: tuple[str, str, str]  # sign, sentence, tone
    next_words: str
    actions: tuple[Action, ...]
    steps: tuple[Step, ...]
    tiles: tuple[Tile, ...]
    weights: chart.WeightLines | None


def rollout_page(record: RolloutRecord, beside: Beside, *, may_operate: bool) -> RolloutPage:
    sign, word, tone = PHASES.get(record.phase, ("?", record.phase, "care"))
    known = steps(record)
    changes = [(record.started_ms, 0), *((event.at_ms, bp) for event, bp in moves(record))]
    return RolloutPage(
        record,
        beside,
        sign,
        word,
        tone,
        weight=format_bp(record.weight_bp),
        observed=observed_words(beside),
        verdict=verdict_words(record),
        next_words=next_words(record, beside),
        actions=tuple(actions(record, beside)) if may_operate else (),
        steps=tuple(_steps(record, known, beside)),
        tiles=tuple(_tile(row, record, beside) for row in by_urgency(record.metrics)),
        weights=chart.weight_lines(changes, record.points, record.ended_ms, width=WEIGHT_WIDTH, height=WEIGHT_HEIGHT),
    )


def by_urgency(rows: Sequence[MetricRecord]) -> list[MetricRecord]:
    """The worst first."""
    return sorted(rows, key=lambda row: _URGENCY.index(row.verdict) if row.verdict in _URGENCY else 0)


def observed_words(beside: Beside) -> str:
    if not beside.observed_keys:
        return "no user seen yet"
    return f"{100 * beside.observed_ratio:.1f}% observed, of {beside.observed_keys:,} users"


def verdict_words(record: RolloutRecord) -> tuple[str, str, str]:
    """Whether it is worse, in a word."""
    rows = by_urgency(record.metrics)
    if not rows:
        return "?", "Nothing is judged yet: no request has run its course.", "care"
    worst = rows[0]
    same = [row.metric for row in rows if row.verdict == worst.verdict]
    sign, word, tone = VERDICTS.get(worst.verdict, ("?", worst.verdict, "care"))
    if worst.verdict == "worse":
        return sign, f"Worse: {', '.join(same)}.", tone
    if worst.verdict == "good_enough":
        return sign, f"No worse, within every limit: {', '.join(same)}.", tone
    return sign, f"Not shown to be worse; {word} yet for {', '.join(same)}.", tone


def next_words(record: RolloutRecord, beside: Beside) -> str:
    """What to do now, or what happens by itself."""
    if beside.approval_needed_bp and record.phase not in ("paused", "queued"):
        return f"The step to {format_bp(beside.approval_needed_bp)} needs a person: approve it."
    needed = [more for more in beside.more.values() if more[0]]
    match record.phase:
        case "promoted":
            return f"Nothing: everyone has {record.candidate}."
        case "rolled_back" | "aborted":
            return f"Everyone has {record.baseline}. Mend {record.candidate}, then retry."
        case "rolling_back":
            return "Nothing: it ends by itself, in seconds."
        case "paused":
            return "It waits for a person: resume, or abort. A rollback on evidence works meanwhile."
        case "queued":
            return "Nothing: it begins when those before it have ended."
        case "baking":
            return "Nothing: it is promoted when its time is over. Who is held back keeps the comparison going."
        case "observing" if needed:
            users, seconds = max(needed)
            return (
                f"Nothing: about {users:,} more users of the candidate{_about(seconds)} are needed for the next step."
            )
    return "Nothing: it goes on by itself."


def _about(seconds: float) -> str:
    return f", some {in_time(seconds)}," if seconds else ""


def actions(record: RolloutRecord, beside: Beside) -> Iterator[Action]:
    """What may be done in this phase, the least grave first."""
    name, phase = record.name, record.phase
    is_stuck = bool(record.events) and record.events[-1].reason == "hook_failed"
    if phase in ("rolled_back", "aborted") or (is_stuck and not beside.is_terminal):
        yield Action("retry", "Retry", f"{name} begins again, or asks the hook again.")
    if beside.is_terminal or phase == "rolling_back":
        return
    if beside.approval_needed_bp:
        step = format_bp(beside.approval_needed_bp)
        yield Action("approve", f"Approve {step}", f"The step to {step} of users may begin.")
    if phase == "paused":
        yield Action("resume", "Resume", f"{name} goes on where it stood.")
    elif phase != "queued":
        yield Action("pause", "Pause", f"The weight of {name} stays as it is until somebody resumes it.")
    if phase not in ("queued", "paused"):
        yield Action(
            "promote",
            "Promote",
            f"{name} need not wait for the time of this step; its evidence is still needed.",
        )
        yield Action(
            "skip", "Promote without analysis",
            f"ALL users get {record.candidate} now, whatever the evidence says.", needs_reason=True, is_grave=True,
        )  # fmt: skip
    yield Action("abort", "Abort", f"All users go back to {record.baseline} now.", needs_reason=True, is_grave=True)


def _steps(record: RolloutRecord, known: Sequence[StepRecord], beside: Beside) -> Iterator[Step]:
    """Those that were in force, with what they waited for, and those to come."""
    for each in known:
        is_now = each.ended_by is None and not beside.is_terminal
        waits = [f"{reason.replace('_', ' ')} {in_time(ms / 1_000)}" for reason, ms in each.waits[:3]]
        ended = [each.ended_by.text] if each.ended_by is not None else []
        lasted = in_time((each.to_ms - each.from_ms) / 1_000)
        label = format_bp(each.weight_bp) if each.weight_bp else "start"
        words = "; ".join([f"{lasted}", *([f"waited for {', '.join(waits)}"] if waits else []), *ended])
        yield Step(label, "now" if is_now else "done", each.from_ms, words)
    if not beside.is_terminal and record.phase != "rolling_back":
        for weight_bp in record.steps_bp:
            if weight_bp > max((each.weight_bp for each in known), default=0):
                yield Step(format_bp(weight_bp), "next", 0, "")


def share(bad: int, count: int) -> str:
    return f"{100 * bad / count:.2f}% of {count:,} users" if count else "no user yet"


def _tile(row: MetricRecord, record: RolloutRecord, beside: Beside) -> Tile:
    sign, word, tone = VERDICTS.get(row.verdict, ("?", row.verdict, "care"))
    users, seconds = beside.more.get(row.metric, (0, 0.0))
    size = {"width": TILE_WIDTH, "height": TILE_HEIGHT}
    difference = ""
    if row.difference is not None:
        low, high = (100 * value for value in row.difference)
        difference = f"{low:+.2f} to {high:+.2f} points, 95% at every look"
    return Tile(
        row,
        sign,
        word,
        tone,
        is_dry_run=row.metric in beside.dry_runs,
        baseline=share(row.baseline_bad, row.baseline_n),
        candidate=share(row.candidate_bad, row.candidate_n),
        difference=difference,
        band=chart.band(row),
        worse_share=chart.filled(row.worse_log_e, row.worse_needed),
        good_share=chart.filled(row.good_log_e, row.good_needed),
        worse_words=_evidence(row.worse_log_e, row.worse_needed),
        good_words=_evidence(row.good_log_e, row.good_needed),
        worse_line=chart.evidence_line(record.points, row, is_worse=True, **size),
        good_line=chart.evidence_line(record.points, row, is_worse=False, **size),
        more=f"about {users:,} more users of the candidate{_about(seconds).rstrip(',')}" if users else "",
    )


def _evidence(log_e: float, needed: float) -> str:
    if log_e >= chart.NO_NEED_LOG_E:
        return "nothing to show"
    return f"{max(-9.9, min(99.0, log_e)):.1f} of {needed:.1f}"
