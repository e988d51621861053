"""Rollouts that wait for a service which another one has: who may come, who begins next. Pure."""

from collections.abc import Iterator

from controlplane.engine.transitions import BusyError, with_world
from controlplane.engine.world import World
from controlplane.rollout.events import Abort, Command, Retry
from controlplane.rollout.model import Queued, Rollout

# Who acts in the record.
ACTOR = "serinus"


def due(world: World, now_ms: int) -> Iterator[tuple[Rollout, Command]]:
    """Of each free service the rollout that has waited longest, and what happens to it: it begins, or, where its
    candidate has gone or is the baseline by now, ends."""
    first: dict[str, Rollout] = {}
    for rollout in queued(world):
        first.setdefault(rollout.spec.service, rollout)
    for service, rollout in first.items():
        if world.active(service) is None:
            yield rollout, _begins(world, rollout, now_ms)


def queued(world: World) -> list[Rollout]:
    """All that wait, the oldest first."""
    waiting = [entry.rollout for entry in world.rollouts.values() if isinstance(entry.rollout.phase, Queued)]
    return sorted(waiting, key=lambda rollout: (rollout.started_at_ms, rollout.name))


def _begins(world: World, rollout: Rollout, now_ms: int) -> Command:
    try:
        event = with_world(world, rollout.name, Retry(now_ms, ACTOR, f"service {rollout.spec.service} is free"))
    except BusyError as error:
        return Abort(now_ms, ACTOR, str(error))
    assert isinstance(event, Retry)
    return event
