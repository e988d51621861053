"""The whole of what is configured, as a value, and how manifests change it. Pure.

`plan_apply` either gives every change of an apply or raises with every problem: all or nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from controlplane.engine.alerting.rule import KIND, AlertRule, rules_with, too_many
from controlplane.engine.editing import edit_note, not_editable, not_native, unlistenable
from controlplane.engine.line import Line, busy
from controlplane.errors import SerinusError
from controlplane.manifest.errors import ManifestError, Problem
from controlplane.manifest.load import Manifest
from controlplane.manifest.proxy_group import DEFAULT_GROUP, ProxyGroupSpec
from controlplane.manifest.rules import check
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.rollout.edit import edited
from controlplane.rollout.hooks import hook_of
from controlplane.rollout.model import Preparing, Queued, Rollout
from controlplane.snapshot.datapath import choose
from controlplane.snapshot.filters import policy_headers
from serinus.contract.condition import headers_denied


class NotFoundError(SerinusError):
    """No object of that name."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Service:
    """A service as applied. `baseline` is the version in force: the manifest's, or where promotions moved it."""

    name: str
    spec: ServiceSpec
    data: dict[str, Any]
    baseline: str


@dataclass(frozen=True, slots=True)
class RolloutObject:
    rollout: Rollout
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProxyGroup:
    name: str
    spec: ProxyGroupSpec
    data: dict[str, Any]


@dataclass(frozen=True)
class World:
    """`groups` as applied; without any there is one group, `default`, which listens where the process was told."""

    services: Mapping[str, Service] = field(default_factory=dict)
    rollouts: Mapping[str, RolloutObject] = field(default_factory=dict)
    groups: Mapping[str, ProxyGroup] = field(default_factory=dict)
    rules: Mapping[str, AlertRule] = field(default_factory=dict)

    @cached_property
    def _active(self) -> Mapping[str, Rollout]:
        """By service. Ended rollouts only grow in number: they are passed over once a world."""
        live = (entry.rollout for entry in self.rollouts.values() if entry.rollout.is_active)
        return {rollout.spec.service: rollout for rollout in live}

    @cached_property
    def hooks_running(self) -> Mapping[str, Rollout]:
        """The rollouts that wait for their hooks, by the key of the run."""
        runs = ((hook_of(entry.rollout.phase), entry.rollout) for entry in self.rollouts.values())
        return {run.key: rollout for run, rollout in runs if run is not None and run.outcome == "running"}

    @property
    def active_rollouts(self) -> tuple[Rollout, ...]:
        """The rollouts that have begun and not ended: one a service at most."""
        return tuple(self._active.values())

    def active(self, service: str) -> Rollout | None:
        """The rollout that moves a service's traffic now, if any."""
        return self._active.get(service)

    def running(self, name: str) -> Rollout | None:
        """The rollout of that name, if it has not ended."""
        entry = self.rollouts.get(name)
        return None if entry is None or entry.rollout.is_terminal else entry.rollout

    def specs_with(self, manifests: Iterable[Manifest]) -> dict[str, ServiceSpec]:
        """The services as they would be with these applied."""
        known = {name: service.spec for name, service in self.services.items()}
        return known | {each.name: each.spec for each in manifests if isinstance(each.spec, ServiceSpec)}

    @property
    def group_names(self) -> frozenset[str]:
        return frozenset(self.groups) or frozenset({DEFAULT_GROUP})

    def rollout(self, name: str) -> Rollout:
        """Raises NotFoundError."""
        entry = self.rollouts.get(name)
        if entry is None:
            known = ", ".join(sorted(self.rollouts)) or "none"
            raise NotFoundError(f"no rollout {name}; rollouts: {known}", next_step="serinus get rollouts")
        return entry.rollout

    def with_rollout(self, rollout: Rollout) -> "World":
        entry = replace(self.rollouts[rollout.name], rollout=rollout)
        return replace(self, rollouts={**self.rollouts, rollout.name: entry})

    def with_baseline(self, service: str, version: str) -> "World":
        return replace(self, services={**self.services, service: replace(self.services[service], baseline=version)})


