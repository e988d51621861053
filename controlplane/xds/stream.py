"""One ADS stream, state of the world: (state, event) -> (state, effects). Pure, no clock, no I/O.

Rules (xDS protocol; numbers are the section titles' rules in short):
- the node is guaranteed only in the first request of a stream and is remembered;
- a nonce is unique per response on its stream; a request with a nonce that is not the newest is ignored whole;
- a request that answers the newest nonce accepts it, unless `error_detail` is set: then it rejects it. Versions are
  never compared for that;
- at most one response of a type waits for its answer: what comes meanwhile is merged, and what the client runs is
  always known (it is the accepted or the pending one, never one of several that were under way);
- what was rejected is not sent again until its content changes (`refusal.py`); what was sent is not sent again at all;
- clusters that a client has not answered for half a minute count as refused, until it does answer: Envoy 1.40 keeps
  silent about some refusals, and would get nothing any more;
- a response of listeners or clusters is their full state; of the other types it holds what is new to the client;
- endpoints are sent again after their cluster changed, though they did not: the cluster stays warming otherwise;
- nothing is sent before there is a snapshot; a client that comes with the version that is in force gets nothing;
- a resource goes out only when the clusters that it names were accepted on this stream. Hence a client that never
  asks for clusters gets no routes either;
- a cluster leaves only when no route that the client runs names it, and then lingers: a request keeps the routes of
  its start, and one that waits in ext_proc, or is tried again, asks for its cluster later (503 NC if it had gone).
  While a client that has reconnected has not told its routes, all that it brought stays.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, NOTHING, ResourceSet, difference, patched
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import (
    Accepted,
    Effect,
    Event,
    Ignored,
    Linger,
    Lingered,
    Opened,
    Overdue,
    Published,
    Rejected,
    Request,
    Send,
)
from controlplane.xds.node import first_node, is_served, overdue, told
from controlplane.xds.order import NAMING_TYPES, clusters_to_keep, held_clusters, in_order, naming_types
from controlplane.xds.refusal import NOTHING_REFUSED
from controlplane.xds.stream_state import StreamState, TypeState
from controlplane.xds.subscription import FULL_STATE_TYPES, Subscription


def advance(state: StreamState, event: Event) -> tuple[StreamState, tuple[Effect, ...]]:
    """The stream after an event, and what is to be done, in this order.

    Raises StreamError for a request that the stream cannot go on from; the state is then as it was.
    """
    effects: list[Effect] = []
    match event:
        case Published(snapshot):
            state = _published(state, snapshot)
        case Request():
            state, is_taken = _take(state, event, effects)
            if not is_taken:
                return state, tuple(effects)
        case Lingered(generation):
            left = {key: names for key, names in state.lingering.items() if key != generation}
            state = replace(state, lingering=left)
        case Overdue(nonce):
            state = _overdue(state, nonce, effects)
        case _:
            assert_never(event)
    return _push(state, effects), tuple(effects)


def _published(state: StreamState, target: Snapshot) -> StreamState:
    """With another target; where that is another one for a type too, a client that balked is trusted again."""
    before, types = state.target, state.types
    balking = [url for url, current in types.items() if current.balks]
    if before is not None and balking:
        changed = [url for url in balking if target.of_type(url) != before.of_type(url)]
        types = {**types, **{url: replace(types[url], balks=False) for url in changed}}
    return replace(state, target=target, types=types)


def _take(state: StreamState, request: Request, effects: list[Effect]) -> tuple[StreamState, bool]:
    """The state with a request taken in, and whether it counted."""
    served = is_served(request.type_url)
    if state.node is None:
        node = first_node(request.node)
        state = replace(state, node=node)
        effects.append(Opened(node))
    if not served:
        effects.append(Ignored(request.type_url, "unknown type"))
        return state, False
    before = state.types.get(request.type_url)
    if before is None:
        current = _first(state, request)
    elif request.nonce != before.nonce:
        effects.append(Ignored(request.type_url, "stale nonce"))
        return state, False
    else:
        current = _answered(before, request, effects) if before.is_pending else before
    subscription = current.subscription.updated(request.names)
    is_same = before is None or before.subscription == subscription
    current = replace(
        current,
        rest=None,
        subscription=subscription,
        claimed=current.claimed if is_same else "",
        sent=subscription.of(current.sent) if current.sent is not None else None,
        accepted=subscription.of(current.accepted) if current.accepted is not None else None,
    )
    state = replace(state, types={**state.types, request.type_url: current})
    return _linger(state, before, current, effects), True


def _first(state: StreamState, request: Request) -> TypeState:
    """The first of its type: a nonce that it may carry is of an earlier stream and means nothing here."""
    current = TypeState(Subscription(request.type_url), claimed=request.version, accepted=request.brought)
    clusters = state.types.get(CLUSTER)
    if request.type_url != ENDPOINT or clusters is None or clusters.pending is None:
        return current
    held = clusters.accepted if clusters.accepted is not None else NOTHING
    return replace(current, again=frozenset(item.name for item in difference(held, clusters.pending).changed))


def _linger(state: StreamState, before: TypeState | None, now: TypeState, effects: list[Effect]) -> StreamState:
    """Clusters that the client has just stopped to name begin to linger."""
    if before is None or before.accepted is None or before.accepted is now.accepted:
        return state
    named = before.accepted.clusters
    if before.accepted.has_opaque and now.subscription.type_url in NAMING_TYPES and CLUSTER in state.types:
        clusters = state.types[CLUSTER].accepted
        named = clusters.names if clusters is not None else frozenset()
    left = named - (now.accepted.clusters if now.accepted is not None else frozenset())
    if not left:
        return state
    generation = state.generations + 1
    effects.append(Linger(generation))
    return replace(state, generations=generation, lingering={**state.lingering, generation: left})


def _answered(current: TypeState, request: Request, effects: list[Effect]) -> TypeState:
    """ACK or NACK of the newest response."""
    if request.error is None:
        accepted = current.sent if current.sent is not None else NOTHING
        refused = current.refused.settled(accepted)
        return replace(current, is_pending=False, is_overdue=False, accepted=accepted, refused=refused, balks=False)
    return replace(_refusing(current, request.error, effects), is_pending=False, is_overdue=False)


def _refusing(current: TypeState, message: str | None, effects: list[Effect]) -> TypeState:
    """`message`: Envoy's words; None when it has kept silent for too long."""
    sent = current.sent if current.sent is not None else NOTHING
    changed = difference(current.accepted if current.accepted is not None else NOTHING, sent).changed
    words = told(message) if message is not None else overdue(changed)
    effects.append(Rejected(current.subscription.type_url, sent.version, words))
    refused = current.refused.after(changed, message or "")
    current = replace(current, refused=refused, balks=not changed, reported="")
    if current.subscription.type_url not in FULL_STATE_TYPES or current.accepted is None:
        return current
    # Of the others a refused response may have been taken in, removals too: what went may not be relied upon.
    return replace(current, accepted=current.accepted.only(sent.names))


