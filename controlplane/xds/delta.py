"""One incremental ADS stream: (state, event) -> (state, effects). Pure, no clock, no I/O.

Rules (xDS protocol, "Incremental xDS", and those of `stream.py` on nodes, nonces, clusters and lingering):
- a nonce only tells which response is accepted or refused: what a request with any other nonce subscribes to, or no
  longer, counts all the same;
- at most one response of a type waits for its answer; what comes meanwhile is merged;
- a name that is asked for is answered: by the resource, also when the client has it and asks again, or by its name in
  `removed_resources` when there is none; it is remembered, and sent when it appears;
- a client with a wildcard that drops a name is told that resource once more (or its removal): `*` still covers it;
- `initial_resource_versions` are what the client runs: only the difference goes out, with the removal of what is gone;
- a refused resource is not sent again until its own content changes (`refusal.py`); the next response of its type
  carries what the client ran before, or its removal;
- each resource waits for the clusters that it names by itself: one service's new cluster delays no other service;
- filter configs are never removed: a listener that named one would fail.
"""

from dataclasses import replace
from typing import assert_never

from controlplane.snapshot.resource import CLUSTER, NOTHING, VIRTUAL_HOST
from controlplane.xds.delta_push import push
from controlplane.xds.delta_state import DeltaState, DeltaType, Pending
from controlplane.xds.events import (
    DeltaEvent,
    DeltaRequest,
    Effect,
    Ignored,
    Linger,
    Lingered,
    Opened,
    Overdue,
    Published,
    Rejected,
)
from controlplane.xds.node import OVERDUE_MESSAGE, first_node, is_served, told
from controlplane.xds.subscription import Subscription


def advance(state: DeltaState, event: DeltaEvent) -> tuple[DeltaState, tuple[Effect, ...]]:
    """The stream after an event, and what is to be done, in this order.

    Raises StreamError for a request that the stream cannot go on from; the state is then as it was.
    """
    effects: list[Effect] = []
    match event:
        case Published(snapshot):
            state = replace(state, target=snapshot.incremental)
        case DeltaRequest():
            state = _take(state, event, effects)
        case Lingered(generation):
            left = {key: names for key, names in state.lingering.items() if key != generation}
            state = replace(state, lingering=left)
        case Overdue(nonce):
            state = _overdue(state, nonce, effects)
        case _:
            assert_never(event)
    return push(state, effects), tuple(effects)


def _take(state: DeltaState, request: DeltaRequest, effects: list[Effect]) -> DeltaState:
    served = is_served(request.type_url)
    if state.node is None:
        node = first_node(request.node)
        state = replace(state, node=node)
        effects.append(Opened(node))
    if not served:
        effects.append(Ignored(request.type_url, "unknown type"))
        return state
    before = state.types.get(request.type_url)
    current = before if before is not None else _first(request)
    if current.pending is not None and request.nonce == current.pending.nonce:
        current = _answered(current, current.pending, request, effects)
    elif request.nonce and before is not None:
        effects.append(Ignored(request.type_url, "stale nonce"))
    current = _subscribed(current, request, is_first=before is None)
    state = replace(state, types={**state.types, request.type_url: current})
    return _linger(state, before, current, effects)


def _first(request: DeltaRequest) -> DeltaType:
    brought = request.brought if request.brought is not None else NOTHING
    has_brought = bool(len(brought))
    return DeltaType(Subscription(request.type_url), accepted=brought, is_answered=has_brought, has_brought=has_brought)


def _answered(current: DeltaType, pending: Pending, request: DeltaRequest, effects: list[Effect]) -> DeltaType:
    """ACK or NACK of the response under way."""
    if request.error is None:
        return replace(current, pending=None, accepted=pending.then, refused=current.refused.settled(pending.then))
    return replace(_refusing(current, pending, request.error, effects), pending=None)


def _refusing(current: DeltaType, pending: Pending, message: str, effects: list[Effect]) -> DeltaType:
    effects.append(Rejected(current.subscription.type_url, pending.then.version, told(message)))
    refused = current.refused.after(pending.changed, message)
    heal = refused.names if current.subscription.type_url == CLUSTER else frozenset[str]()
    return replace(current, refused=refused, heal=current.heal | heal, reported="")


def _overdue(state: DeltaState, nonce: str, effects: list[Effect]) -> DeltaState:
    """Clusters have waited too long for their answer. If it is none of those any more, nothing happens."""
    current = state.types.get(CLUSTER)
    if current is None or current.pending is None or current.pending.nonce != nonce or current.pending.is_overdue:
        return state
    current = _refusing(current, current.pending, OVERDUE_MESSAGE, effects)
    assert current.pending is not None, "a refusal leaves what is under way as it is"
    current = replace(current, pending=replace(current.pending, is_overdue=True))
    return replace(state, types={**state.types, CLUSTER: current})


def _subscribed(current: DeltaType, request: DeltaRequest, *, is_first: bool) -> DeltaType:
    """The type after the lists of a request: names that left, and names that must be answered whatever is known."""
    before = current.subscription
    after = before.changed(request.subscribe, request.unsubscribe, is_first=is_first)
    if after == before and not request.subscribe:
        return current
    again = current.again | (frozenset(request.subscribe) & after.names)
    if is_first:
        again -= current.accepted.names
    if after.is_wildcard:
        again |= frozenset(request.unsubscribe) & before.names
    elif request.type_url == VIRTUAL_HOST:
        again = frozenset()  # the name of a collection is no resource that could be sent, or be missing
    else:
        again &= after.names
    then = None if current.pending is None else replace(current.pending, then=after.of(current.pending.then))
    return replace(
        current,
        subscription=after,
        accepted=after.of(current.accepted),
        pending=then,
        again=again,
    )


def _linger(state: DeltaState, before: DeltaType | None, now: DeltaType, effects: list[Effect]) -> DeltaState:
    """Clusters that the client has just stopped to name begin to linger."""
    if before is None or before.accepted is now.accepted:
        return state
    named = before.accepted.clusters
    if before.accepted.has_opaque and CLUSTER in state.types:
        named = state.types[CLUSTER].accepted.names
    left = named - now.accepted.clusters
    if not left:
        return state
    generation = state.generations + 1
    effects.append(Linger(generation))
    return replace(state, generations=generation, lingering={**state.lingering, generation: left})
