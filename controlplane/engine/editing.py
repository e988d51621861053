"""Problems of an apply that one manifest has by itself, or with the rollout that it changes. Pure."""

from collections.abc import Callable, Iterable, Sequence

from controlplane.manifest.errors import Problem
from controlplane.manifest.load import Manifest
from controlplane.manifest.proxy_group import ProxyGroupSpec
from controlplane.manifest.schema import DataPath, RolloutSpec, ServiceSpec
from controlplane.rollout.edit import EditError, edited, is_same_plan
from controlplane.rollout.model import Queued, Rollout, weight_bp_of
from controlplane.snapshot.datapath import obstacle
from serinus.contract.weight import format_bp


def not_editable(manifests: Sequence[Manifest], running: Callable[[str], Rollout | None], now_ms: int) -> list[Problem]:
    """Changes that a rollout does not take while it runs."""
    problems = []
    for manifest in manifests:
        rollout = running(manifest.name) if isinstance(manifest.spec, RolloutSpec) else None
        if rollout is not None and isinstance(manifest.spec, RolloutSpec):
            try:
                edited(rollout, manifest.spec, now_ms)
            except EditError as error:
                problems.append(manifest.problem((), str(error)))
    return problems


def edit_note(before: Rollout | None, after: Rollout) -> str:
    """What a change of a running plan means for the traffic; "" where nothing ran."""
    if before is None or before.is_terminal:
        return ""
    if after.started_at_ms == before.started_at_ms and is_same_plan(before.spec, after.spec):
        return "who is told, or what holds it from outside; nothing else changes"
    was, now = weight_bp_of(before), weight_bp_of(after)
    where = f"goes on at {format_bp(now)}" if now == was else f"goes back from {format_bp(was)} to {format_bp(now)}"
    return f"{where}, judged anew"


def judged_anew(touched: Iterable[Rollout], now_ms: int) -> list[Rollout]:
    """Of the rollouts that an apply touched, those whose evidence begins now, and those that wait for their turn."""
    return [each for each in touched if each.started_at_ms == now_ms or isinstance(each.phase, Queued)]


def unlistenable(manifests: Sequence[Manifest]) -> list[Problem]:
    return [
        manifest.problem(("listen",), f"{manifest.spec.listen.host} is a name; a proxy listens on an IP address")
        for manifest in manifests
        if isinstance(manifest.spec, ProxyGroupSpec) and manifest.spec.listen.is_named
    ]


def not_native(manifests: Sequence[Manifest]) -> list[Problem]:
    problems = []
    for manifest in manifests:
        if not isinstance(manifest.spec, ServiceSpec) or manifest.spec.datapath is not DataPath.NATIVE:
            continue
        if found := obstacle(manifest.spec):
            message = f"datapath is native, but {found.text}; next: datapath: auto, or change this"
            problems.append(manifest.problem(found.path, message))
    return problems
