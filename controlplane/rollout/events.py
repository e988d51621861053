"""What may happen to a rollout. Facts are gathered by the shell and handed in whole; the machine asks for nothing."""

from dataclasses import dataclass, field

from controlplane.evidence.verdict import Verdict


@dataclass(frozen=True, slots=True)
class FleetFact:
    """The proxies that serve the service. `waiting` are nodes that do not run its routes in force yet; `warming` are
    clusters that these routes wait for. `duplicates` are node ids under which two proxies have come."""

    connected: int
    waiting: tuple[str, ...] = ()
    warming: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()  # "node: Envoy's own words"
    duplicates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SidecarFact:
    """The sidecars. `waiting` have not accepted the policy in force; `silent` were heard before and are not now; of
    those `ahead` the clock is, by so many seconds, too far for their rows to be evidence."""

    connected: int
    waiting: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()
    ahead: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class HealthFact:
    """The candidate's endpoints as each proxy sees them: (node, healthy, endpoints)."""

    seen_by: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DataFact:
    """Data quality in the recent window, from Envoy's own counters. Counts are requests; window in seconds."""

    window_s: int
    answered: int = 0
    untagged: int = 0
    logs_written: int = 0
    logs_lost: int = 0
    unreadable: tuple[str, ...] = ()  # nodes whose Envoy did not answer its sidecar


@dataclass(frozen=True, slots=True)
class RoutingFact:
    """What was seen of the weight in force: outcomes under its snapshot, and those in the wrong place."""

    outcomes: int = 0
    mismatches: int = 0
    share_plausible: bool = True
    share_text: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceFact:
    """The judge's answer. `step_index` is the step it speaks of; None: it has not reached the step in force."""

    step_index: int | None = None
    verdict: Verdict = Verdict.NOT_ENOUGH_EVIDENCE
    sentence: str = ""  # counts and evidence in words, for reasons
    findings: tuple[str, ...] = ()
    dry_run_worse: tuple[tuple[str, str], ...] = ()  # (metric, sentence) of guardrails that are tried out
    doubt: str = ""  # why a diagnostic doubts the data, in words


@dataclass(frozen=True, slots=True)
class ServersFact:
    """What the candidate's servers say of themselves: how many are asked, how many answered lately, and the fullest of
    them over the last seconds. None: not known."""

    asked: int = 0
    answering: int = 0
    cache_peak: float | None = None
    queue_peak: float | None = None


@dataclass(frozen=True, slots=True)
class AlertsFact:
    """Alerts of others that fire about the rollout, in words, if its plan listens to them; and those of them that roll
    it back. `is_unknown`: nobody can say yet."""

    firing: str = ""
    rolling_back: str = ""
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class QueriesFact:
    """What the plan asks of a Prometheus: which answers are beyond their limits, and which are missing, in words."""

    beyond: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class ProbesFact:
    """What the service leans on and holds by: what does not answer, and what was not asked yet, in words."""

    down: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    fleet: FleetFact
    sidecars: SidecarFact
    health: HealthFact
    data: DataFact
    routing: RoutingFact = field(default_factory=RoutingFact)
    evidence: EvidenceFact = field(default_factory=EvidenceFact)
    servers: ServersFact = field(default_factory=ServersFact)
    alerts: AlertsFact = field(default_factory=AlertsFact)
    queries: QueriesFact = field(default_factory=QueriesFact)
    probes: ProbesFact = field(default_factory=ProbesFact)


@dataclass(frozen=True, slots=True)
class Observed:
    """The state of the world now; comes about once a second."""

    now_ms: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Pause:
    now_ms: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resume:
    now_ms: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Without `skip_analysis` only the dwell of the step is waived; with it the weight goes to 100 % now."""

    now_ms: int
    actor: str
    reason: str
    skip_analysis: bool


@dataclass(frozen=True, slots=True)
class Abort:
    now_ms: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Approve:
    """A person lets the step of this weight begin, as the manifest writes it. The step is named so that two people who
    approve at once approve one step, not two."""

    now_ms: int
    actor: str
    reason: str
    step_bp: int


@dataclass(frozen=True, slots=True)
class Retry:
    """What has failed is tried again: hooks before a step, or the whole of a rollout that was taken back.

    `baseline` is the version in force, which a rollout that begins again is compared with.
    """

    now_ms: int
    actor: str
    reason: str
    baseline: str = ""


Command = Pause | Resume | Promote | Abort | Approve | Retry


@dataclass(frozen=True, slots=True)
class HooksEnded:
    """The calls of one run have ended: all said yes, or one did not; `text` names it."""

    now_ms: int
    key: str
    passed: bool
    text: str


Event = Observed | Command | HooksEnded
