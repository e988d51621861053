"""Rules that look across objects: what one manifest alone cannot tell. Pure; all problems at once."""

from collections.abc import Collection, Mapping, Sequence

from controlplane.manifest.alert_rule import AlertRuleSpec
from controlplane.manifest.errors import Problem
from controlplane.manifest.limit import BASELINE, CANDIDATE
from controlplane.manifest.load import Manifest
from controlplane.manifest.proxy_group import DEFAULT_GROUP
from controlplane.manifest.schema import Protocol, RolloutSpec, ServiceSpec
from serinus.contract.headers import COHORT_EVERYONE, COHORT_NO_KEY, COHORT_TOKEN, COHORT_UNTAGGED
from serinus.contract.metric import BODY_METRICS, INVALID_JSON

RESERVED_COHORTS = frozenset({COHORT_EVERYONE, COHORT_NO_KEY, COHORT_TOKEN, COHORT_UNTAGGED})


def check(
    manifests: Sequence[Manifest],
    services: Mapping[str, ServiceSpec],
    baselines: Mapping[str, str],
    *,
    groups: Collection[str] = (DEFAULT_GROUP,),
) -> list[Problem]:
    """Problems of `manifests` in a world that holds `services` and proxy `groups` (these manifests included).

    `baselines` is each service's version in force, where promotions moved it away from its manifest.
    """
    problems: list[Problem] = []
    for manifest in manifests:
        if isinstance(manifest.spec, ServiceSpec):
            problems += _service(manifest, manifest.spec, services)
            problems += _limits(manifest, manifest.spec) + _proxies(manifest, manifest.spec, groups)
        elif isinstance(manifest.spec, RolloutSpec):
            problems += _rollout(manifest, manifest.spec, services, baselines)
        elif isinstance(manifest.spec, AlertRuleSpec) and manifest.spec.service not in services:
            problems.append(manifest.problem(("service",), _no_service(manifest.spec.service, services)))
    return problems


def _no_service(name: str, services: Mapping[str, ServiceSpec]) -> str:
    return f"service {name} does not exist; services: {', '.join(sorted(services)) or 'none'}"


def _service(manifest: Manifest, spec: ServiceSpec, services: Mapping[str, ServiceSpec]) -> list[Problem]:
    problems = []
    names = [version.name for version in spec.versions]
    for index, name in enumerate(names):
        if name in names[:index]:
            problems.append(manifest.problem(("versions", index, "name"), f"version {name} stands twice"))
    if spec.baseline not in names:
        message = f"version {spec.baseline} does not exist; versions: {', '.join(names)}"
        problems.append(manifest.problem(("baseline",), message))
    cohorts = [cohort.name for cohort in spec.cohorts]
    for index, name in enumerate(cohorts):
        if name in cohorts[:index]:
            problems.append(manifest.problem(("cohorts", index, "name"), f"cohort {name} stands twice"))
        if name in RESERVED_COHORTS:
            problems.append(manifest.problem(("cohorts", index, "name"), f"{name} is a name Serinus uses itself"))
    if spec.observe.body and spec.protocol is Protocol.HTTP:
        problems.append(manifest.problem(("observe", "body"), "needs protocol openai or kserve-v2"))
    return problems + _claims(manifest, spec, services)


def _claims(manifest: Manifest, spec: ServiceSpec, services: Mapping[str, ServiceSpec]) -> list[Problem]:
    problems = []
    for index, host in enumerate(spec.hosts):
        if host in spec.hosts[:index]:
            problems.append(manifest.problem(("hosts", index), f"host {host} stands twice"))
    for name, other in services.items():
        if name == manifest.name or other.prefix != spec.prefix or not _share_a_proxy(spec, other):
            continue
        for index, host in enumerate(spec.hosts):
            if host in other.hosts:
                message = (
                    f"services {manifest.name} and {name} both claim host {host} with prefix {spec.prefix}; "
                    "next: give one of them another host or prefix"
                )
                problems.append(manifest.problem(("hosts", index), message))
    return problems


