"""What the pages are made anew for."""

from collections.abc import Hashable

from controlplane.engine.runner import Engine


class Moves:
    """What the pages are about, as far as it decides when they are made anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.changed = engine.changed

    def state(self, rollout: str) -> Hashable:
        world = self._engine.world
        if not rollout:
            return tuple((each.rollout.name, each.rollout.revision) for each in world.rollouts.values())
        found = world.rollouts.get(rollout)
        return found.rollout.revision if found is not None else 0
