"""What a deletion takes out of the world, and what stands in its way. Pure.

What is gone leaves an empty object in the store (`TOMBSTONE`), by which a restart knows; journal and audit stay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlplane.engine.world import ApplyPlan, Change, NotFoundError, World
from controlplane.errors import SerinusError

# The data of an object that was deleted. No manifest is empty.
TOMBSTONE: dict[str, Any] = {}
DELETED = "deleted"

Named = tuple[str, str]  # kind as in manifests, name


class InUseError(SerinusError):
    """Something else needs what was to be deleted."""

    code = "in_use"


def plan_delete(plan: ApplyPlan, objects: Sequence[Named]) -> ApplyPlan:
    """All or nothing, whatever the order. A service takes its rollouts with it, which have ended, and its alert rules.
    Raises NotFoundError, InUseError; nothing has changed then."""
    world, doomed = plan.world, dict.fromkeys(objects)
    for kind, name in objects:
        _check_known(world, kind, name)
        if kind == "Service":
            rollouts = world.rollouts.items()
            doomed |= {("Rollout", other): None for other, entry in rollouts if entry.rollout.spec.service == name}
            doomed |= {("AlertRule", other): None for other, rule in world.rules.items() if rule.spec.service == name}
    for kind, name in doomed:
        _check_unused(world, kind, name, doomed)
    left = replace(
        world,
        services=_without(world.services, "Service", doomed),
        rollouts=_without(world.rollouts, "Rollout", doomed),
        groups=_without(world.groups, "ProxyGroup", doomed),
        rules=_without(world.rules, "AlertRule", doomed),
    )
    return ApplyPlan(left, (*plan.changes, *(Change(kind, name, DELETED) for kind, name in doomed)))


def _check_known(world: World, kind: str, name: str) -> None:
    kinds: dict[str, Mapping[str, object]] = {"Service": world.services, "Rollout": world.rollouts}
    kinds |= {"ProxyGroup": world.groups, "AlertRule": world.rules}
    if kind not in kinds:
        raise NotFoundError(f"no kind {kind}; kinds: {', '.join(kinds)}")
    if name not in kinds[kind]:
        known = ", ".join(sorted(kinds[kind])) or "none"
        raise NotFoundError(f"no {kind} {name}; there are: {known}", next_step="serinus get")


def _check_unused(world: World, kind: str, name: str, doomed: Iterable[Named]) -> None:
    if kind == "Rollout" and (running := world.running(name)) is not None:
        raise InUseError(f"rollout {name} has not ended ({running.phase.kind})", next_step=f"serinus abort {name}")
    if kind == "ProxyGroup":
        gone = set(doomed)
        users = [
            service.name
            for service in world.services.values()
            if name in (service.spec.proxies or ()) and ("Service", service.name) not in gone
        ]
        if users:
            raise InUseError(
                f"proxy group {name} serves {', '.join(sorted(users))}", next_step="change `proxies` of these services"
            )


def _without(entries: Any, kind: str, doomed: Iterable[Named]) -> Any:
    gone = {name for each, name in doomed if each == kind}
    return {name: entry for name, entry in entries.items() if name not in gone}
