"""A rollout's attempt as a trace: one span for the whole, one below it for each weight. Pure.

Ids are made from the rollout's name, its start and the record that a span begins with, so that a span that is sent
twice (after a restart, or by another control plane that leads now) is the same span. Only what has ended is a span:
OTLP has no open ones. The root comes last, when the rollout has ended. A plan that was changed while it runs begins a
new trace.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controlplane.rollout.model import (
    Aborted,
    Preparing,
    Queued,
    RolledBack,
    RollingBack,
    Rollout,
    ended_at_ms_of,
    step_index_of,
    unpaused,
    weight_bp_of,
)
from controlplane.store.journal import decode
from controlplane.store.port import Record
from serinus.contract.weight import format_bp

# OpenTelemetry's own limit of a span (SDK environment variables, OTEL_SPAN_EVENT_COUNT_LIMIT).
EVENTS_MAX = 128


@dataclass(frozen=True, slots=True)
class SpanEvent:
    at_ms: int
    name: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Ids of 16 and 8 bytes; `parent_id` b"" for the root. `fault`: why it ended badly, "" if it did not."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    start_ms: int
    end_ms: int
    attributes: tuple[tuple[str, str | int | float], ...]
    events: tuple[SpanEvent, ...] = ()
    dropped_events: int = 0
    fault: str = ""


def spans_of(rollout: Rollout, records: Sequence[Record]) -> tuple[Span, ...]:
    """Of its last attempt, those that have ended, the first one first. `records`: its journal, oldest first; of one
    that was cut the spans begin later. Raises StoreError for a record that cannot be read."""
    trace_id, root_id = _digest(rollout, "trace")[:16], _digest(rollout, "root")[:8]
    stretches = list(_stretches(rollout, records))
    # The last one still lasts, or is the end itself, which lasts no time.
    spans = [
        _span(rollout, trace_id, root_id, stretch, until.records[0]) for stretch, until in itertools.pairwise(stretches)
    ]
    ended_ms = ended_at_ms_of(rollout)
    if not ended_ms:
        return tuple(spans)
    fault = rollout.phase.reason if isinstance(rollout.phase, RolledBack | Aborted) else ""
    root = Span(
        trace_id,
        root_id,
        b"",
        f"rollout {rollout.name}",
        rollout.started_at_ms,
        max(ended_ms, rollout.started_at_ms),
        (*_whose(rollout), ("serinus.phase", rollout.phase.kind)),
        fault=fault,
    )
    return (*spans, root)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Records, one or more, between which the weight and its meaning stay."""

    name: str
    weight_bp: int | None
    records: list[Record]


def _stretches(rollout: Rollout, records: Sequence[Record]) -> Iterator[_Stretch]:
    current: _Stretch | None = None
    for record in records:
        then = decode(rollout.name, rollout.spec, record.state)
        if then.started_at_ms != rollout.started_at_ms:
            continue
        name, weight_bp = _name(then)
        if current is not None and current.name == name:
            current.records.append(record)
            continue
        if current is not None:
            yield current
        current = _Stretch(name, weight_bp, [record])
    if current is not None:
        yield current


def _name(then: Rollout) -> tuple[str, int | None]:
    """What users get, and the candidate's weight; None where an old plan had other steps."""
    phase = unpaused(then.phase)
    match phase:
        case Queued():
            return "queued", 0
        case Preparing():
            return "prepare", 0
        case RollingBack():
            return "roll back", 0
    if then.is_terminal:
        return "end", None
    try:
        weight_bp = weight_bp_of(then)
    except IndexError:
        return f"step {step_index_of(phase) + 1}", None
    return f"step {step_index_of(phase) + 1}: {format_bp(weight_bp)}", weight_bp


def _span(rollout: Rollout, trace_id: bytes, root_id: bytes, stretch: _Stretch, until: Record) -> Span:
    first, rest = stretch.records[0], stretch.records[EVENTS_MAX:]
    weight = (("serinus.weight_ratio", stretch.weight_bp / 10_000),) if stretch.weight_bp is not None else ()
    return Span(
        trace_id,
        _digest(rollout, f"{first.serial}")[:8],
        root_id,
        stretch.name,
        first.at_ms,
        # A clock may be set back, and no span ends before it begins.
        max(until.at_ms, first.at_ms),
        (*_whose(rollout), *weight, ("serinus.ended_by", until.code)),
        tuple(_event(record) for record in stretch.records[:EVENTS_MAX]),
        len(rest),
        until.text if until.action == "rollback" and stretch.name != "roll back" else "",
    )


def _whose(rollout: Rollout) -> tuple[tuple[str, str], ...]:
    return (
        ("serinus.rollout", rollout.name),
        ("serinus.service", rollout.spec.service),
        ("serinus.baseline", rollout.baseline),
        ("serinus.candidate", rollout.spec.candidate),
    )


def _event(record: Record) -> SpanEvent:
    told = (("serinus.action", record.action), ("serinus.sentence", record.text), ("serinus.actor", record.actor))
    return SpanEvent(record.at_ms, record.code or record.action, tuple((name, text) for name, text in told if text))


def _digest(rollout: Rollout, part: str) -> bytes:
    """32 bytes. An id of zeros alone would be no id (W3C Trace Context): one in 2^64 is nobody's."""
    return hashlib.sha256(f"{rollout.name}/{rollout.started_at_ms}/{part}".encode()).digest()
