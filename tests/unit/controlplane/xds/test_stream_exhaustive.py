"""Every event in every state that can be reached, up to a depth: what must hold at each step, and that it ends well.

The world: three snapshots that share and exchange clusters; a client that may ask, accept, refuse, answer late, drop
names and take them up again, in any order.
"""

import itertools
from collections.abc import Iterator

from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, ResourceSet
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import (
    Accepted,
    Effect,
    Event,
    Ignored,
    Linger,
    Lingered,
    Published,
    Rejected,
    Request,
    Send,
)
from controlplane.xds.stream import StreamState, TypeState, advance
from tests.unit.controlplane.xds.factory import NODE, sends, snapshot

_SNAPSHOTS = (snapshot("a", "a"), snapshot("a b", "b", listener="2"), snapshot("b", "b"))
_TYPES = (CLUSTER, LISTENER, ROUTE)
_DEPTH = 6
# Settling a state takes ten times as long as reaching it.
_EVERY_NTH = 11


def _names(type_url: str) -> tuple[str, ...]:
    return ("services",) if type_url == ROUTE else ()


def _events(state: StreamState) -> Iterator[Event]:
    """Every event that may come next. A client answers only what it was sent, but may do so late or twice."""
    for published in _SNAPSHOTS:
        if published is not state.target:
            yield Published(published)
    for generation in state.lingering:
        yield Lingered(generation)
    for type_url in _TYPES:
        current = state.types.get(type_url)
        if current is None:
            for version in ("", _SNAPSHOTS[0].versions[type_url], "unknown"):
                yield Request(type_url, _names(type_url), version=version, node=NODE)
            continue
        for error in (None, "no"):
            yield Request(type_url, _names(type_url), nonce=current.nonce, error=error)
        yield Request(type_url, _names(type_url), nonce="stale")
    if (route := state.types.get(ROUTE)) is not None:
        yield Request(ROUTE, (), nonce=route.nonce)


def _running(current: TypeState | None) -> list[ResourceSet]:
    """What the client may run of a type: the accepted, and what it was sent and has not answered."""
    if current is None:
        return []
    sets = [current.accepted, current.sent if current.is_pending else None]
    return [item for item in sets if item is not None]


def _check(before: StreamState, event: Event, after: StreamState, effects: tuple[Effect, ...]) -> None:
    sent = sends(list(effects))
    if after.target is None:
        assert not sent, "nothing before the first snapshot"
    for send in sent:
        previous = before.types.get(send.type_url)
        assert int(send.nonce) > before.responses, "a nonce is used once"
        if previous is not None and previous.subscription == after.types[send.type_url].subscription:
            assert send.resources != previous.sent, "what was sent, and maybe refused, is not sent again"
            assert not previous.is_pending or isinstance(event, Request), "one response waits for its answer"
        _check_clusters(after, send)
    for effect in effects:
        match effect:
            case Ignored():
                assert not sent
                assert after == before
            case Rejected(type_url, version):
                assert all((send.type_url, send.resources.version) != (type_url, version) for send in sent)
            case Accepted(type_url, version):
                assert after.target is not None
                assert version == after.target.versions[type_url]
                assert not after.types[type_url].is_pending


def _check_clusters(after: StreamState, send: Send) -> None:
    if send.type_url == CLUSTER:
        held = after.types[CLUSTER].accepted
        known = held.names if held is not None else frozenset[str]()
        for running in _running(after.types.get(ROUTE)):
            assert running.clusters & known <= send.resources.names, "no cluster goes before its route"
        for names in after.lingering.values():
            assert names & known <= send.resources.names, "nor right after it"
    elif send.resources.clusters:
        assert after.types[CLUSTER].accepted is not None, "no route before its cluster was accepted"
        for clusters in _running(after.types[CLUSTER]):
            assert send.resources.clusters <= clusters.names, "nor when it is about to go"


def _key(state: StreamState) -> object:
    """States that differ only in how nonces are called are one."""
    types = tuple(
        (url, current.subscription, current.claimed, current.sent, current.accepted, current.is_pending,
         current.reported, bool(current.nonce), current.refused)
        for url, current in sorted(state.types.items())
    )  # fmt: skip
    return (state.target.version if state.target else "", types, frozenset(state.lingering.values()))


def _reachable() -> Iterator[tuple[StreamState, Event, StreamState, tuple[Effect, ...]]]:
    """Each transition once, breadth first."""
    seen = {_key(StreamState())}
    frontier = [StreamState()]
    for _ in range(_DEPTH):
        following = []
        for before in frontier:
            for event in _events(before):
                after, effects = advance(before, event)
                yield before, event, after, effects
                if _key(after) not in seen:
                    seen.add(_key(after))
                    following.append(after)
        frontier = following


def _settled(state: StreamState, target: Snapshot) -> StreamState:
    """From now on the client asks for everything and accepts everything."""
    state, effects = advance(state, Published(target))
    for type_url in _TYPES:
        current = state.types.get(type_url)
        nonce = current.nonce if current is not None else ""
        state, more = advance(state, Request(type_url, _names(type_url), nonce=nonce, node=NODE))
        effects += more
    waiting = list(effects) + [Linger(generation) for generation in state.lingering]
    rounds = 0
    while waiting:
        rounds += 1
        assert rounds <= 60, "a client that accepts everything comes to rest"
        effect = waiting.pop(0)
        if isinstance(effect, Send):
            state, more = advance(state, Request(effect.type_url, _names(effect.type_url), nonce=effect.nonce))
            waiting += more
        elif isinstance(effect, Linger):
            state, more = advance(state, Lingered(effect.generation))
            waiting += more
    return state


def test_every_event_in_every_state_keeps_the_rules() -> None:
    transitions = 0
    for before, event, after, effects in _reachable():
        _check(before, event, after, effects)
        transitions += 1
    assert transitions > 10_000


def test_from_every_state_a_willing_client_comes_to_the_target() -> None:
    """Liveness: no state is a dead end. Held, refused or half-sent: the end is the target, all of it, exactly, but for
    what it has refused and what is still the same."""
    target = snapshot("b c", "c", listener="3")
    for _, _, state, _ in itertools.islice(_reachable(), 0, None, _EVERY_NTH):
        settled = _settled(state, target)
        for type_url in _TYPES:
            current = settled.types[type_url]
            goal = target.of_type(type_url)
            assert current.accepted == goal.without(current.refused.names)
            assert current.reported == ("" if current.refused.names else goal.version)
