"""Which way a service's requests take: with a question to the sidecar (ext_proc), or by Envoy alone (native). Pure.

Native is possible where Envoy can read the sticky key and tell every cohort. `datapath: auto` takes it then; `native`
asks for it and is refused where it cannot be; `ext_proc` keeps the sidecar in the path. Both place every user alike, so
a service may change its way while a rollout runs.
"""

from dataclasses import dataclass

from controlplane.manifest.cohort import Cohort
from controlplane.manifest.schema import DataPath, ServiceSpec
from controlplane.snapshot.match import ALTERNATIVES_MAX, native
from controlplane.snapshot.native_key import UnreadableKeyError, native_key
from serinus.contract.condition import (
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
    every,
)
from serinus.contract.geo import GeoTest


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why Envoy alone cannot serve a service, as a sentence's beginning; `path` leads to the manifest's key."""

    path: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """`path` is ext_proc or native, never auto."""

    path: DataPath
    reason: str


def choose(spec: ServiceSpec) -> Choice:
    """The data path of a service, and why in a sentence."""
    if spec.datapath is DataPath.EXT_PROC:
        return Choice(DataPath.EXT_PROC, "the manifest asks for it")
    found = obstacle(spec)
    if found is not None:
        return Choice(DataPath.EXT_PROC, found.text)
    source = spec.sticky[0]
    key = f"the sticky key ({source.kind.value} {source.name}".strip() + ")"
    cohorts = f" and tell {_cohorts(len(spec.cohorts))}" if spec.cohorts else ""
    return Choice(DataPath.NATIVE, f"Envoy itself can read {key}{cohorts}: no request waits for the sidecar")


def obstacle(spec: ServiceSpec) -> Obstacle | None:
    """The first thing that only the sidecar can do; None if Envoy can do everything."""
    if spec.feedback is not None:
        return Obstacle(("feedback",), "feedback finds its request by an id that only the sidecar signs")
    if spec.slices:
        return Obstacle(("slices",), "slices are told by the sidecar")
    try:
        native_key(spec.sticky)
    except UnreadableKeyError as error:
        return Obstacle(("sticky",), str(error))
    for index, cohort in enumerate(spec.cohorts):
        if native(cohort.condition("")) is None:
            return Obstacle(("cohorts", index), f"cohort {cohort.name} tests {_what(cohort)}: only the sidecar can")
    return None


def _what(cohort: Cohort) -> str:
    """The first test of a cohort that Envoy cannot do by itself."""
    parts = list(every(cohort.condition("")))
    tests = [part for part in parts if not isinstance(part, AllOf | AnyOf | Not)]
    if any(native(test) is None for test in tests):
        return next(_words(test) for test in tests if native(test) is None)
    denials = (part for part in parts if isinstance(part, Not) and not isinstance(part.part, AllOf | AnyOf))
    if any(native(denial) is None for denial in denials):
        return "a `not` that an empty value decides"
    return f"more than {ALTERNATIVES_MAX} combinations"


_READ_BY_THE_SIDECAR = {Source.COOKIE: "a cookie", Source.QUERY: "a query field", Source.KEY: "the sticky key"}


def _words(test: Condition) -> str:
    match test:
        case TextTest(_, _, Op.IN_FILE):
            return "a list from a file"
        case TextTest(source) | ModuloTest(source) if source in _READ_BY_THE_SIDECAR:
            return _READ_BY_THE_SIDECAR[source]
        case ModuloTest():
            return "a remainder"
        case TextTest(_, _, Op.IN | Op.REGEX) if test.source is not Source.PATH:
            return "a pattern or list larger than Envoy takes"
        case TextTest(Source.PATH):
            return "a path by more than exact or prefix"
        case AddressTest():
            return "the client's address"
        case GeoTest():
            return "where an address is"
        case TimeTest():
            return "the time"
        case ShareTest():
            return "a share by hash"
    return "what a request does not say"


def _cohorts(count: int) -> str:
    return "its cohort" if count == 1 else f"all {count} cohorts"
