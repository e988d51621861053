"""`kind: AlertRule`: what of a service somebody wants to be told, by the numbers that the control plane has anyway.

A rule informs and moves no rollout. A number is a share of one, requests a second, a count or seconds; `5%` is 0.05.
"""

import difflib
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from controlplane.manifest.field import DurationMs, Name, Spec, as_tuple, choice
from controlplane.manifest.notify import NotifyList
from controlplane.manifest.units import parse_duration_ms, parse_percent_bp
from serinus.contract.metric import BODY_METRICS, ERRORS, LATENCY, TPOT, TTFT
from serinus.contract.weight import WEIGHT_TOTAL_BP

# Of what a rollout is judged by, the share of requests that were bad.
SHARES = (ERRORS, TTFT, *BODY_METRICS)
REQUESTS, WEIGHT, HELD, SIDECARS_MISSING, PROXIES = "requests", "weight", "held", "sidecars_missing", "proxies"
# What servers say of themselves, by its short name.
SERVER = {
    "kv_cache": "kv_cache_used_ratio",
    "queue": "queue_depth",
    "running": "running_requests",
    "gpu": "gpu_utilisation_ratio",
    "memory": "resident_memory_bytes",
    "connections": "connections",
}
# Seconds below which that part of a minute's requests were: metric and part.
QUANTILES = {
    f"{name}_p{part}": (metric, part / 100)
    for name, metric in (("ttft", TTFT), ("latency", LATENCY), ("time_per_output_token", TPOT))
    for part in (50, 95, 99)
}
METRICS = (*SHARES, *QUANTILES, REQUESTS, WEIGHT, HELD, SIDECARS_MISSING, PROXIES, *SERVER)
WINDOW_MS_MIN, WINDOW_MS_MAX = 10_000, 3_600_000
CONDITIONS_MAX = 10
# What people can still read.
DEPTH_MAX = 3
# Past this somebody writes rules by program; each is looked at every few seconds.
RULES_MAX = 200
_TEXT = r"^[^\x00-\x1f\x7f]{0,200}$"


class Arm(StrEnum):
    CANDIDATE = "candidate"
    BASELINE = "baseline"


class Direction(StrEnum):
    RISING = "rising"
    FALLING = "falling"


class Odd(StrEnum):
    """How a value may leave what it usually is."""

    HIGH = "high"
    LOW = "low"
    EITHER = "either"


class RuleSeverity(StrEnum):
    PAGE = "page"
    TICKET = "ticket"


def _parse_number(value: object) -> object:
    """`5%`, `30s`, or a number as it is."""
    if isinstance(value, str) and value.endswith("%"):
        bp = parse_percent_bp(value)
        assert isinstance(bp, int), "that is what it gives"
        return bp / WEIGHT_TOTAL_BP
    if isinstance(value, str) and value[-1:] in ("s", "m", "h"):
        return parse_duration_ms(value) / 1_000
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
        raise ValueError(f"{value!r} is no number; write 0.05, 5% or 30s")
    return float(value)


def _window(value_ms: int) -> int:
    if not WINDOW_MS_MIN <= value_ms <= WINDOW_MS_MAX:
        raise ValueError("a window is 10s to 1h")
    return value_ms


def _metric(value: str) -> str:
    if value not in METRICS:
        near = difflib.get_close_matches(value, METRICS, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"metrics: {', '.join(METRICS)}"
        raise ValueError(f"{value!r} is no metric of a rule; {hint}")
    return value


Number = Annotated[float, BeforeValidator(_parse_number)]
MetricName = Annotated[str, AfterValidator(_metric)]


class Measure(Spec):
    """What is measured, and the one thing that is asked of it."""

    ASKED: ClassVar = ("above", "below", "rises_by", "falls_by", "anomaly", "trend")

    metric: MetricName
    of: Annotated[Arm, BeforeValidator(lambda v: choice(Arm, v))] = Arm.CANDIDATE
    window_ms: Annotated[DurationMs, AfterValidator(_window)] = Field(default=300_000, alias="window")
    above: Number | None = None
    below: Number | None = None
    # Against what it was a window ago.
    rises_by: Number | None = None
    falls_by: Number | None = None
    # Against what it usually was before the window: beyond `sigmas` of its noise around an average that forgets.
    anomaly: Annotated[Odd, BeforeValidator(lambda v: choice(Odd, v))] | None = None
    sigmas: Annotated[float, Field(ge=3.0, le=100.0)] = 6.0
    # Steadily, over the window.
    trend: Annotated[Direction, BeforeValidator(lambda v: choice(Direction, v))] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Measure":
        asked = [key for key in self.ASKED if getattr(self, key) is not None]
        if len(asked) != 1:
            raise ValueError(
                f"a condition has one of {', '.join(self.ASKED)}; this has {' and '.join(asked) or 'none'}"
            )
        return self


def _parse_when(value: object) -> object:
    """`{all: […]}`, `{any: […]}`, or one condition alone."""
    return value if isinstance(value, dict) and value.keys() & {"all", "any"} else {"all": [value]}


def _kind_of(value: object) -> str:
    """A part is a condition, or itself an `all` or `any`."""
    is_list = isinstance(value, When) or (isinstance(value, dict) and bool(value.keys() & {"all", "any"}))
    return "when" if is_list else "measure"


Part = Annotated[Annotated[Measure, Tag("measure")] | Annotated["When", Tag("when")], Discriminator(_kind_of)]
Parts = Annotated[tuple[Part, ...], BeforeValidator(as_tuple), Field(max_length=CONDITIONS_MAX)]


class When(Spec):
    """Conditions of which all must be so, or one; each may again be such a list."""

    all_of: Parts = Field(default=(), alias="all")
    any_of: Parts = Field(default=(), alias="any")

    @model_validator(mode="after")
    def _one(self) -> "When":
        if bool(self.all_of) == bool(self.any_of):
            raise ValueError("`when` has conditions in `all` or in `any`, not in both or none")
        if self.depth > DEPTH_MAX:
            raise ValueError(f"`all` and `any` stand in each other at most {DEPTH_MAX} deep")
        if len(self.measures) > CONDITIONS_MAX:
            raise ValueError(f"a rule has at most {CONDITIONS_MAX} conditions, those inside of others included")
        return self

    @property
    def parts(self) -> tuple["When | Measure", ...]:
        return self.all_of or self.any_of

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All conditions, wherever they stand."""
        return tuple(
            measure for part in self.parts for measure in (part.measures if isinstance(part, When) else (part,))
        )

    @property
    def depth(self) -> int:
        return 1 + max((part.depth for part in self.parts if isinstance(part, When)), default=0)


class AlertRuleSpec(Spec):
    service: Name
    when: Annotated[When, BeforeValidator(_parse_when)]
    # How long it must be so, without a break.
    for_ms: DurationMs = Field(default=60_000, alias="for")
    severity: Annotated[RuleSeverity, BeforeValidator(lambda v: choice(RuleSeverity, v))] = RuleSeverity.TICKET
    summary: Annotated[str, Field(pattern=_TEXT)] = ""
    labels: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")], Annotated[str, Field(pattern=_TEXT)]],
        Field(max_length=10),
    ] = Field(default_factory=dict)
    # Beside the receivers of the service's rollout that listen to `alert`.
    notify: NotifyList = ()

    @property
    def measures(self) -> tuple[Measure, ...]:
        return self.when.measures