@dataclass(frozen=True, slots=True)
class Change:
    """What an apply does to one object: created, configured, unchanged, deleted. `note`: what was decided about it."""

    kind: str
    name: str
    change: str
    note: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)  # the manifest's spec as it would be


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    world: World
    changes: tuple[Change, ...]


def plan_apply(
    world: World, manifests: Sequence[Manifest], now_ms: int, notes: Mapping[str, str] = MappingProxyType({})
) -> ApplyPlan:
    """The world after an apply. `notes` are for new rollouts, by name. Raises ManifestError with every problem; then
    nothing changes."""
    new_services = {m.name: m for m in manifests if isinstance(m.spec, ServiceSpec)}
    specs = world.specs_with(manifests)
    changes: list[Change] = []
    services = dict(world.services)
    for name, manifest in new_services.items():
        change = _change(services[name].data if name in services else None, manifest.data)
        changes.append(Change("Service", name, change, _data_path(manifest), manifest.data))
        services[name] = _service(manifest, services.get(name))
    baselines = {name: service.baseline for name, service in services.items()}
    groups, group_changes = _groups(world, manifests)
    changes += group_changes + _rule_changes(world, manifests)
    fresh = [m for m in manifests if not _is_unchanged_rollout(world, m)]
    names = frozenset(groups) or frozenset({DEFAULT_GROUP})
    problems = (
        check(fresh, specs, baselines, groups=names) + busy(_rollouts(world), fresh) + _in_use(world, new_services)
    )
    problems += _left_without_a_group(world, manifests, names) + unlistenable(manifests) + not_native(manifests)
    problems += not_editable(fresh, world.running, now_ms) + too_many(world.rules, manifests)
    if problems:
        raise ManifestError(problems)
    rollouts, line = dict(world.rollouts), Line(_rollouts(world))
    for manifest in manifests:
        if isinstance(manifest.spec, RolloutSpec):
            before, note = rollouts.get(manifest.name), notes.get(manifest.name, "")
            if manifest in fresh:
                after = _started(manifest, manifest.spec, before, baselines, now_ms)
                note = note or edit_note(before.rollout if before else None, after.rollout)
                if ahead := line.join(manifest.name, manifest.spec.service):
                    after = RolloutObject(_queued(after.rollout, ahead[-1]), manifest.data)
                    note = f"queued behind {', '.join(ahead)}"
                rollouts[manifest.name] = after
            change = _change(before.data if before else None, manifest.data)
            changes.append(Change("Rollout", manifest.name, change, note, manifest.data))
    return ApplyPlan(World(services, rollouts, groups, rules_with(world.rules, manifests)), tuple(changes))


def _rule_changes(world: World, manifests: Sequence[Manifest]) -> list[Change]:
    before = {name: rule.data for name, rule in world.rules.items()}
    new = [manifest for manifest in manifests if manifest.kind == KIND]
    return [Change(KIND, each.name, _change(before.get(each.name), each.data), data=each.data) for each in new]


def _groups(world: World, manifests: Sequence[Manifest]) -> tuple[Mapping[str, ProxyGroup], list[Change]]:
    groups, changes = dict(world.groups), []
    for manifest in manifests:
        if isinstance(manifest.spec, ProxyGroupSpec):
            before = groups.get(manifest.name)
            change = _change(before.data if before else None, manifest.data)
            changes.append(Change("ProxyGroup", manifest.name, change, data=manifest.data))
            groups[manifest.name] = ProxyGroup(manifest.name, manifest.spec, manifest.data)
    return groups, changes


def _data_path(manifest: Manifest) -> str:
    assert isinstance(manifest.spec, ServiceSpec)
    choice = choose(manifest.spec)
    return f"data path {choice.path}: {choice.reason}"


