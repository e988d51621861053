"""What a sidecar reported, as values: rows of one slot, one version, under one weight."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serinus.contract.feedback import Feedback


@dataclass(frozen=True, slots=True)
class MetricCount:
    """Requests in which the metric could be told, bad ones among them, and the distinct sticky keys behind them."""

    observed: int
    bad: int
    keys_ok: frozenset[int]
    keys_bad: frozenset[int]


@dataclass(frozen=True, slots=True)
class HistogramCount:
    """Observations by bin (`serinus.contract.edge`), and of each distinct key the earliest of its observations as
    `first_of` packs it: start within the slot, then bin. Only of requests that ended well (the sidecar decides)."""

    bins: Mapping[int, int]
    firsts: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    service: str
    rollout: str
    snapshot: str
    slot: int
    weight_bp: int
    weight_class: str
    cohort: str
    version: str
    requests: int
    routing_mismatches: int
    metrics: Mapping[str, MetricCount]
    classes: Mapping[str, int]
    histograms: Mapping[str, HistogramCount] = field(default_factory=dict)
    slices: str = ""  # as `serinus.contract.slices` has them


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    cluster: str
    endpoints: int
    healthy: int


@dataclass(frozen=True, slots=True)
class ProxyCounters:
    """Envoy's own counters, cumulative; a restart of Envoy takes them back to 0. `read_ms` by the sidecar's clock, 0 if
    it does not say: an older reading that comes later is no restart."""

    answered: int
    untagged: int
    logs_written: int
    logs_lost: int
    clusters: tuple[ClusterHealth, ...]
    read_ms: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """One report. `proxy` None: the sidecar could not read Envoy's counters, or `proxy_read_elsewhere`: another process
    of it does. `shed`: requests of this epoch so far that passed untagged since the sidecar could not keep up."""

    seq: int
    closed_through_slot: int
    rows: tuple[Row, ...]
    proxy: ProxyCounters | None
    late_outcomes: int
    shed: int = 0
    proxy_read_elsewhere: bool = False
    feedback: tuple[Feedback, ...] = ()


@dataclass(frozen=True, slots=True)
class Hello:
    sidecar: str
    epoch: int
    cluster: str
