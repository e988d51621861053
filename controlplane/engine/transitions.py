"""What a transition does to the world, and what the world has to say before a rollout begins again. Pure."""

from dataclasses import replace

from controlplane.engine.world import World
from controlplane.errors import SerinusError
from controlplane.rollout.effects import SetBaseline
from controlplane.rollout.events import Command, HooksEnded, Retry
from controlplane.rollout.transition import Transition


class BusyError(SerinusError):
    """A rollout that cannot begin again while things are as they are."""

    code = "busy"


def after(world: World, transition: Transition) -> World:
    """The world once a transition is recorded."""
    world = world.with_rollout(transition.state)
    for effect in transition.effects:
        if isinstance(effect, SetBaseline):
            world = world.with_baseline(effect.service, effect.version)
    return world


def with_world(world: World, name: str, event: Command | HooksEnded) -> Command | HooksEnded:
    """The event with what only the world knows: whom a rollout that begins again is compared with.

    Raises BusyError, NotFoundError.
    """
    rollout = world.rollout(name)
    if not isinstance(event, Retry) or rollout.is_active:
        return event
    service = world.services[rollout.spec.service]
    if busy := world.active(service.name):
        raise BusyError(
            f"service {service.name} is busy with rollout {busy.name}",
            next_step=f"wait for it, or serinus abort {busy.name}",
        )
    if rollout.spec.candidate not in {version.name for version in service.spec.versions}:
        raise BusyError(
            f"version {rollout.spec.candidate} is no more in service {service.name}", next_step="apply the service"
        )
    if rollout.spec.candidate == service.baseline:
        raise BusyError(f"version {service.baseline} is the baseline of service {service.name} already")
    return replace(event, baseline=service.baseline)
