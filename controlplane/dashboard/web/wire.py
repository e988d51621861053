"""Messages of `serinus.v1.Admin` -> the plain values of the pages. No I/O."""

from dataclasses import dataclass

from controlplane.dashboard.web.history import Curve, Span
from controlplane.dashboard.web.page import PHASES, Beside, SliceLine
from controlplane.manifest.units import in_time
from serinus.contract.weight import format_bp
from serinus.v1 import admin_pb2

_GIB = 1 << 30


def beside(view: admin_pb2.RolloutView) -> Beside:
    """What the record does not hold."""
    return Beside(
        observed_ratio=view.observed_ratio,
        observed_keys=view.observed_keys,
        approval_needed_bp=view.approval_needed_bp,
        step_index=view.step_index,
        is_terminal=view.terminal,
        findings=tuple(view.findings),
        rejections=tuple(f"{one.node} refuses {one.type}: {one.message}" for one in view.rejections),
        slices=tuple(_slice(one) for one in view.slices),
        servers=tuple((one.version, tuple(_servers(one))) for one in view.servers),
        more={row.metric: (row.more_users, row.more_seconds) for row in view.metrics},
        dry_runs=frozenset(row.metric for row in view.metrics if row.role == "dry_run"),
    )


def _slice(one: admin_pb2.SliceView) -> SliceLine:
    arms = [
        f"{100 * bad / count:.1f}% of {count:,}" if count else "none"
        for bad, count in (
            (one.baseline_bad, one.baseline_requests),
            (one.candidate_bad, one.candidate_requests),
        )
    ]
    return SliceLine(f"{one.dimension} {one.value}", one.metric, arms[0], arms[1], one.named)


def _servers(one: admin_pb2.ServersView) -> list[str]:
    """What they say of themselves; what nobody says is left out."""
    lines = [f"{one.answering} of {one.sources} sources answer"] if one.sources else []
    shares = (("KV cache", "kv_cache_used_ratio"), ("GPU", "gpu_utilisation_ratio"))
    lines += [f"{what} {100 * getattr(one, name):.0f}%" for what, name in shares if one.HasField(name)]
    counts = (("queue", "queue_depth"), ("running", "running_requests"), ("CPU cores", "cpu_cores"))
    lines += [f"{what} {getattr(one, name):.3g}" for what, name in counts if one.HasField(name)]
    sizes = (("memory", "resident_memory_bytes"), ("GPU memory", "gpu_memory_used_bytes"))
    lines += [f"{what} {getattr(one, name) / _GIB:.2f} GiB" for what, name in sizes if one.HasField(name)]
    lines += [f"log {each.pattern}: {each.lines:,} lines ({each.lately:,} in 5 minutes)" for each in one.logs]
    lines += [f"log not followed: {fault}" for fault in one.log_faults]
    return [*lines, *(["full"] if one.full else []), *(["its memory grows steadily"] if one.leaks else [])]


def spans(response: admin_pb2.TrendsResponse) -> list[Span]:
    return [
        Span(
            row.at_ms,
            row.version,
            row.requests,
            row.errors_ratio if row.HasField("errors_ratio") else None,
            row.ttft_p95_seconds if row.HasField("ttft_p95_seconds") else None,
            row.latency_p95_seconds if row.HasField("latency_p95_seconds") else None,
            tuple(Curve(one.metric, one.unit, tuple(one.upper), tuple(one.ratio)) for one in row.distributions),
        )
        for row in response.rows
    ]


@dataclass(frozen=True, slots=True)
class RolloutLine:
    """One rollout in the list. `at_ms`: when it ended, else when it began."""

    name: str
    service: str
    baseline: str
    candidate: str
    sign: str
    word: str
    tone: str
    weight_bp: int
    weight: str
    observed: str
    message: str
    lasted: str
    needs_person: str
    is_terminal: bool
    at_ms: int


def rollout_line(view: admin_pb2.RolloutView) -> RolloutLine:
    sign, word, tone = PHASES.get(view.phase, ("?", view.phase, "care"))
    needed = view.approval_needed_bp
    person = f"approve {format_bp(needed)}" if needed else "resume or abort" if view.phase == "paused" else ""
    return RolloutLine(
        view.name,
        view.service,
        view.baseline,
        view.candidate,
        sign,
        word,
        tone,
        view.weight_bp,
        format_bp(view.weight_bp),
        f"{100 * view.observed_ratio:.1f}%" if view.observed_keys else "",
        view.message,
        in_time(((view.ended_at_ms or view.now_ms) - view.started_at_ms) / 1_000),
        "" if view.terminal else person,
        view.terminal,
        view.ended_at_ms or view.started_at_ms,
    )


@dataclass(frozen=True, slots=True)
class ServiceLine:
    name: str
    protocol: str
    hosts: tuple[str, ...]
    prefix: str
    versions: tuple[str, ...]
    baseline: str
    rollout: str
    sticky: str
    datapath: str
    servers: tuple[tuple[str, tuple[str, ...]], ...]
    probes: tuple[tuple[str, str], ...]  # name, how it is


def service_line(view: admin_pb2.ServiceView) -> ServiceLine:
    return ServiceLine(
        view.name,
        view.protocol,
        tuple(view.hosts),
        view.prefix,
        tuple(view.versions),
        view.baseline,
        view.rollout,
        view.sticky,
        f"{view.datapath_chosen}: {view.datapath_reason}" if view.datapath_reason else view.datapath_chosen,
        tuple((one.version, tuple(_servers(one))) for one in view.servers if one.sources or one.log_sources),
        tuple((one.name, _probe(one)) for one in view.probes),
    )


def _probe(one: admin_pb2.ProbeView) -> str:
    """With a sign beside the word: it is read without colour too."""
    if one.state == "up":
        return f"✔ answers, in {one.seconds * 1000:.0f} ms"
    holds = "; rollouts hold" if one.holds else ""
    return f"✖ does not answer: {one.fault}{holds}" if one.state == "down" else f"· not asked yet{holds}"


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """Which version a request would get now, and why."""

    version: str
    cohort: str
    rule: str
    bucket: str


def place_line(view: admin_pb2.CohortResponse) -> PlaceLine:
    bucket = f"bucket {view.bucket} of 10,000, candidate below {view.weight_bp}" if view.has_key else "no sticky key"
    return PlaceLine(view.version, view.cohort, view.rule, bucket)
