from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportRequest(_message.Message):
    __slots__ = ("hello", "batch", "policy_ack")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    POLICY_ACK_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: Batch
    policy_ack: PolicyAck
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., policy_ack: _Optional[_Union[PolicyAck, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("sidecar", "epoch", "cluster")
    SIDECAR_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    sidecar: str
    epoch: int
    cluster: str
    def __init__(self, sidecar: _Optional[str] = ..., epoch: _Optional[int] = ..., cluster: _Optional[str] = ...) -> None: ...

class PolicyAck(_message.Message):
    __slots__ = ("version", "error")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    version: str
    error: str
    def __init__(self, version: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("seq", "closed_through_slot", "rows", "proxy", "late_outcomes_total", "shed_total", "proxy_read_elsewhere", "feedback")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    CLOSED_THROUGH_SLOT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    LATE_OUTCOMES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SHED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    PROXY_READ_ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    seq: int
    closed_through_slot: int
    rows: _containers.RepeatedCompositeFieldContainer[SlotRow]
    proxy: ProxyCounters
    late_outcomes_total: int
    shed_total: int
    proxy_read_elsewhere: bool
    feedback: _containers.RepeatedCompositeFieldContainer[FeedbackRow]
    def __init__(self, seq: _Optional[int] = ..., closed_through_slot: _Optional[int] = ..., rows: _Optional[_Iterable[_Union[SlotRow, _Mapping]]] = ..., proxy: _Optional[_Union[ProxyCounters, _Mapping]] = ..., late_outcomes_total: _Optional[int] = ..., shed_total: _Optional[int] = ..., proxy_read_elsewhere: _Optional[bool] = ..., feedback: _Optional[_Iterable[_Union[FeedbackRow, _Mapping]]] = ...) -> None: ...

class SlotRow(_message.Message):
    __slots__ = ("service", "rollout", "snapshot", "slot", "weight_bp", "weight_class", "cohort", "version", "requests", "routing_mismatches", "metrics", "classes", "histograms", "firsts", "slices")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BP_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_CLASS_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ROUTING_MISMATCHES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAMS_FIELD_NUMBER: _ClassVar[int]
    FIRSTS_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
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
    metrics: _containers.RepeatedCompositeFieldContainer[MetricRow]
    classes: _containers.RepeatedCompositeFieldContainer[ClassCount]
    histograms: _containers.RepeatedCompositeFieldContainer[HistogramRow]
    firsts: _containers.RepeatedCompositeFieldContainer[FirstsRow]
    slices: str
    def __init__(self, service: _Optional[str] = ..., rollout: _Optional[str] = ..., snapshot: _Optional[str] = ..., slot: _Optional[int] = ..., weight_bp: _Optional[int] = ..., weight_class: _Optional[str] = ..., cohort: _Optional[str] = ..., version: _Optional[str] = ..., requests: _Optional[int] = ..., routing_mismatches: _Optional[int] = ..., metrics: _Optional[_Iterable[_Union[MetricRow, _Mapping]]] = ..., classes: _Optional[_Iterable[_Union[ClassCount, _Mapping]]] = ..., histograms: _Optional[_Iterable[_Union[HistogramRow, _Mapping]]] = ..., firsts: _Optional[_Iterable[_Union[FirstsRow, _Mapping]]] = ..., slices: _Optional[str] = ...) -> None: ...

class MetricRow(_message.Message):
    __slots__ = ("metric", "observed", "bad", "keys_ok", "keys_bad")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    BAD_FIELD_NUMBER: _ClassVar[int]
    KEYS_OK_FIELD_NUMBER: _ClassVar[int]
    KEYS_BAD_FIELD_NUMBER: _ClassVar[int]
    metric: str
    observed: int
    bad: int
    keys_ok: _containers.RepeatedScalarFieldContainer[int]
    keys_bad: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, metric: _Optional[str] = ..., observed: _Optional[int] = ..., bad: _Optional[int] = ..., keys_ok: _Optional[_Iterable[int]] = ..., keys_bad: _Optional[_Iterable[int]] = ...) -> None: ...

class HistogramRow(_message.Message):
    __slots__ = ("metric", "bins", "counts")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    metric: str
    bins: _containers.RepeatedScalarFieldContainer[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, metric: _Optional[str] = ..., bins: _Optional[_Iterable[int]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class FirstsRow(_message.Message):
    __slots__ = ("metrics", "keys", "firsts")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    FIRSTS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    keys: _containers.RepeatedScalarFieldContainer[int]
    firsts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, metrics: _Optional[_Iterable[str]] = ..., keys: _Optional[_Iterable[int]] = ..., firsts: _Optional[_Iterable[int]] = ...) -> None: ...

class FeedbackRow(_message.Message):
    __slots__ = ("service", "snapshot", "version", "start_s", "key", "cohort", "request", "score", "predicted", "actual", "margin", "event", "metric")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    service: str
    snapshot: str
    version: str
    start_s: int
    key: int
    cohort: int
    request: int
    score: float
    predicted: bool
    actual: bool
    margin: float
    event: str
    metric: str
    def __init__(self, service: _Optional[str] = ..., snapshot: _Optional[str] = ..., version: _Optional[str] = ..., start_s: _Optional[int] = ..., key: _Optional[int] = ..., cohort: _Optional[int] = ..., request: _Optional[int] = ..., score: _Optional[float] = ..., predicted: _Optional[bool] = ..., actual: _Optional[bool] = ..., margin: _Optional[float] = ..., event: _Optional[str] = ..., metric: _Optional[str] = ...) -> None: ...

class ClassCount(_message.Message):
    __slots__ = ("outcome_class", "count")
    OUTCOME_CLASS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    outcome_class: str
    count: int
    def __init__(self, outcome_class: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class ProxyCounters(_message.Message):
    __slots__ = ("answered_total", "untagged_total", "logs_written_total", "logs_lost_total", "clusters", "read_ms")
    ANSWERED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    UNTAGGED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LOGS_WRITTEN_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LOGS_LOST_TOTAL_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    READ_MS_FIELD_NUMBER: _ClassVar[int]
    answered_total: int
    untagged_total: int
    logs_written_total: int
    logs_lost_total: int
    clusters: _containers.RepeatedCompositeFieldContainer[ClusterHealth]
    read_ms: int
    def __init__(self, answered_total: _Optional[int] = ..., untagged_total: _Optional[int] = ..., logs_written_total: _Optional[int] = ..., logs_lost_total: _Optional[int] = ..., clusters: _Optional[_Iterable[_Union[ClusterHealth, _Mapping]]] = ..., read_ms: _Optional[int] = ...) -> None: ...

class ClusterHealth(_message.Message):
    __slots__ = ("cluster", "endpoints", "healthy")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    HEALTHY_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    endpoints: int
    healthy: int
    def __init__(self, cluster: _Optional[str] = ..., endpoints: _Optional[int] = ..., healthy: _Optional[int] = ...) -> None: ...

class ReportResponse(_message.Message):
    __slots__ = ("ack", "policy")
    ACK_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ack: BatchAck
    policy: Policy
    def __init__(self, ack: _Optional[_Union[BatchAck, _Mapping]] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class BatchAck(_message.Message):
    __slots__ = ("epoch", "seq")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    seq: int
    def __init__(self, epoch: _Optional[int] = ..., seq: _Optional[int] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("version", "services")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    version: str
    services: _containers.RepeatedCompositeFieldContainer[ServicePolicy]
    def __init__(self, version: _Optional[str] = ..., services: _Optional[_Iterable[_Union[ServicePolicy, _Mapping]]] = ...) -> None: ...

class ServicePolicy(_message.Message):
    __slots__ = ("service", "salt", "sticky", "cohorts", "observe_body", "baseline", "follow_up_ms", "tokens", "feedback", "slices", "observe_sampled")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    COHORTS_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_BODY_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_MS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_SAMPLED_FIELD_NUMBER: _ClassVar[int]
    service: str
    salt: str
    sticky: _containers.RepeatedCompositeFieldContainer[StickySource]
    cohorts: _containers.RepeatedCompositeFieldContainer[CohortRule]
    observe_body: bool
    baseline: str
    follow_up_ms: int
    tokens: TokenPolicy
    feedback: FeedbackPolicy
    slices: _containers.RepeatedCompositeFieldContainer[SliceDimension]
    observe_sampled: bool
    def __init__(self, service: _Optional[str] = ..., salt: _Optional[str] = ..., sticky: _Optional[_Iterable[_Union[StickySource, _Mapping]]] = ..., cohorts: _Optional[_Iterable[_Union[CohortRule, _Mapping]]] = ..., observe_body: _Optional[bool] = ..., baseline: _Optional[str] = ..., follow_up_ms: _Optional[int] = ..., tokens: _Optional[_Union[TokenPolicy, _Mapping]] = ..., feedback: _Optional[_Union[FeedbackPolicy, _Mapping]] = ..., slices: _Optional[_Iterable[_Union[SliceDimension, _Mapping]]] = ..., observe_sampled: _Optional[bool] = ...) -> None: ...

class FeedbackPolicy(_message.Message):
    __slots__ = ("key", "token_file")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FILE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    token_file: str
    def __init__(self, key: _Optional[bytes] = ..., token_file: _Optional[str] = ...) -> None: ...

class TokenPolicy(_message.Message):
    __slots__ = ("key_file", "versions")
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    key_file: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key_file: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ...) -> None: ...

class StickySource(_message.Message):
    __slots__ = ("kind", "name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class CohortRule(_message.Message):
    __slots__ = ("name", "header", "exact", "prefix", "when", "pin")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    IN_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    PIN_FIELD_NUMBER: _ClassVar[int]
    name: str
    header: str
    exact: str
    prefix: str
    when: Condition
    pin: str
    def __init__(self, name: _Optional[str] = ..., header: _Optional[str] = ..., exact: _Optional[str] = ..., prefix: _Optional[str] = ..., when: _Optional[_Union[Condition, _Mapping]] = ..., pin: _Optional[str] = ..., **kwargs) -> None: ...

class SliceDimension(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: _containers.RepeatedCompositeFieldContainer[CohortRule]
    def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[_Union[CohortRule, _Mapping]]] = ...) -> None: ...

class StringList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("text", "modulo", "networks", "time", "share", "all_of", "any_of", "negated", "geo")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODULO_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    ALL_OF_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    NEGATED_FIELD_NUMBER: _ClassVar[int]
    GEO_FIELD_NUMBER: _ClassVar[int]
    text: TextTest
    modulo: ModuloTest
    networks: StringList
    time: TimeTest
    share: ShareTest
    all_of: ConditionList
    any_of: ConditionList
    negated: Condition
    geo: GeoTest
    def __init__(self, text: _Optional[_Union[TextTest, _Mapping]] = ..., modulo: _Optional[_Union[ModuloTest, _Mapping]] = ..., networks: _Optional[_Union[StringList, _Mapping]] = ..., time: _Optional[_Union[TimeTest, _Mapping]] = ..., share: _Optional[_Union[ShareTest, _Mapping]] = ..., all_of: _Optional[_Union[ConditionList, _Mapping]] = ..., any_of: _Optional[_Union[ConditionList, _Mapping]] = ..., negated: _Optional[_Union[Condition, _Mapping]] = ..., geo: _Optional[_Union[GeoTest, _Mapping]] = ...) -> None: ...

class ConditionList(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Condition]
    def __init__(self, parts: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ...) -> None: ...

class TextTest(_message.Message):
    __slots__ = ("source", "name", "op", "operands")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    source: str
    name: str
    op: str
    operands: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source: _Optional[str] = ..., name: _Optional[str] = ..., op: _Optional[str] = ..., operands: _Optional[_Iterable[str]] = ...) -> None: ...

class ModuloTest(_message.Message):
    __slots__ = ("source", "name", "divisor", "remainders")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIVISOR_FIELD_NUMBER: _ClassVar[int]
    REMAINDERS_FIELD_NUMBER: _ClassVar[int]
    source: str
    name: str
    divisor: int
    remainders: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, source: _Optional[str] = ..., name: _Optional[str] = ..., divisor: _Optional[int] = ..., remainders: _Optional[_Iterable[int]] = ...) -> None: ...

class TimeTest(_message.Message):
    __slots__ = ("after_s", "before_s", "days", "from_minute", "until_minute")
    AFTER_S_FIELD_NUMBER: _ClassVar[int]
    BEFORE_S_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    FROM_MINUTE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MINUTE_FIELD_NUMBER: _ClassVar[int]
    after_s: int
    before_s: int
    days: _containers.RepeatedScalarFieldContainer[int]
    from_minute: int
    until_minute: int
    def __init__(self, after_s: _Optional[int] = ..., before_s: _Optional[int] = ..., days: _Optional[_Iterable[int]] = ..., from_minute: _Optional[int] = ..., until_minute: _Optional[int] = ...) -> None: ...

class GeoTest(_message.Message):
    __slots__ = ("file", "countries", "continents", "regions")
    FILE_FIELD_NUMBER: _ClassVar[int]
    COUNTRIES_FIELD_NUMBER: _ClassVar[int]
    CONTINENTS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    file: str
    countries: _containers.RepeatedScalarFieldContainer[str]
    continents: _containers.RepeatedScalarFieldContainer[str]
    regions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, file: _Optional[str] = ..., countries: _Optional[_Iterable[str]] = ..., continents: _Optional[_Iterable[str]] = ..., regions: _Optional[_Iterable[str]] = ...) -> None: ...

class ShareTest(_message.Message):
    __slots__ = ("share_bp", "salt")
    SHARE_BP_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    share_bp: int
    salt: str
    def __init__(self, share_bp: _Optional[int] = ..., salt: _Optional[str] = ...) -> None: ...
