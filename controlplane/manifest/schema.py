"""The typed specs behind the manifests: what the rest of the control plane works with.

Field names are the manifest's keys; values are in base units, named by suffix (`_bp` basis points, `_ms`
milliseconds). Unknown keys are errors. What the manifest language has but this version has not built is refused by
name, never ignored. Cross-object rules (a rollout's service exists, hosts do not clash) are in `rules.py`.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from controlplane.manifest.units import parse_duration_ms, parse_percent_bp, parse_points_bp
from serinus.contract.metric import ERRORS, FINISH_LENGTH
from serinus.contract.policy import StickyKind, StickySource

API_VERSION = "serinus/v1"

# Envoy cluster names, header values and metric labels are built from names: a DNS label is safe in all of them.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$"), AfterValidator(str.lower)]
PercentBp = Annotated[int, BeforeValidator(parse_percent_bp)]
PointsBp = Annotated[int, BeforeValidator(parse_points_bp)]
DurationMs = Annotated[int, BeforeValidator(parse_duration_ms)]


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, strict=True)


def _not_built(what: str) -> BeforeValidator:
    def refuse(value: object) -> object:
        if value is not None:
            raise ValueError(f"{what} is not built yet in this version; leave it out")
        return value

    return BeforeValidator(refuse)


class Protocol(StrEnum):
    OPENAI = "openai"
    HTTP = "http"


class DataPath(StrEnum):
    AUTO = "auto"
    EXT_PROC = "ext_proc"


class Health(Spec):
    """Active health check. Without `path` (or without `health` at all) a TCP connect is the check."""

    path: Annotated[str, Field(pattern=r"^/[!-~]*$")] | None = None
    interval_ms: DurationMs = Field(default=2000, alias="interval")
    timeout_ms: DurationMs = Field(default=1000, alias="timeout")


def _parse_endpoint(text: object) -> object:
    if not isinstance(text, str):
        raise ValueError(f'{text!r} is not an endpoint; write it as "address:port"')
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f'{text!r} is not an endpoint; write it as "address:port", for example 127.0.0.1:8001')
    return Endpoint(host=host.removeprefix("[").removesuffix("]"), port=int(port))


class Endpoint(Spec):
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Version(Spec):
    name: Name
    endpoints: Annotated[
        tuple[Annotated[Endpoint, BeforeValidator(_parse_endpoint)], ...],
        BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v),
        Field(min_length=1, max_length=1000),
    ]
    health: Health = Health()
    tls: Annotated[None, _not_built("`tls` on a version")] = None
    auth: Annotated[None, _not_built("`auth` on a version")] = None


class HeaderMatchSpec(Spec):
    name: HeaderName
    exact: str | None = None
    prefix: str | None = None
    one_of: Annotated[tuple[str, ...] | None, BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = (
        Field(default=None, alias="in", min_length=1, max_length=1000)
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "HeaderMatchSpec":
        if sum(value is not None for value in (self.exact, self.prefix, self.one_of)) != 1:
            raise ValueError("a header match needs exactly one of exact, prefix, in")
        return self


class CohortMatch(Spec):
    header: HeaderMatchSpec


class Cohort(Spec):
    name: Name
    match: CohortMatch
    pin: Literal["candidate", "baseline"]
    weight_factor: Annotated[None, _not_built("`weight_factor`")] = None


class Observe(Spec):
    body: bool = False
    sample: float = 1.0

    @model_validator(mode="after")
    def _whole(self) -> "Observe":
        if self.sample != 1.0:
            raise ValueError("`sample` other than 1.0 is not built yet in this version; leave it out")
        return self


def _parse_sticky(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    return tuple(_parse_sticky_item(item) for item in items)


def _parse_sticky_item(item: object) -> StickySource:
    if item == "request":
        return StickySource(StickyKind.REQUEST)
    if isinstance(item, dict) and len(item) == 1:
        kind, name = next(iter(item.items()))
        if kind in ("header", "cookie", "query") and isinstance(name, str) and name:
            return StickySource(StickyKind(kind), name.lower() if kind == "header" else name)
    raise ValueError("sticky is `request`, or one of {header: NAME}, {cookie: NAME}, {query: NAME}, or a list of these")


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class ServiceSpec(Spec):
    protocol: Annotated[Protocol, BeforeValidator(lambda v: _choice(Protocol, v, {"kserve-v2"}))]
    hosts: Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=100)]
    prefix: Annotated[str, Field(pattern=r"^/[!-~]*$")] = "/"
    sticky: Annotated[tuple[StickySource, ...], BeforeValidator(_parse_sticky), Field(min_length=1, max_length=8)]
    datapath: Annotated[DataPath, BeforeValidator(lambda v: _choice(DataPath, v, {"native"}))] = DataPath.AUTO
    versions: Annotated[tuple[Version, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=20)]
    baseline: Name
    cohorts: Annotated[tuple[Cohort, ...], BeforeValidator(_as_tuple), Field(max_length=100)] = ()
    drain_ms: DurationMs = Field(default=60_000, alias="drain")
    observe: Observe = Observe()
    limits: Annotated[None, _not_built("`limits`")] = None

    def version(self, name: str) -> Version:
        """The version of that name. Raises KeyError if there is none."""
        return {version.name: version for version in self.versions}[name]


def _choice(kinds: type[StrEnum], value: object, planned: set[str]) -> object:
    """An enum by its text; a value that is planned but not built is refused by name."""
    if isinstance(value, str) and value in planned:
        raise ValueError(f"{value!r} is not built yet in this version; use one of {', '.join(kinds)}")
    if value not in list(kinds):
        raise ValueError(f"{value!r} is none of {', '.join(kinds)}")
    return kinds(str(value))


class Strategy(StrEnum):
    CANARY = "canary"


class OnDeadline(StrEnum):
    HOLD = "hold"
    ROLLBACK = "rollback"


class Pace(Spec):
    min_step_ms: DurationMs = Field(default=30_000, alias="min_step")
    deadline_ms: DurationMs = Field(default=24 * 3_600_000, alias="deadline")
    on_deadline: Annotated[OnDeadline, BeforeValidator(lambda v: _choice(OnDeadline, v, {"promote"}))] = OnDeadline.HOLD
    # How long after its start a request is waited for before its slot is judged; the same for both arms.
    follow_up_ms: DurationMs = Field(default=10_000, alias="follow_up")


def _alpha(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-6 <= value <= 0.5:
        raise ValueError(f"{value!r} is not an error probability between 0.000001 and 0.5")
    return float(value)


class Confidence(Spec):
    rollback_alpha: Annotated[float, BeforeValidator(_alpha)] = 0.01
    advance_alpha: Annotated[float, BeforeValidator(_alpha)] = 0.05


_METRICS_PLANNED = {"ttft", "time_per_output_token", "duration", "tokens"}


def _metric(value: object) -> object:
    if value in _METRICS_PLANNED:
        raise ValueError(f"metric {value!r} is not built yet in this version; use errors or finish_reason")
    if value not in (ERRORS, "finish_reason"):
        raise ValueError(f"unknown metric {value!r}; known: errors, finish_reason")
    return value


class Guardrail(Spec):
    """One judged metric. `margin_bp` None: the rollout's harm budget is its budget."""

    metric: Annotated[str, BeforeValidator(_metric)]
    of: str | None = None
    margin_bp: PointsBp | None = Field(default=None, alias="margin")
    max_bp: Annotated[None, _not_built("`max`")] = Field(default=None, alias="max")

    @model_validator(mode="after")
    def _known(self) -> "Guardrail":
        if self.metric == "finish_reason" and (self.of != "length" or self.margin_bp is None):
            raise ValueError(
                "metric finish_reason needs `of: length` and a `margin` in percentage points, for example 5pp"
            )
        if self.metric == ERRORS and self.of is not None:
            raise ValueError("metric errors takes no `of`")
        return self

    @property
    def metric_id(self) -> str:
        """The name of the metric in slots and series: `errors`, `finish_reason:length`."""
        return FINISH_LENGTH if self.metric == "finish_reason" else self.metric


