"""What a world means for proxies and sidecars: snapshots, secrets and the cohort policy, planned and put into force.

Pure but for `AdsServer.publish`, which only sets marks. The shell reads the secret files and records the world first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.engine.group import Plan
from controlplane.engine.policies import PolicyBook
from controlplane.engine.publisher import Publisher
from controlplane.engine.routing import GroupTarget, RouteBook, group_targets
from controlplane.engine.secrets import Reading, SecretBook, names_of, problems
from controlplane.engine.world import World
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import Manifest
from controlplane.snapshot.errors import SecretFileError
from controlplane.snapshot.model import Gateway


@dataclass(frozen=True, slots=True)
class Planned:
    """What a world comes to: by group, with these contents of its secret files, of which some have faults."""

    plans: Mapping[str, Plan]
    files: Mapping[str, bytes] = field(repr=False)
    faults: Mapping[str, str]


class Delivery:
    def __init__(self, publisher: Publisher, gateway: Gateway) -> None:
        """`gateway` is how the process was told to serve."""
        self.publisher = publisher
        self.secrets = SecretBook()
        self.policies = PolicyBook()
        self._gateway = gateway
        self._routes = RouteBook()
        self._in_force: World | None = None

    def files_of(self, world: World) -> frozenset[str]:
        """The secret files that a world needs, and those of clusters that are about to go."""
        return names_of(world) | self.publisher.files_in_use

    def plan(self, world: World, read: Reading, now_ms: int) -> Planned:
        """Raises SnapshotError; nothing has changed then."""
        targets = self._targets(world)
        made = self.secrets.build(lambda files: self.publisher.plan(targets, files, now_ms), read, world)
        return Planned(*made)

    def plan_apply(self, world: World, manifests: Sequence[Manifest], read: Reading, now_ms: int) -> Planned:
        """The same for a world that manifests lead to: of the secrets that they name, none may have a fault.

        Raises SnapshotError, ManifestError; nothing has changed then.
        """
        try:
            planned = self.plan(world, read, now_ms)
        except SecretFileError as error:
            if found := problems(manifests, {error.file: read.faults.get(error.file, str(error))}):
                raise ManifestError(found) from error
            raise
        if found := problems(manifests, planned.faults):
            raise ManifestError(found)
        return planned

    def take(self, world: World, planned: Planned, now_ms: int) -> tuple[str, ...]:
        """Put it into force. Returns the faults of secrets that were not there before, in words."""
        self._take(world, planned.plans, planned.files, now_ms)
        return self.secrets.take(planned.files, planned.faults, self.files_of(world))

    def bring(self, world: World, now_ms: int) -> None:
        """Plan and put into force what a world has changed, with the secrets that are known.

        Raises SnapshotError; nothing has changed then, and the next call tries again.
        """
        if world is not self._in_force:
            plans = self.publisher.plan(self._targets(world), self.secrets.files, now_ms)
            self._take(world, plans, self.secrets.files, now_ms)

    def _targets(self, world: World) -> Mapping[str, GroupTarget]:
        return group_targets(world, self._routes.routes(world), self._gateway)

    def _take(self, world: World, plans: Mapping[str, Plan], files: Mapping[str, bytes], now_ms: int) -> None:
        self.publisher.take(plans, files, now_ms)
        self.policies.update(world)
        self._in_force = world