def _overdue(state: StreamState, nonce: str, effects: list[Effect]) -> StreamState:
    """Clusters have waited too long for their answer. If it is none of those any more, nothing happens."""
    current = state.types.get(CLUSTER)
    if current is None or not current.is_pending or current.nonce != nonce or current.is_overdue:
        return state
    current = replace(_refusing(current, None, effects), is_overdue=True)
    return replace(state, types={**state.types, CLUSTER: current})


def _push(state: StreamState, effects: list[Effect]) -> StreamState:
    """Everything that is wanted, not sent and allowed now; and which types have come to the target."""
    target = state.target
    if target is None:
        return state
    types = dict(state.types)
    responses = state.responses
    for type_url in in_order(types):
        there = target.of_type(type_url)
        if types[type_url].rest is there:
            continue
        wanted, current = _wanted(state, target, types, type_url)
        if current.sent is None and current.claimed == wanted.version and not current.subscription.is_empty:
            current = replace(current, sent=wanted, accepted=wanted)
        again = current.again & wanted.names
        is_free = not current.is_pending or current.is_overdue
        is_due = is_free and (again or _is_due(current, wanted))
        if is_due and wanted.clusters <= _held_clusters(types):
            responses += 1
            body = _body(current, wanted, again)
            effects.append(Send(type_url, str(responses), body, wanted.version))
            if type_url == CLUSTER:
                _endpoints_again(types, current, wanted)
            current = replace(current, sent=wanted, nonce=str(responses), is_pending=True, again=frozenset())
            current = replace(current, is_overdue=False, balks=False, rest=None)
        types[type_url] = _reported(target, current, effects).rested(there, wanted)
    return replace(state, types=types, responses=responses)


