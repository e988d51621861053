from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrendsRequest(_message.Message):
    __slots__ = ("service", "from_ms", "until_ms", "every_ms", "version", "total")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    service: str
    from_ms: int
    until_ms: int
    every_ms: int
    version: str
    total: bool
    def __init__(self, service: _Optional[str] = ..., from_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., every_ms: _Optional[int] = ..., version: _Optional[str] = ..., total: _Optional[bool] = ...) -> None: ...

class TrendsResponse(_message.Message):
    __slots__ = ("rows", "every_ms")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[TrendView]
    every_ms: int
    def __init__(self, rows: _Optional[_Iterable[_Union[TrendView, _Mapping]]] = ..., every_ms: _Optional[int] = ...) -> None: ...

class TrendView(_message.Message):
    __slots__ = ("at_ms", "version", "requests", "errors_ratio", "length_ratio", "ttft_p50_seconds", "ttft_p95_seconds", "latency_p50_seconds", "latency_p95_seconds", "time_per_output_token_p50_seconds", "tokens_out_p50", "tokens_in", "tokens_out", "unusual", "distributions")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_RATIO_FIELD_NUMBER: _ClassVar[int]
    LENGTH_RATIO_FIELD_NUMBER: _ClassVar[int]
    TTFT_P50_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TTFT_P95_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P95_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TIME_PER_OUTPUT_TOKEN_P50_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_OUT_P50_FIELD_NUMBER: _ClassVar[int]
    TOKENS_IN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_OUT_FIELD_NUMBER: _ClassVar[int]
    UNUSUAL_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    version: str
    requests: int
    errors_ratio: float
    length_ratio: float
    ttft_p50_seconds: float
    ttft_p95_seconds: float
    latency_p50_seconds: float
    latency_p95_seconds: float
    time_per_output_token_p50_seconds: float
    tokens_out_p50: float
    tokens_in: int
    tokens_out: int
    unusual: str
    distributions: _containers.RepeatedCompositeFieldContainer[DistributionView]
    def __init__(self, at_ms: _Optional[int] = ..., version: _Optional[str] = ..., requests: _Optional[int] = ..., errors_ratio: _Optional[float] = ..., length_ratio: _Optional[float] = ..., ttft_p50_seconds: _Optional[float] = ..., ttft_p95_seconds: _Optional[float] = ..., latency_p50_seconds: _Optional[float] = ..., latency_p95_seconds: _Optional[float] = ..., time_per_output_token_p50_seconds: _Optional[float] = ..., tokens_out_p50: _Optional[float] = ..., tokens_in: _Optional[int] = ..., tokens_out: _Optional[int] = ..., unusual: _Optional[str] = ..., distributions: _Optional[_Iterable[_Union[DistributionView, _Mapping]]] = ...) -> None: ...

class DistributionView(_message.Message):
    __slots__ = ("metric", "unit", "upper", "ratio")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    metric: str
    unit: str
    upper: _containers.RepeatedScalarFieldContainer[float]
    ratio: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, metric: _Optional[str] = ..., unit: _Optional[str] = ..., upper: _Optional[_Iterable[float]] = ..., ratio: _Optional[_Iterable[float]] = ...) -> None: ...

