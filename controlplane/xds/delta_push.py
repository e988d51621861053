"""What an incremental ADS stream sends now, and what it has accepted. Pure; the rules stand in `delta.py`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controlplane.snapshot.model import ROUTE_CONFIGURATION
from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    VIRTUAL_HOST,
    Difference,
    Resource,
    ResourceSet,
    difference,
    patched,
)
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.delta_state import DeltaState, DeltaType, Pending
from controlplane.xds.events import Accepted, DeltaSend, Effect
from controlplane.xds.order import in_order, naming_types
from controlplane.xds.refusal import NOTHING_REFUSED

# A wildcard for virtual hosts of which there are none must be answered, or the listener waits 15 s for them; Envoy
# 1.40 passes over an answer that holds nothing at all, but not over the removal of what never was.
EMPTY_COLLECTION = f"{ROUTE_CONFIGURATION}/none"


def push(state: DeltaState, effects: list[Effect]) -> DeltaState:
    """Everything that is wanted, not sent and allowed now; and which types have come to the target."""
    target = state.target
    if target is None:
        return state
    types = dict(state.types)
    responses = state.responses
    for type_url in in_order(types):
        current = types[type_url]
        there = target.of_type(type_url)
        if current.rest is there:
            continue
        goal = wanted = current.subscription.of(there)
        if current.refused is not NOTHING_REFUSED:
            current = types[type_url] = replace(current, refused=current.refused.still(goal))
            wanted = current.refused.instead(goal, current.accepted)
        update = _update(state, target, types, type_url, wanted) if current.is_free else None
        if update is not None:
            responses += 1
            current = _sent(current, wanted, update, str(responses))
            effects.append(DeltaSend(type_url, str(responses), update.changed, update.removed, there.version))
            if type_url == CLUSTER:
                _endpoints_again(types, update.changed)
        types[type_url] = _reported(target, current, goal, effects).rested(there, goal)
    return replace(state, types=types, responses=responses)


def _update(
    state: DeltaState, target: Snapshot, types: Mapping[str, DeltaType], type_url: str, wanted: ResourceSet
) -> Difference | None:
    """What is due and allowed now, or None if that is nothing."""
    current = types[type_url]
    if current.subscription.is_empty and not current.again:
        return None
    whole = difference(current.accepted, wanted)
    again = current.again
    is_back = bool(current.heal) and not current.heal <= current.refused.names
    if not (whole.changed or whole.removed or again or is_back) and current.is_answered:
        return None
    if not (whole.removed or again or current.heal) and type_url != CLUSTER and _is_allowed(whole.changed, types):
        # A weight step: what is lacking goes out as it stands, the same object for every stream.
        return whole if whole.changed else _nothing(current, wanted, type_url)
    removed = _removable(state, target, types, type_url, whole.removed)
    kept = set(whole.removed).difference(removed)
    changed = whole.changed
    if again:
        changed = _with(changed, ((current.accepted if name in kept else wanted).resources.get(name) for name in again))
    if type_url != CLUSTER:
        changed = _allowed(changed, _held_clusters(types))
    if current.balks and not changed and not again:
        return None
    absent = tuple(sorted(name for name in again if name not in wanted and name not in whole.removed))
    if changed or removed or absent or is_back:
        return _healed(current, Difference(changed, (*removed, *absent)))
    return _nothing(current, wanted, type_url)


def _nothing(current: DeltaType, wanted: ResourceSet, type_url: str) -> Difference | None:
    """An answer that holds nothing, where one is waited for."""
    if current.is_answered or len(wanted):
        return None
    return Difference((), (EMPTY_COLLECTION,) if type_url == VIRTUAL_HOST else ())


def _is_allowed(changed: tuple[Resource, ...], types: Mapping[str, DeltaType]) -> bool:
    held = _held_clusters(types)
    return all(item.clusters <= held for item in changed)


def _with(changed: tuple[Resource, ...], more: Iterable[Resource | None]) -> tuple[Resource, ...]:
    known = {item.name for item in changed}
    added = sorted(
        (item for item in more if item is not None and item.name not in known and not item.is_opaque),
        key=lambda item: item.name,
    )
    return (*changed, *added)


def _healed(current: DeltaType, update: Difference) -> Difference:
    """The update with what settles refused resources: what ran before, or a removal where there was nothing."""
    if not current.heal:
        return update
    left = current.heal.difference(update.removed)
    changed = _with(update.changed, (current.accepted.resources.get(name) for name in left))
    settled = {item.name for item in changed} | set(update.removed)
    return Difference(changed, (*update.removed, *sorted(current.heal - settled - current.accepted.names)))


def _allowed(changed: tuple[Resource, ...], held: frozenset[str]) -> tuple[Resource, ...]:
    if all(item.clusters <= held for item in changed):
        return changed
    return tuple(item for item in changed if item.clusters <= held)


def _removable(
    state: DeltaState,
    target: Snapshot,
    types: Mapping[str, DeltaType],
    type_url: str,
    names: tuple[str, ...],
) -> tuple[str, ...]:
    """Of the names that are gone, those that nothing needs any more."""
    if not names or type_url == EXTENSION:
        return ()
    if type_url != CLUSTER:
        return names
    if types[CLUSTER].has_brought and not _tells_its_routes(target, types):
        return ()
    needed = frozenset[str]().union(
        *(running.clusters for other in types.values() for running in other.running), *state.lingering.values()
    )
    return tuple(name for name in names if name not in needed)


def _tells_its_routes(target: Snapshot, types: Mapping[str, DeltaType]) -> bool:
    """Whether it is known which clusters the routes of a client name that has reconnected."""
    for type_url in naming_types(target.types.items()):
        current = types.get(type_url)
        if current is None or current.accepted.has_opaque or not len(current.accepted):
            return False
    return True


def _held_clusters(types: Mapping[str, DeltaType]) -> frozenset[str]:
    """The clusters that the client has and goes on having. An ACK of a cluster means that it is warm."""
    clusters = types.get(CLUSTER)
    if clusters is None:
        return frozenset()
    names = clusters.accepted.names
    return (
        names
        if clusters.pending is None or not clusters.pending.removed
        else names.difference(clusters.pending.removed)
    )


def _sent(current: DeltaType, wanted: ResourceSet, update: Difference, nonce: str) -> DeltaType:
    """The type with a response under way. Where all is sent the shared set is taken, not one of this stream's own."""
    whole = difference(current.accepted, wanted)
    is_whole = update is whole or (
        set(whole.changed) <= set(update.changed) and set(whole.removed) <= set(update.removed)
    )
    then = wanted if is_whole else patched(current.accepted, update.changed, update.removed)
    again = current.again
    if again:
        again = again.difference((item.name for item in update.changed), update.removed)
    return replace(
        current,
        pending=Pending(nonce, update.changed, update.removed, then),
        again=again,
        heal=frozenset(),
        is_answered=True,
        rest=None,
    )


def _endpoints_again(types: dict[str, DeltaType], changed: tuple[Resource, ...]) -> None:
    """ "Resource warming": a cluster that was changed waits for its endpoints anew, also when these did not change."""
    endpoints = types.get(ENDPOINT)
    if endpoints is not None:
        names = {item.name for item in changed} & endpoints.subscription.names
        types[ENDPOINT] = replace(endpoints, again=endpoints.again | names, rest=None)


def _reported(target: Snapshot, current: DeltaType, goal: ResourceSet, effects: list[Effect]) -> DeltaType:
    """Tells Accepted once, when the client runs all that it wants of the target, and nothing that is gone but
    clusters that its routes, or their requests, still need.
    """
    type_url = current.subscription.type_url
    version = target.of_type(type_url).version
    is_known = current.pending is None and not current.heal and not current.balks
    if not is_known or current.reported == version or current.subscription.is_empty:
        return current
    lacking = difference(current.accepted, goal)
    if lacking.changed or (lacking.removed and type_url not in (CLUSTER, EXTENSION)):
        return current
    effects.append(Accepted(type_url, version))
    return replace(current, reported=version, rest=None)
