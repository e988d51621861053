"""Every event in every state of a stream that can be reached, with a model Envoy at its other end, in both modes; and what
must hold at each step. Where a stream's own state and what its Envoy really holds differ, Envoy's is what counts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST, Resource, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import (
    Accepted,
    DeltaRequest,
    DeltaSend,
    Effect,
    Ignored,
    Lingered,
    Overdue,
    Published,
    Request,
    Send,
)
from controlplane.xds.order import NAMING_TYPES
from tests.unit.controlplane.xds.model_envoy import Envoy, Letter, Response

ROUNDS_MAX = 60

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


def drained(world: World, state: State, envoy: Envoy, *, is_willing: bool) -> tuple[State, Envoy]:
    """It asks for everything that it has not asked for yet, and answers everything: yes, or no to all of it."""
    for type_url, names in world.asks:
        if type_url not in state.types:
            taken = step(world, state, world.side.first(type_url, names, envoy), envoy)
            state, envoy = taken.after, taken.envoy
    for _ in range(ROUNDS_MAX):
        if envoy.inbox:
            # Envoy answers to clusters when they are warm: last.
            letter = min(envoy.inbox, key=lambda letter: letter.send.type_url == CLUSTER)
            if letter.send.type_url == CLUSTER and len(envoy.inbox) == 1:
                assert not _owed(state, envoy), "no cluster waits for endpoints that there are"
            choices = answers(world, letter, envoy)
            event, then = choices[0] if is_willing or len(choices) == 1 else choices[1]
        elif state.lingering:
            event, then = Lingered(min(state.lingering)), envoy
        else:
            return state, envoy
        taken = step(world, state, event, then)
        check(world, taken)
        state, envoy = taken.after, taken.envoy
    raise AssertionError("an Envoy that answers everything comes to rest")


def _owed(state: State, envoy: Envoy) -> frozenset[str]:
    """The endpoints that Envoy waits for: those of changed clusters, sent before or never."""
    endpoints = state.types.get(ENDPOINT)
    if endpoints is None or state.target is None:
        return frozenset()
    known = endpoints.subscription.of(state.target.of_type(ENDPOINT)).names - endpoints.refused.names
    return envoy.cold & known


def check(world: World, taken: Step) -> None:
    """What holds at each step, whatever happens."""
    sent = taken.sent
    if taken.after.target is None:
        assert not sent, "nothing before the first snapshot"
    assert len({send.type_url for send in sent}) == len(sent), "one response of a type at a time"
    for send in sent:
        assert int(send.nonce) > taken.before.responses, "a nonce is used once"
        items = send.changed if isinstance(send, DeltaSend) else tuple(send.resources)
        assert not any(item.is_opaque for item in items), "what is not known cannot be sent"
        _check_under_way(world, taken, send)
        _check_refused(taken, send, items)
        _check_clusters(world, taken, send, items)
    for effect in taken.effects:
        if isinstance(effect, Ignored):
            assert not sent, "what is ignored has no consequences"
        elif isinstance(effect, Accepted):
            _check_accepted(taken, effect)
    is_lost = world.side.is_whole and taken.envoy.is_forgotten
    assert is_lost or not taken.envoy.missing_clusters(), "every cluster that a running route names is there"


def _check_under_way(world: World, taken: Step, send: Response) -> None:
    """A second response goes out only over one that is overdue: of clusters."""
    before = taken.before.types.get(send.type_url)
    if before is None or not world.side.is_pending(before):
        return
    is_answered = isinstance(taken.event, Request | DeltaRequest) and taken.event.type_url == send.type_url
    assert is_answered or send.type_url == CLUSTER


def _check_refused(taken: Step, send: Response, items: tuple[Resource, ...]) -> None:
    """A refused resource is not sent again unchanged, and what Envoy chokes on is settled by the next response."""
    if send.type_url != CLUSTER:
        return
    assert not taken.envoy.said_no & frozenset(items), "a refused cluster is not sent again until its content changes"
    if isinstance(send, DeltaSend):
        touched = frozenset(item.name for item in items) | frozenset(send.removed)
        assert taken.envoy.stuck <= touched, "a cluster that was refused late is settled by the next response"


def _check_clusters(world: World, taken: Step, send: Response, items: tuple[Resource, ...]) -> None:
    held = taken.envoy.of(CLUSTER).keys()
    for item in items:
        assert item.clusters <= held, "no route before its clusters"
    if send.type_url == CLUSTER and not (world.side.is_whole and taken.envoy.is_forgotten):
        _, going = taken.envoy.news(send)
        for type_url in (ROUTE, VIRTUAL_HOST):
            for item in taken.envoy.of(type_url).values():
                assert not item.clusters & going, "no cluster goes before its routes"
        for names in taken.after.lingering.values():
            assert not names & going & held, "nor right after them"


def _check_accepted(taken: Step, told: Accepted) -> None:
    goal: ResourceSet = taken.after.target.of_type(told.type_url)
    assert told.version == goal.version
    wanted = taken.after.types[told.type_url].subscription.of(goal)
    held = taken.envoy.of(told.type_url)
    assert {item.name: held.get(item.name) for item in wanted} == dict(wanted.resources), "it runs what is told of it"


def check_arrived(world: World, state: State, envoy: Envoy) -> None:
    """A willing Envoy runs the target, but for what it has refused and what is still the same."""
    refused: frozenset[str] = state.types[CLUSTER].refused.names
    for type_url, _ in world.asks:
        current, target = state.types[type_url], state.target.of_type(type_url)
        goal = current.subscription.of(target)
        held: Mapping[str, Resource] = envoy.of(type_url)
        lacking = {item.name for item in goal if held.get(item.name) != item}
        excused = current.refused.names | {item.name for item in goal if item.clusters & refused}
        assert lacking <= excused
        is_told = current.reported == target.version
        if not (excused & goal.names or current.balks or current.subscription.is_empty):
            assert is_told
        assert not (is_told and lacking)
    assert world.side.advance(state, Published(world.snapshots[1])) == (state, ()), "and then nothing is said any more"