class AlertsRequest(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    def __init__(self, rule: _Optional[str] = ...) -> None: ...

class AlertRequest(_message.Message):
    __slots__ = ("rule", "actor", "reason", "for_ms")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    rule: str
    actor: str
    reason: str
    for_ms: int
    def __init__(self, rule: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., for_ms: _Optional[int] = ...) -> None: ...

class AlertsResponse(_message.Message):
    __slots__ = ("rules", "silences", "external", "now_ms")
    RULES_FIELD_NUMBER: _ClassVar[int]
    SILENCES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[AlertRuleView]
    silences: _containers.RepeatedCompositeFieldContainer[SilenceView]
    external: _containers.RepeatedCompositeFieldContainer[ExternalAlertView]
    now_ms: int
    def __init__(self, rules: _Optional[_Iterable[_Union[AlertRuleView, _Mapping]]] = ..., silences: _Optional[_Iterable[_Union[SilenceView, _Mapping]]] = ..., external: _Optional[_Iterable[_Union[ExternalAlertView, _Mapping]]] = ..., now_ms: _Optional[int] = ...) -> None: ...

class AlertRuleView(_message.Message):
    __slots__ = ("name", "service", "severity", "state", "since_ms", "text", "summary", "acknowledged_by", "acknowledged_reason", "silenced_by", "silenced_until_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_REASON_FIELD_NUMBER: _ClassVar[int]
    SILENCED_BY_FIELD_NUMBER: _ClassVar[int]
    SILENCED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    service: str
    severity: str
    state: str
    since_ms: int
    text: str
    summary: str
    acknowledged_by: str
    acknowledged_reason: str
    silenced_by: str
    silenced_until_ms: int
    def __init__(self, name: _Optional[str] = ..., service: _Optional[str] = ..., severity: _Optional[str] = ..., state: _Optional[str] = ..., since_ms: _Optional[int] = ..., text: _Optional[str] = ..., summary: _Optional[str] = ..., acknowledged_by: _Optional[str] = ..., acknowledged_reason: _Optional[str] = ..., silenced_by: _Optional[str] = ..., silenced_until_ms: _Optional[int] = ...) -> None: ...

class SilenceView(_message.Message):
    __slots__ = ("rule", "author", "reason", "from_ms", "until_ms")
    RULE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    rule: str
    author: str
    reason: str
    from_ms: int
    until_ms: int
    def __init__(self, rule: _Optional[str] = ..., author: _Optional[str] = ..., reason: _Optional[str] = ..., from_ms: _Optional[int] = ..., until_ms: _Optional[int] = ...) -> None: ...

class ExternalAlertView(_message.Message):
    __slots__ = ("name", "about", "action", "summary", "since_ms", "seen_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    SEEN_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    about: str
    action: str
    summary: str
    since_ms: int
    seen_ms: int
    def __init__(self, name: _Optional[str] = ..., about: _Optional[str] = ..., action: _Optional[str] = ..., summary: _Optional[str] = ..., since_ms: _Optional[int] = ..., seen_ms: _Optional[int] = ...) -> None: ...

class ManifestFile(_message.Message):
    __slots__ = ("name", "text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    text: str
    def __init__(self, name: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ("files", "dry_run", "actor", "deletions", "with_data")
    FILES_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    DELETIONS_FIELD_NUMBER: _ClassVar[int]
    WITH_DATA_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[ManifestFile]
    dry_run: bool
    actor: str
    deletions: _containers.RepeatedCompositeFieldContainer[ObjectName]
    with_data: bool
    def __init__(self, files: _Optional[_Iterable[_Union[ManifestFile, _Mapping]]] = ..., dry_run: _Optional[bool] = ..., actor: _Optional[str] = ..., deletions: _Optional[_Iterable[_Union[ObjectName, _Mapping]]] = ..., with_data: _Optional[bool] = ...) -> None: ...

class ObjectName(_message.Message):
    __slots__ = ("kind", "name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ("objects",)
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    objects: _containers.RepeatedCompositeFieldContainer[AppliedObject]
    def __init__(self, objects: _Optional[_Iterable[_Union[AppliedObject, _Mapping]]] = ...) -> None: ...

class AppliedObject(_message.Message):
    __slots__ = ("kind", "name", "change", "note", "before", "after")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    change: str
    note: str
    before: str
    after: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., change: _Optional[str] = ..., note: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("kind", "name", "brief")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    brief: bool
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., brief: _Optional[bool] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("services", "rollouts", "proxies", "groups", "refusals")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    ROLLOUTS_FIELD_NUMBER: _ClassVar[int]
    PROXIES_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceView]
    rollouts: _containers.RepeatedCompositeFieldContainer[RolloutView]
    proxies: _containers.RepeatedCompositeFieldContainer[ProxyView]
    groups: _containers.RepeatedCompositeFieldContainer[ProxyGroupView]
    refusals: _containers.RepeatedCompositeFieldContainer[RefusalView]
    def __init__(self, services: _Optional[_Iterable[_Union[ServiceView, _Mapping]]] = ..., rollouts: _Optional[_Iterable[_Union[RolloutView, _Mapping]]] = ..., proxies: _Optional[_Iterable[_Union[ProxyView, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[ProxyGroupView, _Mapping]]] = ..., refusals: _Optional[_Iterable[_Union[RefusalView, _Mapping]]] = ...) -> None: ...

class ProxyGroupView(_message.Message):
    __slots__ = ("name", "listen", "nodes", "services", "connected", "up_to_date")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LISTEN_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    UP_TO_DATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    listen: str
    nodes: _containers.RepeatedScalarFieldContainer[str]
    services: _containers.RepeatedScalarFieldContainer[str]
    connected: int
    up_to_date: int
    def __init__(self, name: _Optional[str] = ..., listen: _Optional[str] = ..., nodes: _Optional[_Iterable[str]] = ..., services: _Optional[_Iterable[str]] = ..., connected: _Optional[int] = ..., up_to_date: _Optional[int] = ...) -> None: ...

class RefusalView(_message.Message):
    __slots__ = ("node", "cluster", "reason", "at_ms")
    NODE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    node: str
    cluster: str
    reason: str
    at_ms: int
    def __init__(self, node: _Optional[str] = ..., cluster: _Optional[str] = ..., reason: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class RejectionView(_message.Message):
    __slots__ = ("node", "group", "type", "message")
    NODE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    node: str
    group: str
    type: str
    message: str
    def __init__(self, node: _Optional[str] = ..., group: _Optional[str] = ..., type: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ServiceView(_message.Message):
    __slots__ = ("name", "protocol", "hosts", "prefix", "versions", "baseline", "rollout", "sticky", "datapath", "datapath_chosen", "datapath_reason", "servers", "probes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    DATAPATH_FIELD_NUMBER: _ClassVar[int]
    DATAPATH_CHOSEN_FIELD_NUMBER: _ClassVar[int]
    DATAPATH_REASON_FIELD_NUMBER: _ClassVar[int]
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    PROBES_FIELD_NUMBER: _ClassVar[int]
    name: str
    protocol: str
    hosts: _containers.RepeatedScalarFieldContainer[str]
    prefix: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    baseline: str
    rollout: str
    sticky: str
    datapath: str
    datapath_chosen: str
    datapath_reason: str
    servers: _containers.RepeatedCompositeFieldContainer[ServersView]
    probes: _containers.RepeatedCompositeFieldContainer[ProbeView]
    def __init__(self, name: _Optional[str] = ..., protocol: _Optional[str] = ..., hosts: _Optional[_Iterable[str]] = ..., prefix: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ..., baseline: _Optional[str] = ..., rollout: _Optional[str] = ..., sticky: _Optional[str] = ..., datapath: _Optional[str] = ..., datapath_chosen: _Optional[str] = ..., datapath_reason: _Optional[str] = ..., servers: _Optional[_Iterable[_Union[ServersView, _Mapping]]] = ..., probes: _Optional[_Iterable[_Union[ProbeView, _Mapping]]] = ...) -> None: ...

class ProbeView(_message.Message):
    __slots__ = ("name", "target", "state", "since_ms", "fault", "seconds", "holds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    target: str
    state: str
    since_ms: int
    fault: str
    seconds: float
    holds: bool
    def __init__(self, name: _Optional[str] = ..., target: _Optional[str] = ..., state: _Optional[str] = ..., since_ms: _Optional[int] = ..., fault: _Optional[str] = ..., seconds: _Optional[float] = ..., holds: _Optional[bool] = ...) -> None: ...

class LogPatternView(_message.Message):
    __slots__ = ("pattern", "lines", "lately")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    LATELY_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    lines: int
    lately: int
    def __init__(self, pattern: _Optional[str] = ..., lines: _Optional[int] = ..., lately: _Optional[int] = ...) -> None: ...

class ServersView(_message.Message):
    __slots__ = ("version", "endpoints", "in_clear", "sources", "answering", "kv_cache_used_ratio", "queue_depth", "running_requests", "gpu_utilisation_ratio", "gpu_memory_used_bytes", "gpu_memory_bytes", "preemptions", "cpu_cores", "resident_memory_bytes", "disk_read_bytes", "disk_written_bytes", "connections", "memory_growth_per_second", "leaks", "full", "logs", "log_faults", "log_sources")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    IN_CLEAR_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    ANSWERING_FIELD_NUMBER: _ClassVar[int]
    KV_CACHE_USED_RATIO_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    RUNNING_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    GPU_UTILISATION_RATIO_FIELD_NUMBER: _ClassVar[int]
    GPU_MEMORY_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    PREEMPTIONS_FIELD_NUMBER: _ClassVar[int]
    CPU_CORES_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_READ_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_WRITTEN_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_GROWTH_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LEAKS_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    LOG_FAULTS_FIELD_NUMBER: _ClassVar[int]
    LOG_SOURCES_FIELD_NUMBER: _ClassVar[int]
    version: str
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    in_clear: bool
    sources: int
    answering: int
    kv_cache_used_ratio: float
    queue_depth: float
    running_requests: float
    gpu_utilisation_ratio: float
    gpu_memory_used_bytes: float
    gpu_memory_bytes: float
    preemptions: float
    cpu_cores: float
    resident_memory_bytes: float
    disk_read_bytes: float
    disk_written_bytes: float
    connections: float
    memory_growth_per_second: float
    leaks: bool
    full: bool
    logs: _containers.RepeatedCompositeFieldContainer[LogPatternView]
    log_faults: _containers.RepeatedScalarFieldContainer[str]
    log_sources: int
    def __init__(self, version: _Optional[str] = ..., endpoints: _Optional[_Iterable[str]] = ..., in_clear: _Optional[bool] = ..., sources: _Optional[int] = ..., answering: _Optional[int] = ..., kv_cache_used_ratio: _Optional[float] = ..., queue_depth: _Optional[float] = ..., running_requests: _Optional[float] = ..., gpu_utilisation_ratio: _Optional[float] = ..., gpu_memory_used_bytes: _Optional[float] = ..., gpu_memory_bytes: _Optional[float] = ..., preemptions: _Optional[float] = ..., cpu_cores: _Optional[float] = ..., resident_memory_bytes: _Optional[float] = ..., disk_read_bytes: _Optional[float] = ..., disk_written_bytes: _Optional[float] = ..., connections: _Optional[float] = ..., memory_growth_per_second: _Optional[float] = ..., leaks: _Optional[bool] = ..., full: _Optional[bool] = ..., logs: _Optional[_Iterable[_Union[LogPatternView, _Mapping]]] = ..., log_faults: _Optional[_Iterable[str]] = ..., log_sources: _Optional[int] = ...) -> None: ...

class ProxyView(_message.Message):
    __slots__ = ("node", "cluster", "envoy_version", "connected", "accepted_routes", "published_routes", "last_error", "sidecar_connected", "clusters", "group", "mode", "state")
    NODE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ENVOY_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_ROUTES_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_ROUTES_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    SIDECAR_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    node: str
    cluster: str
    envoy_version: str
    connected: bool
    accepted_routes: str
    published_routes: str
    last_error: str
    sidecar_connected: bool
    clusters: _containers.RepeatedCompositeFieldContainer[ClusterHealthView]
    group: str
    mode: str
    state: str
    def __init__(self, node: _Optional[str] = ..., cluster: _Optional[str] = ..., envoy_version: _Optional[str] = ..., connected: _Optional[bool] = ..., accepted_routes: _Optional[str] = ..., published_routes: _Optional[str] = ..., last_error: _Optional[str] = ..., sidecar_connected: _Optional[bool] = ..., clusters: _Optional[_Iterable[_Union[ClusterHealthView, _Mapping]]] = ..., group: _Optional[str] = ..., mode: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class ClusterHealthView(_message.Message):
    __slots__ = ("version", "endpoints", "healthy", "cluster")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    HEALTHY_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    version: str
    endpoints: int
    healthy: int
    cluster: str
    def __init__(self, version: _Optional[str] = ..., endpoints: _Optional[int] = ..., healthy: _Optional[int] = ..., cluster: _Optional[str] = ...) -> None: ...

class MetricView(_message.Message):
    __slots__ = ("metric", "role", "baseline_n", "baseline_bad", "candidate_n", "candidate_bad", "worse_log_e", "worse_needed", "good_log_e", "good_needed", "verdict", "limit", "baseline_requests", "baseline_request_bad", "candidate_requests", "candidate_request_bad", "baseline_interval", "candidate_interval", "difference_interval", "more_users", "more_seconds")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    BASELINE_N_FIELD_NUMBER: _ClassVar[int]
    BASELINE_BAD_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_N_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_BAD_FIELD_NUMBER: _ClassVar[int]
    WORSE_LOG_E_FIELD_NUMBER: _ClassVar[int]
    WORSE_NEEDED_FIELD_NUMBER: _ClassVar[int]
    GOOD_LOG_E_FIELD_NUMBER: _ClassVar[int]
    GOOD_NEEDED_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BASELINE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    BASELINE_REQUEST_BAD_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_REQUEST_BAD_FIELD_NUMBER: _ClassVar[int]
    BASELINE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MORE_USERS_FIELD_NUMBER: _ClassVar[int]
    MORE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    metric: str
    role: str
    baseline_n: int
    baseline_bad: int
    candidate_n: int
    candidate_bad: int
    worse_log_e: float
    worse_needed: float
    good_log_e: float
    good_needed: float
    verdict: str
    limit: str
    baseline_requests: int
    baseline_request_bad: int
    candidate_requests: int
    candidate_request_bad: int
    baseline_interval: IntervalView
    candidate_interval: IntervalView
    difference_interval: IntervalView
    more_users: int
    more_seconds: float
    def __init__(self, metric: _Optional[str] = ..., role: _Optional[str] = ..., baseline_n: _Optional[int] = ..., baseline_bad: _Optional[int] = ..., candidate_n: _Optional[int] = ..., candidate_bad: _Optional[int] = ..., worse_log_e: _Optional[float] = ..., worse_needed: _Optional[float] = ..., good_log_e: _Optional[float] = ..., good_needed: _Optional[float] = ..., verdict: _Optional[str] = ..., limit: _Optional[str] = ..., baseline_requests: _Optional[int] = ..., baseline_request_bad: _Optional[int] = ..., candidate_requests: _Optional[int] = ..., candidate_request_bad: _Optional[int] = ..., baseline_interval: _Optional[_Union[IntervalView, _Mapping]] = ..., candidate_interval: _Optional[_Union[IntervalView, _Mapping]] = ..., difference_interval: _Optional[_Union[IntervalView, _Mapping]] = ..., more_users: _Optional[int] = ..., more_seconds: _Optional[float] = ...) -> None: ...

class IntervalView(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: float
    high: float
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class EventView(_message.Message):
    __slots__ = ("at_ms", "kind", "text", "action", "reason", "revision", "actor")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    kind: str
    text: str
    action: str
    reason: str
    revision: int
    actor: str
    def __init__(self, at_ms: _Optional[int] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ..., action: _Optional[str] = ..., reason: _Optional[str] = ..., revision: _Optional[int] = ..., actor: _Optional[str] = ...) -> None: ...

class RolloutView(_message.Message):
    __slots__ = ("name", "service", "baseline", "candidate", "phase", "step_index", "step_count", "weight_bp", "observed_ratio", "observed_keys", "message", "metrics", "events", "started_at_ms", "now_ms", "ended_at_ms", "revision", "terminal", "steps_bp", "routing_mismatches", "untagged_recent", "lost_entries_recent", "rejections", "findings", "finding", "finding_text", "approval_needed_bp", "slices", "servers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    STEP_INDEX_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BP_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_RATIO_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_KEYS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_FIELD_NUMBER: _ClassVar[int]
    STEPS_BP_FIELD_NUMBER: _ClassVar[int]
    ROUTING_MISMATCHES_FIELD_NUMBER: _ClassVar[int]
    UNTAGGED_RECENT_FIELD_NUMBER: _ClassVar[int]
    LOST_ENTRIES_RECENT_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    FINDING_TEXT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_NEEDED_BP_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    service: str
    baseline: str
    candidate: str
    phase: str
    step_index: int
    step_count: int
    weight_bp: int
    observed_ratio: float
    observed_keys: int
    message: str
    metrics: _containers.RepeatedCompositeFieldContainer[MetricView]
    events: _containers.RepeatedCompositeFieldContainer[EventView]
    started_at_ms: int
    now_ms: int
    ended_at_ms: int
    revision: int
    terminal: bool
    steps_bp: _containers.RepeatedScalarFieldContainer[int]
    routing_mismatches: int
    untagged_recent: int
    lost_entries_recent: int
    rejections: _containers.RepeatedCompositeFieldContainer[RejectionView]
    findings: _containers.RepeatedScalarFieldContainer[str]
    finding: str
    finding_text: str
    approval_needed_bp: int
    slices: _containers.RepeatedCompositeFieldContainer[SliceView]
    servers: _containers.RepeatedCompositeFieldContainer[ServersView]
    def __init__(self, name: _Optional[str] = ..., service: _Optional[str] = ..., baseline: _Optional[str] = ..., candidate: _Optional[str] = ..., phase: _Optional[str] = ..., step_index: _Optional[int] = ..., step_count: _Optional[int] = ..., weight_bp: _Optional[int] = ..., observed_ratio: _Optional[float] = ..., observed_keys: _Optional[int] = ..., message: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[MetricView, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[EventView, _Mapping]]] = ..., started_at_ms: _Optional[int] = ..., now_ms: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., revision: _Optional[int] = ..., terminal: _Optional[bool] = ..., steps_bp: _Optional[_Iterable[int]] = ..., routing_mismatches: _Optional[int] = ..., untagged_recent: _Optional[int] = ..., lost_entries_recent: _Optional[int] = ..., rejections: _Optional[_Iterable[_Union[RejectionView, _Mapping]]] = ..., findings: _Optional[_Iterable[str]] = ..., finding: _Optional[str] = ..., finding_text: _Optional[str] = ..., approval_needed_bp: _Optional[int] = ..., slices: _Optional[_Iterable[_Union[SliceView, _Mapping]]] = ..., servers: _Optional[_Iterable[_Union[ServersView, _Mapping]]] = ...) -> None: ...

class SliceView(_message.Message):
    __slots__ = ("dimension", "value", "baseline_requests", "baseline_bad", "candidate_requests", "candidate_bad", "worse_log_e", "named", "metric")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BASELINE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    BASELINE_BAD_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_BAD_FIELD_NUMBER: _ClassVar[int]
    WORSE_LOG_E_FIELD_NUMBER: _ClassVar[int]
    NAMED_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    dimension: str
    value: str
    baseline_requests: int
    baseline_bad: int
    candidate_requests: int
    candidate_bad: int
    worse_log_e: float
    named: bool
    metric: str
    def __init__(self, dimension: _Optional[str] = ..., value: _Optional[str] = ..., baseline_requests: _Optional[int] = ..., baseline_bad: _Optional[int] = ..., candidate_requests: _Optional[int] = ..., candidate_bad: _Optional[int] = ..., worse_log_e: _Optional[float] = ..., named: _Optional[bool] = ..., metric: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: str
    def __init__(self, rollout: _Optional[str] = ...) -> None: ...

class OperatorRequest(_message.Message):
    __slots__ = ("rollout", "actor", "reason")
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    rollout: str
    actor: str
    reason: str
    def __init__(self, rollout: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PromoteRequest(_message.Message):
    __slots__ = ("rollout", "actor", "reason", "skip_analysis")
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SKIP_ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    rollout: str
    actor: str
    reason: str
    skip_analysis: bool
    def __init__(self, rollout: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., skip_analysis: _Optional[bool] = ...) -> None: ...

class ApproveRequest(_message.Message):
    __slots__ = ("rollout", "actor", "reason", "step_bp")
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STEP_BP_FIELD_NUMBER: _ClassVar[int]
    rollout: str
    actor: str
    reason: str
    step_bp: int
    def __init__(self, rollout: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., step_bp: _Optional[int] = ...) -> None: ...

class OperatorResponse(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: RolloutView
    def __init__(self, rollout: _Optional[_Union[RolloutView, _Mapping]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: str
    def __init__(self, rollout: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("rollout", "sentences", "events", "samples", "rollout_sha256", "service_sha256")
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_SHA256_FIELD_NUMBER: _ClassVar[int]
    SERVICE_SHA256_FIELD_NUMBER: _ClassVar[int]
    rollout: RolloutView
    sentences: _containers.RepeatedScalarFieldContainer[str]
    events: _containers.RepeatedCompositeFieldContainer[EventView]
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    rollout_sha256: str
    service_sha256: str
    def __init__(self, rollout: _Optional[_Union[RolloutView, _Mapping]] = ..., sentences: _Optional[_Iterable[str]] = ..., events: _Optional[_Iterable[_Union[EventView, _Mapping]]] = ..., samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ..., rollout_sha256: _Optional[str] = ..., service_sha256: _Optional[str] = ...) -> None: ...

class AuditRequest(_message.Message):
    __slots__ = ("object", "actor", "since_ms", "limit")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    object: str
    actor: str
    since_ms: int
    limit: int
    def __init__(self, object: _Optional[str] = ..., actor: _Optional[str] = ..., since_ms: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class AuditResponse(_message.Message):
    __slots__ = ("entries", "more")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    more: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("serial", "at_ms", "actor", "verb", "objects", "reason", "address", "identity", "role", "claimed")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    VERB_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    serial: int
    at_ms: int
    actor: str
    verb: str
    objects: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    address: str
    identity: str
    role: str
    claimed: str
    def __init__(self, serial: _Optional[int] = ..., at_ms: _Optional[int] = ..., actor: _Optional[str] = ..., verb: _Optional[str] = ..., objects: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., address: _Optional[str] = ..., identity: _Optional[str] = ..., role: _Optional[str] = ..., claimed: _Optional[str] = ...) -> None: ...

class HeaderField(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class CohortRequest(_message.Message):
    __slots__ = ("service", "headers")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    service: str
    headers: _containers.RepeatedCompositeFieldContainer[HeaderField]
    def __init__(self, service: _Optional[str] = ..., headers: _Optional[_Iterable[_Union[HeaderField, _Mapping]]] = ...) -> None: ...

class CohortResponse(_message.Message):
    __slots__ = ("cohort", "version", "has_key", "bucket", "weight_bp", "rule")
    COHORT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HAS_KEY_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BP_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    cohort: str
    version: str
    has_key: bool
    bucket: int
    weight_bp: int
    rule: str
    def __init__(self, cohort: _Optional[str] = ..., version: _Optional[str] = ..., has_key: _Optional[bool] = ..., bucket: _Optional[int] = ..., weight_bp: _Optional[int] = ..., rule: _Optional[str] = ...) -> None: ...

class FeedbackRequest(_message.Message):
    __slots__ = ("request_id", "actor", "score", "predicted", "actual", "margin", "event", "metric")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    actor: str
    score: float
    predicted: bool
    actual: bool
    margin: float
    event: str
    metric: str
    def __init__(self, request_id: _Optional[str] = ..., actor: _Optional[str] = ..., score: _Optional[float] = ..., predicted: _Optional[bool] = ..., actual: _Optional[bool] = ..., margin: _Optional[float] = ..., event: _Optional[str] = ..., metric: _Optional[str] = ...) -> None: ...

class FeedbackResponse(_message.Message):
    __slots__ = ("service", "version", "rollout", "text")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    service: str
    version: str
    rollout: str
    text: str
    def __init__(self, service: _Optional[str] = ..., version: _Optional[str] = ..., rollout: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("at_ms", "weight_bp", "observed_ratio", "metrics")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BP_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_RATIO_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    weight_bp: int
    observed_ratio: float
    metrics: _containers.RepeatedCompositeFieldContainer[MetricSample]
    def __init__(self, at_ms: _Optional[int] = ..., weight_bp: _Optional[int] = ..., observed_ratio: _Optional[float] = ..., metrics: _Optional[_Iterable[_Union[MetricSample, _Mapping]]] = ...) -> None: ...

class MetricSample(_message.Message):
    __slots__ = ("metric", "worse_log_e", "good_log_e", "baseline_requests", "baseline_bad", "candidate_requests", "candidate_bad")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    WORSE_LOG_E_FIELD_NUMBER: _ClassVar[int]
    GOOD_LOG_E_FIELD_NUMBER: _ClassVar[int]
    BASELINE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    BASELINE_BAD_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_BAD_FIELD_NUMBER: _ClassVar[int]
    metric: str
    worse_log_e: float
    good_log_e: float
    baseline_requests: int
    baseline_bad: int
    candidate_requests: int
    candidate_bad: int
    def __init__(self, metric: _Optional[str] = ..., worse_log_e: _Optional[float] = ..., good_log_e: _Optional[float] = ..., baseline_requests: _Optional[int] = ..., baseline_bad: _Optional[int] = ..., candidate_requests: _Optional[int] = ..., candidate_bad: _Optional[int] = ...) -> None: ...