def _share_a_proxy(one: ServiceSpec, other: ServiceSpec) -> bool:
    return one.proxies is None or other.proxies is None or not set(one.proxies).isdisjoint(other.proxies)


def _proxies(manifest: Manifest, spec: ServiceSpec, groups: Collection[str]) -> list[Problem]:
    problems = []
    proxies = spec.proxies or ()
    for index, name in enumerate(proxies):
        if name in proxies[:index]:
            problems.append(manifest.problem(("proxies", index), f"proxy group {name} stands twice"))
        if name not in groups:
            message = f"proxy group {name} does not exist; groups: {', '.join(sorted(groups))}"
            problems.append(manifest.problem(("proxies", index), message))
    return problems


def _limits(manifest: Manifest, spec: ServiceSpec) -> list[Problem]:
    """A limit's name must mean one thing: an arm, a version or a cohort."""
    problems = []
    versions = {version.name for version in spec.versions}
    cohorts = {cohort.name for cohort in spec.cohorts}
    for name, limit in spec.limits.items():
        path = ("limits", name)
        means = [
            what
            for what, names in (("an arm", {CANDIDATE, BASELINE}), ("a version", versions), ("a cohort", cohorts))
            if name in names
        ]
        if not means:
            known = ", ".join([CANDIDATE, BASELINE, *sorted(versions), *sorted(cohorts)])
            problems.append(manifest.problem(path, f"{name} is no arm, version or cohort; known: {known}"))
        elif len(means) > 1:
            message = f"{name} is {' and '.join(means)}; next: rename the version or cohort"
            problems.append(manifest.problem(path, message))
        elif means == ["a cohort"] and limit.concurrent is not None:
            message = (
                "concurrent requests are counted by version, not by cohort; "
                "next: give the cohort requests_per_second, or limit a version"
            )
            problems.append(manifest.problem((*path, "concurrent"), message))
    return problems


def _rollout(
    manifest: Manifest, spec: RolloutSpec, services: Mapping[str, ServiceSpec], baselines: Mapping[str, str]
) -> list[Problem]:
    service = services.get(spec.service)
    if service is None:
        return [manifest.problem(("service",), _no_service(spec.service, services))]
    problems = []
    names = [version.name for version in service.versions]
    baseline = baselines.get(spec.service, service.baseline)
    if spec.candidate not in names:
        message = f"version {spec.candidate} does not exist in service {spec.service}; versions: {', '.join(names)}"
        problems.append(manifest.problem(("candidate",), message))
    elif spec.candidate == baseline:
        message = f"version {spec.candidate} is the baseline of service {spec.service} already; nothing to roll out"
        problems.append(manifest.problem(("candidate",), message))
    elif spec.capacity is not None and service.version(spec.candidate).metrics is None:
        message = f"says nothing without `metrics` of version {spec.candidate}; next: set `metrics: {{}}` on it"
        problems.append(manifest.problem(("capacity",), message))
    for index, guardrail in enumerate(spec.guardrails):
        if guardrail.metric_id in BODY_METRICS and not service.observe.is_on:
            setting = f"set `observe: {{body: true}}` on service {spec.service}"
            message = f"metric {guardrail.metric} is read from the body; next: {setting}"
            problems.append(manifest.problem(("guardrails", index), message))
        elif guardrail.metric_id == INVALID_JSON and not service.observe.requests:
            setting = f"set `observe: {{body: true, requests: true}}` on service {spec.service}"
            message = f"metric {guardrail.metric} asks what the request asked for; next: {setting}"
            problems.append(manifest.problem(("guardrails", index), message))
        if guardrail.is_labelled and service.feedback is None:
            message = (
                f"metric {guardrail.metric} is told by feedback; next: set `feedback: true` on service {spec.service}"
            )
            problems.append(manifest.problem(("guardrails", index), message))
    return problems