def _left_without_a_group(world: World, manifests: Sequence[Manifest], names: frozenset[str]) -> list[Problem]:
    """The first ProxyGroup ends the group that exists without any; a service that names that one must not go silent."""
    new = {manifest.name for manifest in manifests if isinstance(manifest.spec, ServiceSpec)}
    first = next((manifest for manifest in manifests if isinstance(manifest.spec, ProxyGroupSpec)), None)
    if first is None or world.groups:
        return []
    return [
        first.problem(
            (),
            f"service {service.name} names proxy group {name}, which exists only while no ProxyGroup is applied; "
            f"next: apply a ProxyGroup {name} too, or change `proxies` of the service",
        )
        for service in world.services.values()
        if service.name not in new
        for name in service.spec.proxies or ()
        if name not in names
    ]


def _change(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    if before is None:
        return "created"
    return "unchanged" if before == after else "configured"


def _service(manifest: Manifest, before: Service | None) -> Service:
    assert isinstance(manifest.spec, ServiceSpec)
    # A promotion moved the baseline; applying the same file again must not move it back. A new baseline in the
    # manifest is the operator's word and wins.
    kept = before is not None and before.spec.baseline == manifest.spec.baseline
    still_there = before is not None and any(v.name == before.baseline for v in manifest.spec.versions)
    baseline = before.baseline if before is not None and kept and still_there else manifest.spec.baseline
    return Service(manifest.name, manifest.spec, manifest.data, baseline)


def _is_unchanged_rollout(world: World, manifest: Manifest) -> bool:
    before = world.rollouts.get(manifest.name)
    return manifest.kind == "Rollout" and before is not None and before.data == manifest.data


def _in_use(world: World, new_services: Mapping[str, Manifest]) -> list[Problem]:
    """While a rollout runs its two versions must stay, and so must what decides where a user goes."""
    problems = []
    for name, manifest in new_services.items():
        active = world.active(name)
        if active is None or not isinstance(manifest.spec, ServiceSpec):
            continue
        names = {version.name for version in manifest.spec.versions}
        for version in (active.baseline, active.spec.candidate):
            if version not in names:
                message = f"version {version} is in use by rollout {active.name}; next: serinus abort {active.name}"
                problems.append(manifest.problem(("versions",), message))
        before = world.services[name].spec
        if before.sticky != manifest.spec.sticky or before.baseline != manifest.spec.baseline:
            busy = active.name
            message = f"sticky and baseline may not change while rollout {busy} runs; next: serinus abort {busy}"
            problems.append(manifest.problem((), message))
        if manifest.spec.feedback is None and any(guardrail.is_labelled for guardrail in active.spec.guardrails):
            message = f"rollout {active.name} is judged by feedback; next: wait, or serinus abort {active.name}"
            problems.append(manifest.problem((), message))
        if unread := _unread_denials(before, manifest.spec):
            message = (
                f"`not` of {', '.join(unread)} may not come or go while rollout {active.name} runs: where a sidecar "
                "has the rule and its proxy does not send this, it seems absent and the rule holds for everyone; "
                f"next: wait, or serinus abort {active.name}"
            )
            problems.append(manifest.problem(("cohorts",), message))
    return problems


def _unread_denials(before: ServiceSpec, after: ServiceSpec) -> list[str]:
    """What is read under a `not` by one of the two, and not read at all by the other."""
    denied: set[str] = set()
    for spec in (before, after):
        denied |= set().union(*map(headers_denied, spec.conditions))
    return sorted(denied - (policy_headers(before) & policy_headers(after)))


def _started(
    manifest: Manifest, spec: RolloutSpec, before: RolloutObject | None, baselines: Mapping[str, str], now_ms: int
) -> RolloutObject:
    if before is not None and not before.rollout.is_terminal:
        return RolloutObject(edited(before.rollout, spec, now_ms), manifest.data)
    revision = before.rollout.revision + 1 if before else 1
    rollout = Rollout(
        name=manifest.name,
        spec=spec,
        baseline=baselines[spec.service],
        started_at_ms=now_ms,
        revision=revision,
        phase=Preparing(now_ms),
    )
    return RolloutObject(rollout, manifest.data)


def _queued(rollout: Rollout, behind: str) -> Rollout:
    """New, or waiting already."""
    return replace(rollout, phase=Queued(rollout.started_at_ms, behind))


def _rollouts(world: World) -> Iterable[Rollout]:
    return (entry.rollout for entry in world.rollouts.values())
