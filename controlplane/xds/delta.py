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

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, NOTHING, VIRTUAL_HOST
from controlplane.snapshot.snapshot import Snapshot
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
from controlplane.xds.node import first_node, is_served, overdue, told
from controlplane.xds.order import NAMING_TYPES
from controlplane.xds.refusal import named_in
from controlplane.xds.subscription import Subscription


def advance(state: DeltaState, event: DeltaEvent) -> tuple[DeltaState, tuple[Effect, ...]]:
    """The stream after an event, and what is to be done, in this order.

    Raises StreamError for a request that the stream cannot go on from; the state is then as it was.
    """
    effects: list[Effect] = []
    match event:
        case Published(snapshot):
            state = _published(state, snapshot.incremental)
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


def _published(state: DeltaState, target: Snapshot) -> DeltaState:
    """With another target; where that is another one for a type too, a client that balked is tried again."""
    before, types = state.target, state.types
    balking = [url for url, current in types.items() if current.balks]
    if before is not None and balking:
        changed = [url for url in balking if target.of_type(url) != before.of_type(url)]
        types = {**types, **{url: replace(types[url], balks=False) for url in changed}}
    return replace(state, target=target, types=types)


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
        current = _late(current, request, effects)
    current = _subscribed(current, request, is_first=before is None)
    if before is None and request.type_url == ENDPOINT:
        current = _warming(state, current)
    if current.rest is not None:
        current = replace(current, rest=None)
    state = replace(state, types={**state.types, request.type_url: current})
    return _linger(state, before, current, effects)


def _first(request: DeltaRequest) -> DeltaType:
    brought = request.brought if request.brought is not None else NOTHING
    has_brought = bool(len(brought))
    return DeltaType(Subscription(request.type_url), accepted=brought, is_answered=has_brought, has_brought=has_brought)


def _answered(current: DeltaType, pending: Pending, request: DeltaRequest, effects: list[Effect]) -> DeltaType:
    """ACK or NACK of the response under way."""
    if request.error is None:
        refused = current.refused.settled(pending.then)
        return replace(current, pending=None, accepted=pending.then, refused=refused, heal=frozenset(), balks=False)
    return replace(_refusing(current, pending, request.error, effects), pending=None)


def _late(current: DeltaType, request: DeltaRequest, effects: list[Effect]) -> DeltaType:
    """An answer to a response that another one has followed: one that was overdue. Envoy 1.40 gives it when the cluster
    that it choked on is settled, and its words tell which of the suspects that was.
    """
    type_url, error = request.type_url, request.error
    if error is None or not named_in(current.refused.suspects, error):
        effects.append(Ignored(type_url, "stale nonce"))
        return current
    effects.append(Rejected(type_url, current.accepted.version, told(error)))
    return replace(current, refused=current.refused.after((), error), reported="")


def _refusing(current: DeltaType, pending: Pending, message: str | None, effects: list[Effect]) -> DeltaType:
    """`message`: Envoy's words; None when it has kept silent for too long."""
    accepted = current.accepted.resources
    fresh = [item for item in pending.changed if accepted.get(item.name) != item]
    words = told(message) if message is not None else overdue(fresh)
    effects.append(Rejected(current.subscription.type_url, pending.then.version, words))
    current = replace(current, refused=current.refused.after(fresh, message or ""), balks=not fresh, reported="")
    if current.subscription.type_url != CLUSTER:
        return current
    # Of the others a refused response may have been taken in, removals too: what went may not be relied upon.
    names = frozenset(item.name for item in pending.changed).union(pending.removed)
    left = current.accepted.without(frozenset(pending.removed))
    return replace(current, accepted=left, heal=current.heal | names)


def _overdue(state: DeltaState, nonce: str, effects: list[Effect]) -> DeltaState:
    """Clusters have waited too long for their answer. If it is none of those any more, nothing happens."""
    current = state.types.get(CLUSTER)
    if current is None or current.pending is None or current.pending.nonce != nonce or current.pending.is_overdue:
        return state
    current = _refusing(current, current.pending, None, effects)
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


def _warming(state: DeltaState, endpoints: DeltaType) -> DeltaType:
    """ "Resource warming": clusters that were changed before their endpoints were first asked for wait for these, also
    where the client has brought the same ones.
    """
    clusters = state.types.get(CLUSTER)
    changed = clusters.pending.changed if clusters is not None and clusters.pending is not None else ()
    names = endpoints.subscription.names.intersection(item.name for item in changed)
    return replace(endpoints, again=endpoints.again | names)


def _linger(state: DeltaState, before: DeltaType | None, now: DeltaType, effects: list[Effect]) -> DeltaState:
    """Clusters that the client has just stopped to name begin to linger."""
    if before is None or before.accepted is now.accepted:
        return state
    named = before.accepted.clusters
    if before.accepted.has_opaque and now.subscription.type_url in NAMING_TYPES and CLUSTER in state.types:
        named = state.types[CLUSTER].accepted.names
    left = named - now.accepted.clusters
    if not left:
        return state
    generation = state.generations + 1
    effects.append(Linger(generation))
    return replace(state, generations=generation, lingering={**state.lingering, generation: left})