def _parse_steps(value: object) -> object:
    if value == "auto":
        raise ValueError("`steps: auto` is not built yet in this version; write a list such as [1%, 10%, 100%]")
    return _as_tuple(value)


class RolloutSpec(Spec):
    service: Name
    candidate: Name
    strategy: Annotated[
        Strategy, BeforeValidator(lambda v: _choice(Strategy, v, {"blue-green", "shadow", "ab", "bandit"}))
    ] = Strategy.CANARY
    steps_bp: Annotated[
        tuple[PercentBp, ...],
        BeforeValidator(_parse_steps),
        Field(min_length=1, max_length=100, alias="steps"),
    ]
    pace: Pace = Pace()
    warm_up_ms: DurationMs = Field(default=0, alias="warm_up")
    harm_budget_bp: PercentBp = Field(default=25, alias="harm_budget")
    confidence: Confidence = Confidence()
    guardrails: Annotated[tuple[Guardrail, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=20)] = (
        Guardrail(metric=ERRORS),
    )
    bake: Annotated[None, _not_built("`bake`")] = None
    approvals: Annotated[None, _not_built("`approvals`")] = None
    freeze: Annotated[None, _not_built("`freeze`")] = None
    hooks: Annotated[None, _not_built("`hooks`")] = None
    notify: Annotated[None, _not_built("`notify`")] = None

    @model_validator(mode="before")
    @classmethod
    def _errors_always(cls, data: Any) -> Any:
        """`errors` is judged whether named or not: a release that only watches content could break HTTP unseen."""
        if isinstance(data, dict) and isinstance(rows := data.get("guardrails"), list):
            named = any(isinstance(row, dict) and row.get("metric") == ERRORS for row in rows)
            return data if named else {**data, "guardrails": [*rows, {"metric": ERRORS}]}
        return data

    @model_validator(mode="after")
    def _steps_rise(self) -> "RolloutSpec":
        if any(later <= earlier for earlier, later in zip(self.steps_bp, self.steps_bp[1:], strict=False)):
            raise ValueError("steps must rise, for example [1%, 10%, 100%]")
        if self.steps_bp[0] == 0 or self.steps_bp[-1] != 10_000:
            raise ValueError("steps start above 0% and end with 100%")
        if self.harm_budget_bp == 0:
            raise ValueError("harm_budget must be above 0%: no evidence can show an excess of exactly nothing")
        names = [row.metric_id for row in self.guardrails]
        if len(names) != len(set(names)):
            raise ValueError("a metric may stand in guardrails once")
        return self