def _is_due(current: TypeState, wanted: ResourceSet) -> bool:
    """Whether something is to be sent, but for names that are to be sent again."""
    if current.sent is None:
        return current.subscription.lacks(current.accepted, wanted)
    held = current.accepted if current.accepted is not None else NOTHING
    if current.sent == held or current.subscription.lacks(held, wanted):
        return current.subscription.lacks(held, wanted)
    # Of a refused response the client may run what it did not name as bad: that is settled unless it is wanted.
    update = difference(current.sent, wanted)
    removed = update.removed if current.subscription.type_url in FULL_STATE_TYPES else ()
    return not current.refused.names.issuperset([*(item.name for item in update.changed), *removed])


def _body(current: TypeState, wanted: ResourceSet, again: frozenset[str]) -> ResourceSet:
    """What a response must hold: everything where absence deletes, else what the client does not run yet."""
    if current.subscription.type_url in FULL_STATE_TYPES or current.accepted is None:
        return wanted
    changed = difference(current.accepted, wanted).changed
    if len(changed) == len(wanted):
        return wanted
    unsettled = difference(current.sent, wanted).changed if current.sent is not None else ()
    body = patched(wanted.only(again), (*unsettled, *changed), ())
    return body.without(frozenset(item.name for item in body if item.is_opaque)) if body.has_opaque else body


def _endpoints_again(types: dict[str, TypeState], clusters: TypeState, wanted: ResourceSet) -> None:
    """ "Resource warming": a cluster that was changed waits for its endpoints anew, also when these did not change."""
    endpoints = types.get(ENDPOINT)
    if endpoints is None:
        return
    known = (clusters.accepted or NOTHING, clusters.sent or wanted)
    again = endpoints.again | {item.name for resources in known for item in difference(resources, wanted).changed}
    types[ENDPOINT] = replace(endpoints, again=again, rest=None)


def _wanted(
    state: StreamState, target: Snapshot, types: Mapping[str, TypeState], type_url: str
) -> tuple[ResourceSet, TypeState]:
    """What the client is to hold of a type, and the type without refusals that the target has overtaken."""
    current = types[type_url]
    wanted = current.subscription.of(target.of_type(type_url))
    if current.refused is not NOTHING_REFUSED:
        current = replace(current, refused=current.refused.still(wanted))
        wanted = current.refused.instead(wanted, current.accepted)
    if type_url != CLUSTER or current.accepted is None:
        return wanted, current
    if current.claimed and not _tells_its_routes(target, types):
        return wanted.over(current.accepted), current
    users = [item.clusters for other in types.values() for item in (other.accepted, other.pending) if item is not None]
    return clusters_to_keep(wanted, current.accepted, [*users, *state.lingering.values()]), current


def _tells_its_routes(target: Snapshot, types: Mapping[str, TypeState]) -> bool:
    """Whether it is known which clusters the routes of a client name that has reconnected."""
    for type_url in naming_types(target.types.items()):
        current = types.get(type_url)
        if current is None or current.accepted is None or current.accepted.has_opaque:
            return False
    return True


def _held_clusters(types: Mapping[str, TypeState]) -> frozenset[str]:
    clusters = types.get(CLUSTER)
    return held_clusters(clusters.accepted, clusters.pending) if clusters is not None else frozenset()


def _reported(target: Snapshot, current: TypeState, effects: list[Effect]) -> TypeState:
    """Tells Accepted once, when the client lacks nothing that it wants of the target.

    Clusters that it has beyond the target do not count: they stay as long as its routes, or their requests, need them.
    """
    type_url = current.subscription.type_url
    goal = target.of_type(type_url)
    if current.is_pending or current.balks or current.accepted is None or current.reported == goal.version:
        return current
    if difference(current.accepted, current.subscription.of(goal)).changed or current.subscription.is_empty:
        return current
    effects.append(Accepted(type_url, goal.version))
    return replace(current, reported=goal.version, rest=None)
