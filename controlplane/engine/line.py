"""Who has a service, and who waits for it: refused or queued, as the plan asks. Pure."""

from collections.abc import Iterable, Sequence

from controlplane.manifest.errors import Problem
from controlplane.manifest.load import Manifest
from controlplane.manifest.pacing import WhenBusy
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.model import Rollout

# Plans age while they wait: whoever has more versions than these to bring should skip some.
QUEUED_MAX = 5


class Line:
    """Mutable: of each service the rollouts that have not ended, the one that has it first."""

    def __init__(self, rollouts: Iterable[Rollout]) -> None:
        self._names: dict[str, list[str]] = {}
        live = (rollout for rollout in rollouts if not rollout.is_terminal)
        for rollout in sorted(live, key=lambda each: (not each.is_active, each.started_at_ms, each.name)):
            self._names.setdefault(rollout.spec.service, []).append(rollout.name)

    def join(self, name: str, service: str) -> list[str]:
        """Who stands before a rollout, which stands in line from now on."""
        names = self._names.setdefault(service, [])
        if name not in names:
            names.append(name)
        return names[: names.index(name)]


def busy(rollouts: Iterable[Rollout], manifests: Sequence[Manifest]) -> list[Problem]:
    """New rollouts that can neither begin nor wait."""
    line, problems = Line(rollouts), []
    for manifest in manifests:
        if not isinstance(manifest.spec, RolloutSpec):
            continue
        service = manifest.spec.service
        before = line.join(manifest.name, service)
        if before and manifest.spec.when_busy is WhenBusy.REFUSE:
            message = (
                f"service {service} is busy with rollout {before[0]}; next: wait for it, serinus abort {before[0]}, "
                "or `when_busy: queue`"
            )
            problems.append(manifest.problem(("service",), message))
        elif len(before) > QUEUED_MAX:
            message = f"{QUEUED_MAX} rollouts wait for service {service} already; next: serinus abort {before[-1]}"
            problems.append(manifest.problem(("when_busy",), message))
    return problems
