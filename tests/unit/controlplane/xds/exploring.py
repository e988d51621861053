"""Every event in every state of a stream that can be reached, with a model Envoy at its other end, in both modes. What
must hold then stands in `exploring_rules.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from controlplane.snapshot.resource import CLUSTER, Resource, resource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import (
    DeltaRequest,
    DeltaSend,
    Effect,
    Lingered,
    Overdue,
    Published,
    Request,
    Send,
)
from controlplane.xds.order import NAMING_TYPES
from tests.unit.controlplane.xds.model_envoy import Envoy, Letter, Response

State = Any  # of either mode; the functions of its `Side` know which
Asked = Request | DeltaRequest
Event = Asked | Published | Lingered | Overdue


@dataclass(frozen=True)
class Side:
    """A mode's machine, and how requests look in it."""

    fresh: State
    advance: Callable[[State, Any], tuple[State, tuple[Effect, ...]]]
    view: Callable[[Snapshot], Snapshot]
    first: Callable[[str, tuple[str, ...], Envoy], Asked]
    later: Callable[["World", Envoy, str, str, str | None], Asked]
    own: Callable[[str, Any], object]
    is_pending: Callable[[Any], bool]
    is_whole: bool  # a response of clusters is the full state: what nobody remembers cannot be kept


@dataclass(frozen=True)
class World:
    """What may be published, what the Envoy asks for, and how many steps are looked at. `names`: requests that change
    names, with the Envoy after them.
    """

    side: Side
    snapshots: tuple[Snapshot, ...]
    asks: tuple[tuple[str, tuple[str, ...]], ...]
    depth: int
    names: Callable[[State, Envoy], Iterator[tuple[Asked, Envoy]]] = lambda _state, _envoy: iter(())

    def target(self, index: int) -> Snapshot:
        return self.side.view(self.snapshots[index])


@dataclass(frozen=True)
class Step:
    """One transition of both ends."""

    before: State
    event: Event
    after: State
    effects: tuple[Effect, ...]
    envoy: Envoy

    @property
    def sent(self) -> list[Response]:
        return [effect for effect in self.effects if isinstance(effect, Send | DeltaSend)]


def starts(world: World) -> Iterator[Envoy]:
    """An Envoy that is new; one that comes back with what was published; and with what nobody remembers."""
    yield Envoy()
    first = world.target(0)
    held = {url: MappingProxyType(dict(first.of_type(url).resources)) for url, _ in world.asks}
    yield Envoy(
        held=MappingProxyType(held), version=MappingProxyType({url: first.of_type(url).version for url in held})
    )
    (naming,) = (url for url, _ in world.asks if url in NAMING_TYPES)
    old = (resource("z", CLUSTER, b"old"), resource(next(iter(first.of_type(naming).names)), naming, b"old", ["z"]))
    yield Envoy(
        held=MappingProxyType({item.type_url: MappingProxyType({item.name: item}) for item in old}),
        version=MappingProxyType({item.type_url: "old" for item in old}),
        is_forgotten=True,
    )


def step(world: World, state: State, event: Event, envoy: Envoy) -> Step:
    """`envoy` as it is when it has said, or met, the event."""
    after, effects = world.side.advance(state, event)
    envoy = envoy.receives(effects)
    if after.target is not None:
        envoy = envoy.forgives(after.target.of_type(CLUSTER))
    return Step(state, event, after, effects, envoy)


def answers(world: World, letter: Letter, envoy: Envoy) -> list[tuple[Event, Envoy]]:
    """Yes; no to all of it; and of clusters: no to one, told, or kept back until half a minute was over."""

    def answer(words: str | None = None) -> Asked:
        return world.side.later(world, envoy, letter.send.type_url, letter.send.nonce, words)

    others = [other for other in envoy.inbox if other.send.type_url == CLUSTER and other is not letter]
    if world.side.is_whole and letter.send.type_url == CLUSTER and others:
        return [_merged(world, letter, others, envoy)]
    rest = envoy.without(letter)
    if letter.refused is not None:
        return [(answer(_words(letter.refused)), replace(rest, saying=letter.refused))]
    found: list[tuple[Event, Envoy]] = [
        (answer(), rest.applies(letter.send)),
        (answer("no"), rest.declines(letter.send)),
    ]
    changed, _ = envoy.news(letter.send)
    fresh = [item for item in changed if item != envoy.of(CLUSTER).get(item.name)]
    if letter.send.type_url == CLUSTER and fresh:
        late = rest.applies(letter.send, refused=fresh[0])
        silent = Letter(letter.send, refused=fresh[0])
        inbox = tuple(silent if item is letter else item for item in envoy.inbox)
        found.append((answer(_words(fresh[0])), late))
        found.append((Overdue(letter.send.nonce), replace(late, inbox=inbox, saying=None)))
    return found


def _merged(world: World, first: Letter, others: list[Letter], envoy: Envoy) -> tuple[Event, Envoy]:
    """State of the world: one request answers the newest response, with the words that were kept back, if there are any;
    what it held before is taken back without a word.
    """
    refused = None
    for letter in (first, *others):
        envoy = envoy.without(letter) if letter.refused is not None else envoy.without(letter).applies(letter.send)
        refused = refused or letter.refused
    words = _words(refused) if refused is not None else None
    return world.side.later(world, envoy, CLUSTER, others[-1].send.nonce, words), replace(envoy, saying=None)


def _words(item: Resource) -> str:
    return f"Error adding/updating cluster(s) {item.name}: bad"


def events(world: World, state: State, envoy: Envoy) -> Iterator[tuple[Event, Envoy]]:
    """Every event that may come next, with the Envoy as it is then."""
    for published in world.snapshots:
        if state.target is None or world.side.view(published).version != state.target.version:
            yield Published(published), envoy
    for generation in state.lingering:
        yield Lingered(generation), envoy
    for letter in envoy.waiting():
        yield from answers(world, letter, envoy)
        if letter.send.type_url == CLUSTER:
            yield Overdue(letter.send.nonce), envoy
    for type_url, names in world.asks:
        if type_url in state.types:
            yield world.side.later(world, envoy, type_url, "stale", None), envoy
        else:
            yield world.side.first(type_url, names, envoy), envoy
    yield from world.names(state, envoy)


def reachable(world: World) -> Iterator[Step]:
    """Each transition once, breadth first."""
    frontier = [(world.side.fresh, envoy) for envoy in starts(world)]
    seen = {_key(world, state, envoy) for state, envoy in frontier}
    for _ in range(world.depth):
        following = []
        for before, envoy_before in frontier:
            for event, envoy in events(world, before, envoy_before):
                taken = step(world, before, event, envoy)
                yield taken
                key = _key(world, taken.after, taken.envoy)
                if key not in seen:
                    seen.add(key)
                    following.append((taken.after, taken.envoy))
        frontier = following


def _key(world: World, state: State, envoy: Envoy) -> object:
    """States that differ only in how nonces are called are one."""
    types = tuple(world.side.own(url, current) for url, current in sorted(state.types.items()))
    inbox = tuple((letter.send.type_url, letter.refused, _content(letter.send)) for letter in envoy.inbox)
    held = tuple((url, tuple(items.values())) for url, items in sorted(envoy.held.items()))
    own = (held, inbox, envoy.stuck, envoy.cold, envoy.said_no, envoy.dropped)
    return (state.target.version if state.target else "", types, frozenset(state.lingering.values()), own)


def _content(send: Response) -> object:
    return (send.changed, send.removed) if isinstance(send, DeltaSend) else send.resources
