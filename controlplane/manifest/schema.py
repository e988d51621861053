"""The typed specs behind the manifests: what the rest of the control plane works with.

Field names are the manifest's keys; values are in base units, named by suffix (`_bp` basis points, `_ms`
milliseconds). Unknown keys are errors. What the manifest language has but this version has not built is refused by
name, never ignored. Cross-object rules (a rollout's service exists, hosts do not clash) are in `rules.py`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from controlplane.manifest.alerts import Alerts
from controlplane.manifest.cohort import Cohort
from controlplane.manifest.field import (
    DurationMs,
    Host,
    Name,
    PercentBp,
    Spec,
    as_tuple,
    choice,
)
from controlplane.manifest.freeze import Freeze
from controlplane.manifest.guardrail import Guardrail
from controlplane.manifest.hook import Hook, Hooks
from controlplane.manifest.limit import Limit, Limits
from controlplane.manifest.notify import NotifyList
from controlplane.manifest.pacing import Approvals, Bake, Confidence, Diagnostics, WhenBusy
from controlplane.manifest.probe import Probes
from controlplane.manifest.promql import PromQueries
from controlplane.manifest.server_metrics import Capacity
from controlplane.manifest.slices import SliceSpecs
from controlplane.manifest.text_match import FILE_PATTERN
from controlplane.manifest.units import parse_percent_bp
from controlplane.manifest.version import Version
from serinus.contract.condition import Condition
from serinus.contract.metric import ERRORS
from serinus.contract.request import StickyKind, StickySource
from serinus.contract.weight import WEIGHT_TOTAL_BP, format_bp

API_VERSION = "serinus/v1"


class Protocol(StrEnum):
    OPENAI = "openai"
    KSERVE_V2 = "kserve-v2"
    HTTP = "http"


class Upgrade(StrEnum):
    """What a connection may become. Its bytes are passed on; no outcome but its end is known."""

    WEBSOCKET = "websocket"


UpgradeName = Annotated[Upgrade, BeforeValidator(lambda v: choice(Upgrade, v))]


class DataPath(StrEnum):
    AUTO = "auto"
    EXT_PROC = "ext_proc"
    NATIVE = "native"


def _parse_sample(value: object) -> object:
    """`10%`, or the same as a share of one: `0.1`."""
    if isinstance(value, str):
        return parse_percent_bp(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} is no share; write it as 10% or 0.1")
    bp = round(value * WEIGHT_TOTAL_BP)
    if abs(bp - value * WEIGHT_TOTAL_BP) > 1e-6:
        raise ValueError(f"{value!r} is finer than 0.01%")
    return bp


class Observe(Spec):
    """`requests`: what requests asked for is read too (JSON, how long the prompt is); nothing of a prompt is kept.
    `sample`: of which share of all responses."""

    body: bool = False
    requests: bool = False
    sample_bp: Annotated[int, BeforeValidator(_parse_sample)] = Field(default=WEIGHT_TOTAL_BP, alias="sample")

    @property
    def is_on(self) -> bool:
        """Whether any body is looked at."""
        return self.body and self.sample_bp > 0

    @model_validator(mode="after")
    def _whole(self) -> "Observe":
        if self.requests and not self.body:
            raise ValueError("`requests` are read to judge answers by them: set `body: true` too")
        return self


class Tokens(Spec):
    """Testers' tokens: the file of their keys, in the sidecars' policy folder."""

    key_file: Annotated[str, Field(pattern=FILE_PATTERN)]


class Feedback(Spec):
    """Outcomes that come later: answers carry ids for them. With a token of that file, in the sidecars' policy folder,
    they may come through the gateway; the admin API takes them anyway."""

    token_file: Annotated[str, Field(pattern=FILE_PATTERN)] | None = None


def _parse_feedback(value: object) -> object:
    if isinstance(value, bool):
        return Feedback() if value else None
    return value


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


class ServiceSpec(Spec):
    protocol: Annotated[Protocol, BeforeValidator(lambda v: choice(Protocol, v))]
    hosts: Annotated[tuple[Host, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=100)]
    prefix: Annotated[str, Field(pattern=r"^/[!-~]*$")] = "/"
    sticky: Annotated[tuple[StickySource, ...], BeforeValidator(_parse_sticky), Field(min_length=1, max_length=8)]
    datapath: Annotated[DataPath, BeforeValidator(lambda v: choice(DataPath, v))] = DataPath.AUTO
    versions: Annotated[tuple[Version, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=20)]
    baseline: Name
    cohorts: Annotated[tuple[Cohort, ...], BeforeValidator(as_tuple), Field(max_length=100)] = ()
    slices: SliceSpecs = ()
    drain_ms: DurationMs = Field(default=60_000, alias="drain")
    observe: Observe = Observe()
    limits: Annotated[dict[Name, Limit], AfterValidator(Limits)] = Limits()
    upgrades: Annotated[tuple[UpgradeName, ...], BeforeValidator(as_tuple), Field(max_length=10)] = ()
    # None: testers' tokens have no effect.
    tokens: Tokens | None = None
    # None: answers carry Envoy's own id.
    feedback: Annotated[Feedback | None, BeforeValidator(_parse_feedback)] = None
    # Names of proxy groups; None: every group serves it.
    proxies: Annotated[tuple[Name, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=100)] | None = None
    # What it leans on.
    probes: Probes = ()

    def version(self, name: str) -> Version:
        """The version of that name. Raises KeyError if there is none."""
        return {version.name: version for version in self.versions}[name]

    @property
    def conditions(self) -> list[Condition]:
        """All that its cohorts and slices ask of a request."""
        of_slices = (value.when for each in self.slices for value in each.dimension("").values)
        return [*(cohort.condition("") for cohort in self.cohorts), *of_slices]

    def is_served_by(self, group: str) -> bool:
        """Whether the proxies of that group serve it."""
        return self.proxies is None or group in self.proxies

    @property
    def files(self) -> frozenset[str]:
        """The files of the secrets directory that its versions name."""
        return frozenset().union(*(version.files for version in self.versions))


def secret_files(specs: Iterable[ServiceSpec]) -> frozenset[str]:
    """The files of the secrets directory that these services need."""
    return frozenset().union(*(spec.files for spec in specs))


class Strategy(StrEnum):
    CANARY = "canary"


class OnDeadline(StrEnum):
    HOLD = "hold"
    ROLLBACK = "rollback"


class Pace(Spec):
    min_step_ms: DurationMs = Field(default=30_000, alias="min_step")
    deadline_ms: DurationMs = Field(default=24 * 3_600_000, alias="deadline")
    on_deadline: Annotated[OnDeadline, BeforeValidator(lambda v: choice(OnDeadline, v, {"promote"}))] = OnDeadline.HOLD
    # How long after its start a request is waited for before its slot is judged; the same for both arms.
    follow_up_ms: DurationMs = Field(default=10_000, alias="follow_up")


def _parse_steps(value: object) -> object:
    if value == "auto":
        raise ValueError(
            "`steps: auto` needs the traffic, which is not known here; `serinus plan -f FILE --rps N --users N` gives "
            "the list to write instead"
        )
    return as_tuple(value)


class RolloutSpec(Spec):
    service: Name
    candidate: Name
    strategy: Annotated[
        Strategy, BeforeValidator(lambda v: choice(Strategy, v, {"blue-green", "shadow", "ab", "bandit"}))
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
    guardrails: Annotated[tuple[Guardrail, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=20)] = (
        Guardrail(metric=ERRORS),
    )
    # None: promoted at the end of the last step.
    bake: Bake | None = None
    approvals: Approvals | None = None
    capacity: Capacity | None = None
    diagnostics: Diagnostics = Diagnostics()
    when_busy: Annotated[WhenBusy, BeforeValidator(lambda v: choice(WhenBusy, v))] = WhenBusy.REFUSE
    freeze: Annotated[tuple[Freeze, ...], BeforeValidator(as_tuple), Field(max_length=20)] = ()
    hooks: Hooks = Hooks()
    notify: NotifyList = ()
    # None: alerts of others do nothing to it.
    alerts: Alerts | None = None
    promql: PromQueries = ()

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
        if self.bake is not None:
            self._check_bake(self.bake)
        for step_bp in self.approvals.before if self.approvals is not None else ():
            if step_bp not in self.steps_bp:
                raise ValueError(f"approvals name {format_bp(step_bp)}, which is none of the steps")
        if self.harm_budget_bp == 0:
            raise ValueError("harm_budget must be above 0%: no evidence can show an excess of exactly nothing")
        names = [row.metric_id for row in self.guardrails]
        if len(names) != len(set(names)):
            raise ValueError("a metric may stand in guardrails once")
        return self

    def _check_bake(self, bake: Bake) -> None:
        before_bp = self.steps_bp[-2] if len(self.steps_bp) > 1 else 0
        if self.steps_bp[-1] - bake.holdback_bp <= before_bp:
            raise ValueError("the holdback of `bake` must leave the last step above the one before it")
        if bake.for_ms >= self.pace.deadline_ms:
            raise ValueError("`bake` is longer than pace.deadline: it could never end; next: raise pace.deadline")

    def hooks_of(self, kind: str) -> tuple[Hook, ...]:
        """The calls of one kind, such as `before_step`."""
        calls: tuple[Hook, ...] = getattr(self.hooks, kind)
        return calls

    def needs_approval(self, step_index: int) -> bool:
        """Whether a person must approve a step before it begins."""
        return self.approvals is not None and self.steps_bp[step_index] in self.approvals.before

    @property
    def weights_bp(self) -> tuple[int, ...]:
        """The candidate's weight in each step: the last is less what is held back while it bakes."""
        held_bp = self.bake.holdback_bp if self.bake is not None else 0
        return (*self.steps_bp[:-1], self.steps_bp[-1] - held_bp)
