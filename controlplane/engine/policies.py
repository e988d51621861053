"""The cohort policy in force, as the sidecars get it. Worked out anew only when something it says has changed: a weight
is none of it, so a weight step costs nothing here, however many services there are. Pure.
"""

from collections.abc import Sequence

from controlplane.engine.routing import policies
from controlplane.engine.world import World
from controlplane.ingest import wire


class PolicyBook:
    def __init__(self) -> None:
        self.policy = wire.policy_message(())
        self.feedback_key = b""  # of the installation; to be set before the first update
        self._said_of: Sequence[object] = ()

    def update(self, world: World) -> bool:
        """Whether the policy is another one now."""
        said_of = (self.feedback_key, *_said_of(world))
        if said_of == self._said_of:
            return False
        self._said_of = said_of
        policy = wire.policy_message(policies(world, self.feedback_key))
        if policy.version == self.policy.version:
            return False
        self.policy = policy
        return True


def _said_of(world: World) -> tuple[object, ...]:
    """All that policies are made from: services, and of rollouts what stays the same while they run."""
    services = sorted(world.services.items())
    rollouts = sorted((rollout.name, rollout.baseline) for rollout in world.active_rollouts)
    specs = tuple(rollout.spec for rollout in sorted(world.active_rollouts, key=lambda rollout: rollout.name))
    return (*(service for _, service in services), *rollouts, *specs)
